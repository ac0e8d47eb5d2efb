"""The last piece of a create leaves only when the ledger says that it is this process's turn; else nothing was sent."""

import asyncio
from typing import Any

import pytest

from kolors_mcp.jobs import turns
from kolors_mcp.ledger import leases
from kolors_mcp.ledger.leases import LEASE_SECONDS
from kolors_mcp.ledger.ledger import Ledger
from kolors_mcp.sandbox import faults
from tests.support.making import TurnedClock
from tests.support.still_time import turn, until
from tests.support.wishing import MINUTE, World

pytestmark = pytest.mark.anyio


class Stopped:
    """Holds up the first mark that is asked for, as if its process were stopped just before."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.goes_on = asyncio.Event(), asyncio.Event()
        mark, is_first = Ledger.mark_posting, True

        async def held(ledger: Ledger, reference: str, number: int) -> bool:
            nonlocal is_first
            if is_first:
                is_first = False
                self.reached.set()
                await self.goes_on.wait()
            return await mark(ledger, reference, number)

        monkeypatch.setattr(Ledger, "mark_posting", held)


@pytest.mark.parametrize("is_marked", [True, False])
async def test_a_process_that_wakes_up_beyond_its_lease_never_sends_the_last_piece(
    world: World, monkeypatch: pytest.MonkeyPatch, is_marked: bool
) -> None:
    stopped = Stopped(monkeypatch)
    if not is_marked:
        mark = leases.mark_posting

        def always(*arguments: Any) -> bool:
            mark(*arguments)
            return True

        monkeypatch.setattr(leases, "mark_posting", always)
    async with world.server() as one, world.server() as another:
        first = asyncio.create_task(one.create())
        await stopped.reached.wait()
        world.time.now += LEASE_SECONDS
        second = await another.create()
        stopped.goes_on.set()
        said = await first
    assert not second.is_error, second.text
    assert not second.try_on.reused
    assert said.nothing_created == is_marked
    assert world.kling.tasks_created == (1 if is_marked else 2), "without the mark the one who wakes up pays again"


async def test_while_its_sender_lives_others_wait_and_do_not_ask_kling(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped, pass_time = Stopped(monkeypatch), TurnedClock.sleep

    async def sleep_until_sent(clock: TurnedClock, seconds: float) -> None:
        await pass_time(clock, seconds)
        if sum(clock.slept) > 2 * LEASE_SECONDS:
            # From here on time waits for the machine, which may be slow to send.
            await asyncio.wait((first,))

    monkeypatch.setattr(TurnedClock, "sleep", sleep_until_sent)
    async with world.server() as one, world.server() as another:
        first = asyncio.create_task(one.create())
        await stopped.reached.wait()
        # Every half second it looks into the ledger, and the sender gives its signs of life meanwhile.
        second = asyncio.create_task(another.create())
        await until(lambda: sum(world.time.slept) > 2 * LEASE_SECONDS or second.done())
        asked = [seen for seen in world.kling.requests if seen.method == "GET"]
        stopped.goes_on.set()
        said = [await first, await second]
    assert not asked
    assert said[0].try_on.task_id == said[1].try_on.task_id
    assert world.kling.tasks_created == 1


async def test_a_ledger_that_does_not_answer_at_the_mark_keeps_the_create_from_leaving(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = Stopped(monkeypatch)
    async with world.server() as assistant:
        first = asyncio.create_task(assistant.create())
        await stopped.reached.wait()
        turn(turns.MAX_MARK_SECONDS)
        said = await first
        assert said.nothing_created
        assert "ledger of paid try-ons did not answer in time" in said.text
        # The mark comes after all, and changes nothing any more.
        stopped.goes_on.set()
        assert not (await assistant.create()).try_on.reused
    assert world.kling.tasks_created == 1


async def test_a_server_that_closes_before_the_mark_leaves_nothing_behind_that_blocks_or_counts(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for bound in ("LAST_SENDS_SECONDS", "MAX_CLOSE_SECONDS"):
        monkeypatch.setattr(f"kolors_mcp.jobs.sending.{bound}", 0.0 if bound.startswith("LAST") else 3.0)
    stopped = Stopped(monkeypatch)
    async with world.server() as assistant:
        left = asyncio.create_task(assistant.create())
        await stopped.reached.wait()
        left.cancel()
        await asyncio.wait((left,))
    stopped.goes_on.set()
    async with world.server(daily_limit=1) as assistant:
        assert not (await assistant.create()).try_on.reused
    assert world.kling.tasks_created == 1


async def test_what_was_sent_whole_and_not_answered_when_the_server_closes_is_looked_for_by_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kolors_mcp.jobs.sending.LAST_SENDS_SECONDS", 0.0)
    world.kling.faults.next_create(faults.Slow(1e6, "after_acceptance"))
    async with world.server() as assistant:
        left = asyncio.create_task(assistant.create())
        await asyncio.to_thread(world.kling.clock.wait_for_sleepers)
        left.cancel()
        await asyncio.wait((left,))
    async with world.server() as assistant:
        assert (await assistant.create()).try_on.reused
    assert world.kling.tasks_created == 1


async def test_a_machine_that_slept_while_it_sends_does_not_take_itself_for_dead(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = Stopped(monkeypatch)
    async with world.server() as assistant:
        first = asyncio.create_task(assistant.create())
        await stopped.reached.wait()
        world.time.now += 11 * MINUTE
        second = asyncio.create_task(assistant.create())
        await until(lambda: not second.done())
        stopped.goes_on.set()
        assert (await second).try_on.task_id == (await first).try_on.task_id
    assert world.posts == 1


async def test_a_token_that_is_signed_anew_and_a_busy_account_are_further_turns_of_the_same_create(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks: list[tuple[int, bool]] = []
    mark = Ledger.mark_posting

    async def noted(ledger: Ledger, reference: str, number: int) -> bool:
        marks.append((number, await mark(ledger, reference, number)))
        return marks[-1][1]

    monkeypatch.setattr(Ledger, "mark_posting", noted)
    world.kling.faults.next_create(faults.Refuse(1303), times=2)
    async with world.server() as assistant:
        assert (await assistant.create(wait_seconds=90)).try_on
    assert marks == [(1, True), (2, True), (3, True)]
    assert world.kling.tasks_created == 1


async def test_a_new_render_that_is_repeated_joins_its_first_for_a_minute(world: World) -> None:
    async with world.server() as assistant:
        first = (await assistant.create(new_render=True)).try_on
        again = (await assistant.create(new_render=True)).try_on
        assert (again.task_id, again.reused) == (first.task_id, True)
        world.time.now += MINUTE
        assert not (await assistant.create(new_render=True)).try_on.reused
    assert world.kling.tasks_created == 2


async def test_a_new_render_in_doubt_is_not_paid_again_by_its_repetition(world: World) -> None:
    world.kling.faults.next_create(faults.Disconnect())
    async with world.server() as assistant:
        first = await assistant.create(new_render=True)
        world.time.now += 5 * MINUTE
        again = await assistant.create(new_render=True)
    assert first.in_doubt
    assert again.reference == first.reference
    assert world.posts == 1
