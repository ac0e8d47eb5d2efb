"""Callers who want the same at once share what comes of it, a refusal too; nobody sends what was just refused."""

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.to_thread
import pytest

from kolors_mcp.kling.refusals import MEANINGS
from kolors_mcp.ledger.ledger import Ledger
from kolors_mcp.sandbox import faults
from kolors_mcp.sandbox.kling import SeenRequest
from tests.support.still_time import until
from tests.support.wishing import MINUTE, Assistant, Said, World

pytestmark = pytest.mark.anyio
CALLERS = 40


@pytest.fixture
def reserved(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each request that was written down or joined another, in turn, is a new one."""
    seen: list[bool] = []
    reserve = Ledger.reserve

    async def noted(self: Ledger, *args: Any, **more: Any) -> Any:
        made = await reserve(self, *args, **more)
        seen.append(made.is_new)
        return made

    monkeypatch.setattr(Ledger, "reserve", noted)
    return seen


def is_post(request: SeenRequest) -> bool:
    return request.method == "POST"


Create = Callable[[], Awaitable[Said]]


async def all_at_once(world: World, reserved: list[bool], create: Create, number: int = CALLERS) -> list[Said]:
    """Make equal creates. Kling has the first before the others come, and answers it when all of them wait for it."""
    said: list[Said] = []

    async def wish() -> None:
        said.append(await create())

    async with anyio.create_task_group() as group:
        group.start_soon(wish)
        await anyio.to_thread.run_sync(world.kling.clock.wait_for_sleepers)
        for _ in range(number - 1):
            group.start_soon(wish)
        await until(lambda: len(reserved) == number)
        world.kling.clock.advance(MINUTE)
    return said


@pytest.mark.parametrize("code", [1301, 1102, 1201, 1002])
async def test_many_equal_creates_share_one_final_refusal_and_the_next_call_sends_again(
    world: World, reserved: list[bool], code: int
) -> None:
    message = f"human_image: {MEANINGS[code].what}"
    world.kling.faults.next_create(faults.Slow(MINUTE, then=faults.Refuse(code, message)))
    async with world.server() as assistant:
        said = await all_at_once(world, reserved, assistant.create)
        assert len(said) == CALLERS
        assert {one.text for one in said} == {said[0].text}
        assert said[0].nothing_created
        assert f"code {code}" in said[0].text
        assert world.posts == 1
        assert sum(reserved) == 1
        assert not (await assistant.create()).try_on.reused
    assert (world.posts, world.kling.tasks_created) == (2, 1)


@pytest.mark.parametrize(
    ("servers", "code", "posts"), [(1, 1301, 1), (2, 1301, 1), (2, 1303, 2), (2, 1201, 2), (1, 1201, 1), (1, 1303, 2)]
)
async def test_a_final_refusal_is_shared_also_with_who_looks_when_the_sending_is_over(
    world: World, monkeypatch: pytest.MonkeyPatch, servers: int, code: int, posts: int
) -> None:
    """The ledger says that it is being sent; by the time the second caller looks, it has been refused."""
    reserve, joined, refused = Ledger.reserve, anyio.Event(), anyio.Event()

    async def slowly(self: Ledger, *args: Any, **more: Any) -> Any:
        made = await reserve(self, *args, **more)
        if not made.is_new:
            joined.set()
            await refused.wait()
        return made

    monkeypatch.setattr(Ledger, "reserve", slowly)
    world.kling.faults.next_create(faults.Slow(MINUTE, then=faults.Refuse(code, "human_image: a weapon")))
    said: list[Said] = []

    async def wish(assistant: Assistant) -> None:
        said.append(await assistant.create())
        refused.set()

    async with world.server() as one, world.server() as another, anyio.create_task_group() as group:
        group.start_soon(wish, one)
        await anyio.to_thread.run_sync(world.kling.clock.wait_for_sleepers)
        group.start_soon(wish, one if servers == 1 else another)
        await joined.wait()
        world.kling.clock.advance(MINUTE)
    assert world.posts == posts
    if posts == 1:
        assert all(f"code {code}" in one.text and one.nothing_created for one in said), said
        # Another process only knows the code.
        assert ("a weapon" in said[1].text) == (servers == 1)
    else:
        assert said[1].try_on


async def test_whoever_does_not_wait_for_a_busy_account_shares_its_refusal(world: World, reserved: list[bool]) -> None:
    world.kling.faults.next_create(faults.Slow(MINUTE, then=faults.Refuse(1303)))
    async with world.server() as assistant:
        said = await all_at_once(world, reserved, assistant.create)
    assert all(one.nothing_created and "code 1303" in one.text for one in said)
    assert world.posts == 1


async def test_a_refusal_that_passes_is_not_shared_with_who_can_wait_for_it(world: World, reserved: list[bool]) -> None:
    """The first does not wait for a busy account; the others do, and one of them sends for all."""
    world.kling.faults.next_create(faults.Slow(MINUTE, then=faults.Refuse(1303)))
    async with world.server() as assistant:
        waits = iter([0, *[30] * 9])
        said = await all_at_once(world, reserved, lambda: assistant.create(wait_seconds=next(waits)), 10)
    assert sum(one.nothing_created for one in said) == 1
    assert len({one.try_on.task_id for one in said if not one.is_error}) == 1
    assert world.posts == 2


# --- addresses that Kling calls


async def test_a_create_that_joins_another_says_that_its_own_callback_url_is_not_called(world: World) -> None:
    first, other = "https://shop.example/first", "https://shop.example/other"
    async with world.server() as assistant:
        assert "callback_url" not in (await assistant.create(callback_url=first)).text
        for silent in (None, first):
            again = await assistant.create(callback_url=silent)
            assert again.try_on.reused
            assert again.try_on.notes == ()
        joined = await assistant.create(callback_url=other)
        [note] = joined.try_on.notes
        assert "Kling calls only the address that came with that one" in note
        assert note in joined.text
        assert (await assistant.create("navy")).try_on.notes == ()
        assert len((await assistant.create("navy", callback_url=first)).try_on.notes) == 1
    async with world.server() as assistant:
        # What an earlier process gave is not known, so nothing is promised.
        assert len((await assistant.create(callback_url=other)).try_on.notes) == 1
        assert (await assistant.create()).try_on.notes == ()
    assert [seen.json.get("callback_url") for seen in world.kling.requests if is_post(seen)] == [first, None]
