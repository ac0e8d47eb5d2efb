"""Reading and waiting: few questions however many wait, what passes is ridden out, and every answer is typed."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import anyio
import pytest

from kolors_mcp.clock import Clock
from kolors_mcp.jobs.watching import FRESH_SECONDS, PAUSES, Watching
from kolors_mcp.kling.client import KlingClient
from kolors_mcp.sandbox import faults
from kolors_mcp.sandbox.clock import SandboxClock
from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.sandbox.running import running
from kolors_mcp.server.request import MAX_SILENT_CALL_SECONDS
from tests.support.making import api_key
from tests.support.still_time import idle, turn, until
from tests.support.wishing import MINUTE, World

pytestmark = pytest.mark.anyio
DAY = 24 * 60 * MINUTE


def reads_of(world: World, task_id: str) -> int:
    return sum(request.path.endswith(f"/{task_id}") for request in world.kling.requests)


async def test_waiting_polls_after_two_seconds_and_eases_to_five(world: World) -> None:
    world.kling.rules.finished_seconds = 10_000
    async with world.server() as assistant:
        made = (await assistant.create()).try_on
        began = len(world.time.slept)
        said = await assistant.get(made.task_id, wait_seconds=39)
    assert not said.try_on.finished
    assert world.time.slept[began:][:6] == [2.0, 2.5, 3.125, 3.90625, 4.8828125, 5.0]
    assert max(world.time.slept[began:]) == 5.0


def test_servers_that_begin_together_do_not_ask_in_step() -> None:
    first = [PAUSES.seconds(0, Clock(jitter=lambda chance=chance: chance)) for chance in (0.0, 0.5, 1.0)]
    assert first == pytest.approx([1.8, 2.0, 2.2])


async def test_a_deadline_is_an_answer_with_the_id_and_what_to_do_next(world: World) -> None:
    world.kling.rules.finished_seconds = 10_000
    async with world.server() as assistant:
        made = (await assistant.create(wait_seconds=10)).try_on
        assert made.status == "processing"
        assert f'get_try_on with task_id "{made.task_id}"' in (made.next_step or "")
        assert "do not create it again" in (made.next_step or "")


async def test_a_finished_one_is_returned_as_soon_as_it_is_seen(world: World) -> None:
    async with world.server() as assistant:
        made = (await assistant.create(wait_seconds=39)).try_on
    assert made.status == "succeed"
    assert sum(world.time.slept) < 10


PASSING: dict[str, faults.Fault] = {
    "html": faults.Raw(504),
    "reset": faults.Disconnect(),
    "end": faults.Disconnect(fin=True),
    "cut": faults.Cut(),
    "no data": faults.NoData(),
    "too fast": faults.Refuse(1302),
    "internal": faults.Refuse(5000),
    "backlog": faults.Refuse(5002),
    "unknown code": faults.Refuse(4242, status=500),
    "no such task": faults.Refuse(1203),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
async def test_what_passes_is_ridden_out_by_whoever_waits(world: World, fault: faults.Fault) -> None:
    world.kling.faults.next_read(fault, times=3)
    async with world.server() as assistant:
        made = (await assistant.create(wait_seconds=39)).try_on
    assert made.status == "succeed"


async def test_an_outage_longer_than_one_read_is_ridden_out_by_a_get_that_waits(world: World) -> None:
    async with world.server(lambda _line: None) as assistant:
        made = (await assistant.create()).try_on
        world.kling.faults.next_read(faults.Raw(503), times=20)
        assert (await assistant.get(made.task_id, wait_seconds=300)).try_on.status == "succeed"
    assert sum(world.time.slept) > 30


async def test_a_task_that_kling_denies_at_first_is_not_reported_lost(world: World) -> None:
    world.kling.rules.not_found_reads = 3
    async with world.server() as assistant:
        made = (await assistant.create()).try_on
        denied = (await assistant.get(made.task_id)).try_on
        assert (denied.task_id, denied.status) == (made.task_id, "submitted")
        assert "does not show this try-on just now" in (denied.status_message or "")
        found = (await assistant.get(made.task_id, wait_seconds=39)).try_on
        assert (found.status, found.status_message) == ("succeed", None)


async def test_keys_that_die_while_somebody_waits_do_not_hide_the_paid_task(world: World) -> None:
    world.kling.faults.next_read(faults.Refuse(1002), times=None)
    async with world.server() as assistant:
        made = (await assistant.create(wait_seconds=39)).try_on
        assert made.status == "submitted"
        assert "does not know these credentials" in (made.status_message or "")
        said = await assistant.get(made.task_id)
        assert said.is_error
        assert "credentials" in said.text


async def test_a_task_that_is_gone_after_thirty_days_is_a_typed_answer(world: World) -> None:
    async with world.server() as assistant:
        made = (await assistant.create(wait_seconds=39)).try_on
        world.time.now += 31 * DAY
        world.kling.faults.next_read(faults.Refuse(1203), times=None)
        asked = len(world.kling.requests)
        for name in (made.task_id, made.reference or ""):
            said = await assistant.get(name, wait_seconds=39)
            assert said.is_error
            assert "results are kept for 30 days" in said.text
        assert len(world.kling.requests) - asked == 2
        assert (await assistant.create()).try_on.task_id != made.task_id


@pytest.mark.parametrize("unknown_task_code", [1203, None])
async def test_an_id_that_nobody_knows_is_a_typed_answer_at_once(world: World, unknown_task_code: int | None) -> None:
    world.kling.rules.unknown_task_code = unknown_task_code
    async with world.server() as assistant:
        for name in ("123456789012345678", "k-0123456789abcdef01234567"):
            said = await assistant.get(name, wait_seconds=39)
            assert said.is_error
            assert f'Kling knows no try-on "{name}"' in said.text
    assert world.time.slept == []


async def test_a_word_nobody_knows_and_a_success_without_a_picture_end_with_the_callers_wait(world: World) -> None:
    async with world.server() as assistant:
        made = (await assistant.create()).try_on
        world.kling.faults.next_read(faults.StatusWord("queued"), times=None)
        said = (await assistant.get(made.task_id, wait_seconds=20)).try_on
        assert (said.status, said.finished) == ("processing", False)
        assert '"queued"' in (said.status_message or "")
        world.kling.faults.clear()
        world.time.now += 3
        world.kling.faults.next_read(faults.NoPictures(), times=None)
        empty = (await assistant.get(made.task_id, wait_seconds=20)).try_on
        assert (empty.status, empty.images) == ("succeed", ())
        assert "without a picture" in (empty.next_step or "")
        assert (await assistant.view(made.task_id)).is_error


async def test_a_read_that_stalls_is_given_up_with_the_callers_wait(world: World) -> None:
    async with world.server() as assistant, asyncio.TaskGroup() as group:
        made = (await assistant.create()).try_on
        world.time.now += 3
        world.kling.faults.next_read(faults.Slow(1e6), times=None)
        asking = group.create_task(assistant.get(made.task_id, wait_seconds=300))
        await asyncio.to_thread(world.kling.clock.wait_for_sleepers)
        turn(MAX_SILENT_CALL_SECONDS)
        said = (await asking).try_on
        assert (said.task_id, said.status) == (made.task_id, "submitted")
        assert "Kling did not answer within" in (said.status_message or "")


async def test_somebody_who_leaves_takes_nobody_elses_poll_along(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    watchers, enter = list[str](), Watching.enter

    def noted(watching: Watching, task_id: str) -> None:
        watchers.append(task_id)
        enter(watching, task_id)

    monkeypatch.setattr(Watching, "enter", noted)
    world.kling.faults.next_read(faults.Slow(30))
    async with world.server() as assistant:
        made = (await assistant.create()).try_on
        async with asyncio.TaskGroup() as group:
            leaving = group.create_task(assistant.get(made.task_id, wait_seconds=30))
            await asyncio.to_thread(world.kling.clock.wait_for_sleepers)
            staying = group.create_task(assistant.get(made.task_id, wait_seconds=30))
            await until(lambda: len(watchers) == 2)
            leaving.cancel()
            await asyncio.wait((leaving,))
            world.kling.clock.advance(60)
        assert staying.result().try_on.status == "succeed"
    assert reads_of(world, made.task_id) == 1


# --- many who wait


@dataclass
class Metronome:
    """Virtual time that moves on only when everybody sleeps: then the first of them wakes."""

    now: float = 1_800_000_000.0
    sleepers: list[tuple[float, anyio.Event]] = field(default_factory=list[tuple[float, anyio.Event]])

    async def sleep(self, seconds: float) -> None:
        sleeper = (self.now + seconds, anyio.Event())
        self.sleepers.append(sleeper)
        try:
            await sleeper[1].wait()
        finally:
            self.sleepers = [other for other in self.sleepers if other is not sleeper]

    def tick(self) -> None:
        at, awake = min(self.sleepers, key=lambda sleeper: sleeper[0])
        self.now = max(self.now, at)
        awake.set()

    def clock(self) -> Clock:
        return Clock(wall=lambda: self.now, monotonic=lambda: self.now, sleep=self.sleep, jitter=lambda: 0.5)


async def test_sixty_who_wait_for_six_tasks_ask_once_per_task_and_interval(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kolors_mcp.server.request.MAX_SILENT_CALL_SECONDS", 300.0)
    time = Metronome()
    world = World(tmp_path)
    world.kling = SandboxKling(clock=SandboxClock(wall=lambda: time.now), remember=10_000)
    world.kling.rules.finished_seconds = 60
    finished: Counter[str] = Counter()
    with running(world.kling):
        world.time = time  # pyright: ignore[reportAttributeAccessIssue]  (it gives a clock, which is all that is used)
        async with world.server() as assistant:
            made = [(await assistant.create(f"#{40 * number:02x}2244")).try_on.task_id for number in range(6)]
            assert len(set(made)) == 6
            asked = len(world.kling.requests)

            async def wait_for(task_id: str) -> None:
                said = await assistant.get(task_id, wait_seconds=200)
                finished[said.try_on.task_id] += said.try_on.status == "succeed"

            async with anyio.create_task_group() as group:
                for number in range(60):
                    group.start_soon(wait_for, made[number % 6])
                while finished.total() < 60:
                    # Each task that is waited for has its one sleeper again: all that is left is to wait.
                    await until(lambda: len(time.sleepers) == 6 - sum(count == 10 for count in finished.values()))
                    if finished.total() < 60:
                        time.tick()
    assert finished == dict.fromkeys(made, 10)
    reads: dict[str, list[float]] = {}
    for request in list(world.kling.requests)[asked:]:
        reads.setdefault(request.path.rpartition("/")[2], []).append(request.at)
    assert sorted(reads) == sorted(made)
    for moments in reads.values():
        assert all(later - earlier >= FRESH_SECONDS for earlier, later in pairwise(moments)), moments
        assert len(moments) <= 2 + 60 / PAUSES.initial_seconds
        assert moments[-1] - moments[0] <= 60 + PAUSES.max_seconds * PAUSES.jitter[1]
    assert max(Counter(len(moments) for moments in reads.values())) < 25


async def test_newcomers_are_told_what_others_have_just_seen(world: World) -> None:
    key = api_key(world.kling)
    client = KlingClient(world.kling.origin, lambda: key, clock=world.time.clock())
    watching = Watching(client, world.time.clock())
    async with world.server() as assistant:
        made = (await assistant.create()).try_on
    with watching.watcher() as watcher:
        for _ in range(50):
            assert (await watcher.read(made.task_id, world.time.clock().deadline(20))).id == made.task_id
            world.time.now += 0.1
    assert reads_of(world, made.task_id) == 3, "one for each two seconds of the five"
    await client.aclose()


async def test_nobody_waits_means_nobody_asks(world: World) -> None:
    world.kling.rules.finished_seconds = 10_000
    polling = anyio.Event()

    def note(line: str) -> None:
        if "Kling says" in line:
            polling.set()

    async def endless(_seconds: float) -> None:
        await anyio.sleep_forever()

    async with world.server(note) as assistant:
        made = (await assistant.create()).try_on
        world.time.sleep = endless  # pyright: ignore[reportAttributeAccessIssue]  (the pause never ends on its own)
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: assistant.get(made.task_id, wait_seconds=300))
            await polling.wait()
            group.cancel_scope.cancel()
        await idle()
        assert not [task for task in asyncio.all_tasks() if "Watching" in repr(task.get_coro())]
