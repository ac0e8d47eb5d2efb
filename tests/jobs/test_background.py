"""Creates in doubt are looked for when nobody calls: by turns with other processes, and in nobody's way."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import AsyncExitStack, closing
from dataclasses import replace
from typing import Any

import pytest

from kolors_mcp.errors import LedgerError
from kolors_mcp.jobs import background
from kolors_mcp.jobs.background import Background
from kolors_mcp.jobs.store import Store
from kolors_mcp.ledger import evidence
from kolors_mcp.sandbox import faults
from kolors_mcp.sandbox.kling import SeenRequest
from tests.support.still_time import turn, until
from tests.support.wishing import MINUTE, Assistant, World

pytestmark = pytest.mark.anyio

HOUR, DAY = 60 * MINUTE, 1440 * MINUTE
LONGEST_PAUSE = 4000.0


class Passing:
    """Lets time pass, and waits until every process has done what was due and waits for the next."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world = world
        self.pauses: dict[Background, float | None] = {}
        """For how long each of them waits; 0 while it is at work, None when it has ended."""
        look, close = Background._look_if_due, Background.aclose  # pyright: ignore[reportPrivateUsage]

        async def noted(background: Background) -> float | None:
            self.pauses[background] = 0
            seconds = self.pauses[background] = await look(background)
            return seconds

        async def closed(background: Background) -> None:
            self.pauses.pop(background, None)
            await close(background)

        monkeypatch.setattr(Background, "_look_if_due", noted)
        monkeypatch.setattr(Background, "aclose", closed)

    @property
    def next(self) -> float:
        """Seconds until the next look; 0 if there is none any more."""
        return min((pause for pause in self.pauses.values() if pause), default=0)

    async def quiet(self, processes: int = 1) -> None:
        def is_quiet() -> bool:
            woken = any(background._woken.is_set() for background in self.pauses)  # pyright: ignore[reportPrivateUsage]
            return len(self.pauses) == processes and 0 not in self.pauses.values() and not woken

        await until(is_quiet)

    async def by(self, seconds: float) -> None:
        await self.quiet(len(self.pauses))
        self.pauses = {background: pause and 0 for background, pause in self.pauses.items()}
        self.world.time.now += seconds
        turn(LONGEST_PAUSE)  # whoever waits asks the ledger what time it is
        await self.quiet(len(self.pauses))


@pytest.fixture
def passing(world: World, monkeypatch: pytest.MonkeyPatch) -> Passing:
    return Passing(world, monkeypatch)


def rows(world: World, columns: str) -> list[Any]:
    with closing(sqlite3.connect(world.ledger.removeprefix("sqlite:///"))) as written:
        return written.execute(f"SELECT {columns} FROM kolors_try_ons ORDER BY id").fetchall()  # noqa: S608  (a test's)


def row(world: World, columns: str) -> Any:
    [found] = rows(world, columns)
    return found


def is_read_of(reference: str) -> Callable[[SeenRequest], bool]:
    return lambda seen: seen.method == "GET" and seen.path.endswith(reference)


async def lost(
    world: World, assistant: Assistant, colour: str = "crimson", *, accepted: bool = True, **more: Any
) -> str:
    """Make a create whose answer is lost; Kling shows nothing of it, so far. Return its reference."""
    world.kling.rules = replace(world.kling.rules, not_found_reads=10**9, list_lag_seconds=10 * DAY, **more)
    world.kling.faults.next_create(faults.Disconnect("after_acceptance" if accepted else "before_acceptance"))
    said = await assistant.create(colour)
    assert said.in_doubt
    return said.reference


def show(world: World, *, by_reference: bool = True, in_list: bool = True) -> None:
    """Let Kling show from now on what it has."""
    world.kling.rules.list_lag_seconds = 0.0 if in_list else 10 * DAY
    for task in world.kling.tasks.all:
        task.denied_reads = 0 if by_reference else 10**9


@pytest.mark.parametrize("shown", ["by_reference", "in_list"])
async def test_what_was_in_doubt_is_settled_though_nobody_calls(world: World, passing: Passing, shown: str) -> None:
    """At a Kling that shows references in the list only, and at one that knows them only when it is asked for one."""
    async with world.server() as assistant:
        reference = await lost(world, assistant, list_shows_external_ids=shown == "in_list")
        await passing.quiet()
        for _ in range(4):
            await passing.by(MINUTE)
        assert row(world, "state, task_id") == ("unconfirmed", None)
        show(world, by_reference=shown == "by_reference", in_list=shown == "in_list")
        await passing.by(10 * MINUTE)
        [task] = world.kling.tasks.all
        assert row(world, "state, task_id, reference") == ("created", task.id, reference)
        assert list(passing.pauses.values()) == [None], "nothing is looked for any more, and nothing runs"
        asked = len(world.kling.requests)
        await passing.by(DAY)
        assert len(world.kling.requests) == asked


