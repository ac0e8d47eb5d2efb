"""One wish is paid at most once: repeats, rushes, restarts, limits and busy accounts."""

import sqlite3
from contextlib import closing

import anyio
import anyio.to_thread
import pytest

from kolors_mcp.errors import PictureRefusedError
from kolors_mcp.images.pictures import Pictures
from kolors_mcp.sandbox import faults
from kolors_mcp.sandbox.kling import SeenRequest
from tests.support.making import BytesPicture, jpeg
from tests.support.still_time import until
from tests.support.wishing import MINUTE, Said, World

pytestmark = pytest.mark.anyio


def is_post(request: SeenRequest) -> bool:
    return request.method == "POST"


async def test_the_same_wish_joins_the_running_and_the_finished_try_on(world: World) -> None:
    async with world.server() as assistant:
        first = (await assistant.create()).try_on
        assert not first.reused
        again = await assistant.create()
        assert (again.try_on.task_id, again.try_on.reference) == (first.task_id, first.reference)
        assert again.try_on.reused
        assert "nothing new was paid" in again.text
        world.time.now += 5 * MINUTE
        finished = await assistant.create()
        assert (finished.try_on.task_id, finished.try_on.status) == (first.task_id, "succeed")
        assert finished.try_on.reused
        assert finished.try_on.images
    assert world.posts == 1


async def test_other_pictures_another_model_and_a_fresh_render_are_other_wishes(world: World) -> None:
    async with world.server() as assistant:
        said = [
            await assistant.create(),
            await assistant.create("navy"),
            await assistant.create(model_name="kolors-virtual-try-on-v1-5"),
            await assistant.create(new_render=True),
        ]
        assert len({one.try_on.task_id for one in said}) == 4
        assert not any(one.try_on.reused for one in said)
        # The newest of equal wishes is the one that is joined.
        assert (await assistant.create()).try_on.task_id == said[3].try_on.task_id
    assert world.kling.tasks_created == 4


async def test_after_ten_minutes_the_same_wish_is_a_new_one(world: World) -> None:
    async with world.server() as assistant:
        first = (await assistant.create()).try_on
        world.time.now += 9 * MINUTE
        assert (await assistant.create()).try_on.task_id == first.task_id
        world.time.now += 2 * MINUTE
        second = (await assistant.create()).try_on
        assert second.task_id != first.task_id
        assert not second.reused


async def test_a_failed_try_on_may_be_tried_again_at_once(world: World) -> None:
    world.kling.faults.next_create(faults.FailLate("there is no human in the picture"))
    async with world.server() as assistant:
        first = await assistant.create(wait_seconds=30)
        assert first.try_on.status == "failed"
        second = (await assistant.create()).try_on
        assert second.task_id != first.try_on.task_id
        assert not second.reused
        assert (await assistant.create()).try_on.task_id == second.task_id


async def test_a_failure_that_nobody_has_seen_yet_is_seen_before_the_wish_is_joined(world: World) -> None:
    world.kling.faults.next_create(faults.FailLate())
    async with world.server() as assistant:
        first = (await assistant.create()).try_on
        world.time.now += MINUTE
        second = (await assistant.create()).try_on
    assert second.task_id != first.task_id
    assert (second.status, second.reused) == ("submitted", False)


async def test_twenty_equal_wishes_at_once_are_one_post_and_one_task(world: World) -> None:
    said: list[str] = []
    async with world.server() as assistant:

        async def wish() -> None:
            said.append((await assistant.create()).try_on.task_id)

        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(wish)
    assert len(said) == 20
    assert len(set(said)) == 1
    assert world.posts == 1


async def test_a_wish_that_comes_while_the_same_one_is_sent_waits_for_it(world: World) -> None:
    world.kling.faults.next_create(faults.Slow(MINUTE))
    said: list[str] = []
    async with world.server() as assistant:

        async def wish() -> None:
            said.append((await assistant.create()).try_on.task_id)

        async with anyio.create_task_group() as group:
            group.start_soon(wish)
            await anyio.to_thread.run_sync(world.kling.clock.wait_for_sleepers)
            group.start_soon(wish)
            await anyio.to_thread.run_sync(world.kling.clock.wait_for_sleepers)
            world.kling.clock.advance(MINUTE)
    assert len(set(said)) == 1
    assert len(said) == 2
    assert world.posts == 1


async def test_a_restarted_server_remembers_the_wish(world: World) -> None:
    async with world.server() as assistant:
        first = (await assistant.create()).try_on
    async with world.server() as assistant:
        again = (await assistant.create()).try_on
        assert (again.task_id, again.reused) == (first.task_id, True)
        assert (await assistant.get(first.reference or "")).try_on.task_id == first.task_id
    assert world.kling.tasks_created == 1


async def test_a_repeat_is_answered_from_memory_when_kling_cannot_be_asked_or_denies_the_task(world: World) -> None:
    async with world.server() as assistant:
        first = (await assistant.create()).try_on
        world.time.now += 3
        for fault in (faults.Refuse(1002), faults.Raw(503), faults.Refuse(1203), faults.Disconnect()):
            world.kling.faults.next_read(fault, times=None)
            said = await assistant.create()
            assert (said.try_on.task_id, said.try_on.reused) == (first.task_id, True)
            assert "last known status" in said.text
            world.kling.faults.clear()
    assert world.posts == 1