async def test_many_doubts_share_the_reading_of_the_list_and_each_has_its_turn(
    world: World, passing: Passing, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = 7
    assert at_once < background.LOOKS_AT_ONCE, "fewer make as many rounds"
    monkeypatch.setattr(background, "LOOKS_AT_ONCE", at_once)
    async with world.server() as assistant:
        never = await lost(world, assistant, accepted=False)
        for number in range(at_once + 4):
            await lost(world, assistant, f"#{number * 9:02x}2244")
        await passing.quiet()
        show(world, by_reference=False)
        asked = len(world.kling.requests)
        await passing.by(HOUR)
        states = [state for (state,) in rows(world, "state")]
        assert states == ["unconfirmed", *["created"] * (at_once + 4)]
        came = list(world.kling.requests)[asked:]
        assert sum(map(is_read_of("kolors-virtual-try-on"), came)) <= 6, "two rounds, of at most three pages each"
        assert len(came) <= at_once + 5 + 6
        assert sum(map(is_read_of(never), came)) == 1


@pytest.mark.parametrize("accepted", [True, False])
async def test_what_shows_nowhere_stays_a_doubt_and_the_answer_says_since_when_and_what_was_asked(
    world: World, passing: Passing, accepted: bool
) -> None:
    async with world.server() as assistant:
        reference = await lost(world, assistant, accepted=accepted, shows_external_ids=False)
        await passing.quiet()
        early = await assistant.get(reference)
        assert early.in_doubt
        assert "It is in doubt since 2027-01-15 08:00 UTC. It was looked for" in early.text
        assert "new_render" not in early.text
        await passing.quiet()
        while passing.next:
            await passing.by(passing.next)
        looks = sum(map(is_read_of(reference), world.kling.requests))
        assert 30 < looks < 60
        await passing.by(DAY)
        assert sum(map(is_read_of(reference), world.kling.requests)) == looks, "it is looked for no longer"
        said = await assistant.get(reference)
        assert sum(map(is_read_of(reference), world.kling.requests)) == looks + 1, "but whoever asks is given a look"
    assert said.in_doubt
    assert "It is in doubt since 2027-01-15 08:00 UTC" in said.text
    assert "last at 2027-01-17" in said.text
    assert "by its reference (Kling does not know it) and in the list (not among all 0 tasks)" in said.text
    assert "create_try_on with new_render makes it anew, and that pays again" in said.text
    state, kept = row(world, "state, evidence")
    assert state == "unconfirmed"
    assert json.loads(kept)["looks"] >= looks
    assert len(kept) < 1500


async def looks_within_a_day(world: World, passing: Passing, processes: int) -> int:
    async with AsyncExitStack() as stack:
        assistant, *others = [await stack.enter_async_context(world.server()) for _ in range(processes)]
        reference = await lost(world, assistant, accepted=False)
        for other in others:
            await other.list()  # with which it comes to know of the doubt
        await passing.quiet(processes)
        before = sum(map(is_read_of(reference), world.kling.requests))
        while passing.next:
            await passing.by(passing.next)
        return sum(map(is_read_of(reference), world.kling.requests)) - before


async def test_three_processes_on_one_ledger_ask_no_more_often_than_one(world: World, passing: Passing) -> None:
    assert 30 < await looks_within_a_day(world, passing, 3) < 40


async def test_without_taking_the_looks_they_would_ask_more_often(
    world: World, passing: Passing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "TAKEN_FOR_SECONDS", 0.0)
    assert await looks_within_a_day(world, passing, 3) > 60


async def test_a_process_that_ends_in_the_middle_of_a_look_leaves_it_to_the_next(
    world: World, passing: Passing
) -> None:
    async with world.server() as assistant:
        reference = await lost(world, assistant)
        await passing.quiet()
        world.kling.faults.next_read(faults.Slow(10 * DAY))
        asked = sum(map(is_read_of(reference), world.kling.requests))
        world.time.now += MINUTE
        turn(LONGEST_PAUSE)
        await until(lambda: sum(map(is_read_of(reference), world.kling.requests)) > asked)
    # It has ended, although Kling has not answered.
    show(world)
    async with world.server() as assistant:
        await assistant.list(page_num=2)
        await passing.quiet()
        assert row(world, "state") == ("unconfirmed",), "the look is still taken"
        await passing.by(MINUTE)
        assert row(world, "state") == ("created",)


async def test_nobody_waits_for_a_look_that_hangs(world: World, passing: Passing) -> None:
    async with world.server() as assistant:
        other = (await assistant.create("navy")).try_on.task_id
        reference = await lost(world, assistant)
        await passing.quiet()
        world.kling.faults.next_read(faults.Slow(10 * DAY))
        asked = sum(map(is_read_of(reference), world.kling.requests))
        world.time.now += MINUTE
        turn(LONGEST_PAUSE)
        await until(lambda: sum(map(is_read_of(reference), world.kling.requests)) > asked)
        assert (await assistant.get(other)).try_on.task_id == other
        assert not (await assistant.create("gold")).is_error
        assert not (await assistant.list()).is_error
        assert list(passing.pauses.values()) == [0], "it hangs still"


async def test_a_ledger_that_fails_for_a_while_ends_no_looking(
    world: World, passing: Passing, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [LedgerError("The ledger is locked."), RuntimeError("a mistake of ours")]
    take = Store.take_looks

    async def broken(self: Store, most: int) -> Any:
        if failures:
            raise failures.pop(0)
        return await take(self, most)

    monkeypatch.setattr(Store, "take_looks", broken)
    async with world.server() as assistant:
        await lost(world, assistant)
        await passing.quiet()
        show(world)
        for left in (1, 0):
            world.time.now += MINUTE
            turn(LONGEST_PAUSE)
            await until(lambda left=left: len(failures) == left)
            assert row(world, "state") == ("unconfirmed",)
        turn(LONGEST_PAUSE)
        await until(lambda: None in passing.pauses.values())
        assert row(world, "state") == ("created",)