async def test_a_busy_account_is_waited_for_with_progress(world: World) -> None:
    world.kling.faults.next_create(faults.Refuse(1303), times=2)
    world.kling.faults.next_create(faults.Refuse(1302))
    lines: list[str] = []
    async with world.server(lines.append) as assistant:
        made = (await assistant.create(wait_seconds=60)).try_on
    assert not made.reused
    assert world.posts == 4
    assert world.kling.tasks_created == 1
    assert min(world.time.slept[:3]) >= 1, "the vendor asks for at least a second"
    assert len({request.json["external_task_id"] for request in world.kling.requests if request.method == "POST"}) == 1
    assert any("parallel slots of this account are busy" in line and "Trying again" in line for line in lines)


async def test_a_busy_account_that_is_not_waited_for_is_an_answer_that_nothing_was_created(world: World) -> None:
    world.kling.faults.next_create(faults.Refuse(1303))
    async with world.server() as assistant:
        said = await assistant.create()
        assert said.nothing_created
        assert "slots of this account are busy (code 1303)" in said.text
        assert world.posts == 1
        # Nothing was created, so nothing stands in the way of another try.
        assert not (await assistant.create()).try_on.reused


async def test_a_caller_who_leaves_while_the_account_is_busy_pays_nothing_later(world: World) -> None:
    world.kling.faults.next_create(faults.Refuse(1303, retry_after="20"))
    pausing = anyio.Event()

    def note(line: str) -> None:
        if "Trying again" in line:
            pausing.set()

    passing = world.time.sleep
    has_left = False

    async def endless(seconds: float) -> None:
        await (passing(seconds) if has_left else anyio.sleep_forever())

    world.time.sleep = endless  # pyright: ignore[reportAttributeAccessIssue]  (the pause never ends on its own)
    async with world.server(note) as assistant:
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: assistant.create(wait_seconds=60))
            await pausing.wait()
            group.cancel_scope.cancel()
        has_left = True
        # The next wish is a new one: the old was given up and written down as such.
        assert not (await assistant.create()).try_on.reused
    assert world.posts == 2
    assert world.kling.tasks_created == 1


async def test_the_daily_limit_counts_accepted_and_doubtful_creates_and_nothing_else(world: World) -> None:
    async with world.server(daily_limit=3) as assistant:
        world.kling.faults.next_create(faults.Refuse(1301))
        assert (await assistant.create("navy")).nothing_created
        assert (await assistant.create("red")).try_on
        assert (await assistant.create("red")).try_on.reused
        world.kling.faults.next_create(faults.Disconnect())
        assert (await assistant.create("green")).in_doubt
        assert (await assistant.create("blue")).try_on
        refused = await assistant.create("gold")
        assert refused.nothing_created
        assert "Today's limit of 3 paid try-ons is reached" in refused.text
        assert "It resets at 2027-01-16T00:00:00Z" in refused.text
        assert (await assistant.create("gold", new_render=True)).nothing_created
        assert (await assistant.create("red")).try_on.reused, "what is paid for is still shown"
        world.time.now += 24 * 60 * MINUTE
        assert (await assistant.create("gold")).try_on
    assert world.kling.tasks_created == 3


async def test_a_doubt_of_any_age_keeps_the_wish_from_being_paid_again_unless_as_a_new_render(
    world: World,
) -> None:
    world.kling.faults.next_create(faults.Disconnect())
    async with world.server() as assistant:
        first = await assistant.create()
        assert first.in_doubt
        world.time.now += 20 * MINUTE
        second = await assistant.create()
        assert second.in_doubt
        assert second.reference == first.reference
        assert world.posts == 1
        fresh = (await assistant.create(new_render=True)).try_on
        assert not fresh.reused
        assert world.posts == 2
    world.time.now += MINUTE
    async with world.server() as assistant:
        assert (await assistant.create()).try_on.task_id == fresh.task_id
    assert world.kling.tasks_created == 1


async def test_every_picture_that_was_opened_is_closed_whatever_becomes_of_the_wish(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[BytesPicture] = []
    before = 0
    waiting = anyio.Event()

    async def prepare(_self: Pictures, reference: str, argument: str) -> BytesPicture:
        if reference == "never":
            await until(lambda: len(opened) > before)
            waiting.set()
            await anyio.sleep_forever()
        if reference == "nowhere":
            raise PictureRefusedError(f"{argument} is nowhere.")
        opened.append(BytesPicture(jpeg(colour=reference)))
        return opened[-1]

    monkeypatch.setattr(Pictures, "prepare", prepare)
    async with world.server() as assistant:

        async def wish(cloth: str, human: str = "teal") -> Said:
            return await assistant.call("create_try_on", human_image=human, cloth_image=cloth)

        assert (await wish("crimson")).try_on
        assert (await wish("crimson")).try_on.reused
        assert (await wish("nowhere")).is_error
        for fault in (faults.Refuse(1102), faults.Refuse(1303), faults.Disconnect()):
            world.kling.faults.next_create(fault)
            assert (await wish("navy")).is_error
        before = len(opened)
        async with anyio.create_task_group() as group:
            group.start_soon(wish, "never")
            await waiting.wait()
            group.cancel_scope.cancel()
        await until(lambda: all(picture.closed for picture in opened))
    assert len(opened) >= 11


async def test_what_a_try_on_cost_is_in_the_ledger_when_it_has_ended_however_it_was_seen(world: World) -> None:
    async with world.server() as assistant:
        await assistant.create(wait_seconds=30)
        running = (await assistant.create("navy")).try_on
        joined = (await assistant.create("gold")).try_on
        world.time.now += MINUTE
        assert (await assistant.get(running.task_id)).try_on.status == "succeed"
        assert (await assistant.create("gold")).try_on.task_id == joined.task_id
        with closing(sqlite3.connect(world.ledger.removeprefix("sqlite:///"))) as written:
            rows = written.execute("SELECT status, units, final_at > created_at FROM kolors_try_ons").fetchall()
    assert rows == [("succeed", 1.0, 1)] * 3
