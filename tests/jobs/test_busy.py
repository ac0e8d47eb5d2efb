"""A busy account is waited for in one queue: few requests, in order of arrival, each caller as long as they wait."""

import asyncio
from typing import Any

import pytest

from kolors_mcp.jobs import queue
from kolors_mcp.jobs.queue import BUSY_RETRY, MIN_BUSY_SECONDS, Place, SendQueue
from kolors_mcp.ledger.ledger import Ledger
from kolors_mcp.sandbox import faults
from kolors_mcp.server.request import MAX_SILENT_CALL_SECONDS
from tests.support.still_time import turn, until
from tests.support.wishing import MINUTE, Said, World

pytestmark = pytest.mark.anyio
CALLERS = 40
AT_ONCE = 8
"""Creates under way together here; fewer than there really may be, so that some wait."""
TODAY = "slots of this account are busy (code 1303). No task was created. Try again in about 30 seconds."


@pytest.fixture(autouse=True)
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "MAX_SENDS_AT_ONCE", AT_ONCE)


@pytest.fixture
def arrived(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The references of creates in the order in which they came to the queue's end."""
    references: list[str] = []
    reserve, enter = Ledger.reserve, SendQueue.enter
    by_user: list[str] = []

    async def noted(self: Ledger, *args: Any, **more: Any) -> Any:
        made = await reserve(self, *args, **more)
        by_user.append(made.job.reference)
        return made

    def entered(self: SendQueue, *args: Any) -> Any:
        references.append(by_user[len(references)])
        return enter(self, *args)

    monkeypatch.setattr(Ledger, "reserve", noted)
    monkeypatch.setattr(SendQueue, "enter", entered)
    return references


@pytest.fixture
def held_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time passes only when all that were under way together have been refused, however late their answers come."""
    refused = list[int]()
    really, passes = getattr(SendQueue, "_refused"), world.time.sleep  # noqa: B009  (private to its class)

    def noted(self: SendQueue, place: Place, error: Any) -> None:
        refused.append(place.number)
        really(self, place, error)

    async def sleep(seconds: float) -> None:
        await until(lambda: len(refused) >= AT_ONCE)
        await passes(seconds)

    monkeypatch.setattr(SendQueue, "_refused", noted)
    monkeypatch.setattr(world.time, "sleep", sleep)


def colour(number: int) -> str:
    # Colours that are nearer to each other come to the same bytes.
    return f"#{12 * (number % 20):02x}{12 * (number // 20):02x}44"


async def wish_for_all(
    world: World, arrived: list[str], *, wait_seconds: float, callers: int = CALLERS, refusals: int | None = None
) -> list[Said]:
    """Let all callers create something of their own; the first answer comes when all of them are there.

    So many more are refused then, None: all.
    """
    busy = faults.Refuse(1303)
    world.kling.faults.next_create(faults.Slow(MINUTE, then=busy), times=AT_ONCE)
    world.kling.faults.next_create(busy, times=refusals)
    async with world.server(lambda _line: None) as assistant, asyncio.TaskGroup() as group:
        tasks = [group.create_task(assistant.create(colour(n), wait_seconds=wait_seconds)) for n in range(callers)]
        await until(lambda: len(arrived) == callers)
        await asyncio.to_thread(world.kling.clock.wait_for_sleepers, AT_ONCE)
        world.kling.clock.advance(MINUTE)
    return [task.result() for task in tasks]


@pytest.mark.usefixtures("held_time")
async def test_many_callers_ask_a_busy_account_a_few_times_and_all_are_told_what_it_says(
    world: World, arrived: list[str]
) -> None:
    said = await wish_for_all(world, arrived, wait_seconds=30)
    assert all(one.nothing_created and TODAY in one.text for one in said)
    # Those that were under way together, and then one at a time.
    assert world.posts <= AT_ONCE + 4
    # Before they are told it is seen whether it came to something all the same.
    assert sum(world.time.slept) <= 30 + MIN_BUSY_SECONDS


@pytest.mark.usefixtures("held_time")
async def test_when_the_account_is_free_all_follow_in_the_order_of_their_arrival(
    world: World, arrived: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sending, sent = SendQueue.sending, list[int]()

    def noted(self: SendQueue, place: Place) -> Any:
        sent.append(place.number)
        return sending(self, place)

    monkeypatch.setattr(SendQueue, "sending", noted)
    # Whoever waits for a result turns the clock on, for all.
    world.kling.rules.finished_seconds = 0
    said = await wish_for_all(world, arrived, wait_seconds=300, callers=20, refusals=3)
    assert [one.is_error for one in said] == [False] * 20
    assert world.posts == 20 + AT_ONCE + 3
    assert sorted(arrived) == sorted(task.request.external_task_id or "" for task in world.kling.tasks.all)
    assert sent[:AT_ONCE] == list(range(1, AT_ONCE + 1))
    assert sent[AT_ONCE:] == [1, 1, 1, *range(1, 21)], "the first of all asks until it may, and then the others follow"


async def test_the_waits_grow_and_are_never_shorter_than_kling_asks_for(world: World) -> None:
    for _ in range(2):
        world.kling.faults.next_create(faults.Refuse(1303))
    world.kling.faults.next_create(faults.Refuse(1302, retry_after="25"))
    async with world.server(lambda _line: None) as assistant:
        assert not (await assistant.create(wait_seconds=90)).is_error
    first, second, third = world.time.slept[:3]
    assert MIN_BUSY_SECONDS <= first < second <= MIN_BUSY_SECONDS + BUSY_RETRY.max_seconds
    assert third >= 25


async def test_who_does_not_wait_is_told_at_once_while_others_wait_and_is_tried_when_nobody_does(world: World) -> None:
    world.kling.faults.next_create(faults.Refuse(1303))
    waiting, go_on = asyncio.Event(), asyncio.Event()

    async def pause(seconds: float) -> None:
        waiting.set()
        await go_on.wait()
        world.time.now += seconds

    world.time.sleep = pause  # pyright: ignore[reportAttributeAccessIssue]  (the pause ends when the test says so)
    async with world.server(lambda _line: None) as assistant, asyncio.TaskGroup() as group:
        patient = group.create_task(assistant.create(colour(0), wait_seconds=60))
        await waiting.wait()
        assert TODAY in (await assistant.create(colour(1))).text
        assert world.posts == 1, "one request has shown that the account is busy"
        go_on.set()
        await patient
        assert patient.result().try_on
        world.time.now += 1
        assert (await assistant.create(colour(1))).try_on
    assert world.posts == 3


@pytest.mark.usefixtures("held_time")
async def test_each_waits_no_longer_than_they_said(world: World, arrived: list[str]) -> None:
    """The account says to come back in twenty seconds: who waits for ten is told what it says, the others are not."""
    busy = faults.Refuse(1303, retry_after="20")
    world.kling.faults.next_create(faults.Slow(MINUTE, then=busy), times=AT_ONCE)
    async with world.server(lambda _line: None) as assistant, asyncio.TaskGroup() as group:
        calls = [
            group.create_task(assistant.create(colour(number), wait_seconds=wait))
            for number, wait in enumerate([200, *[90, 10] * 9])
        ]
        await until(lambda: len(arrived) == len(calls))
        await asyncio.to_thread(world.kling.clock.wait_for_sleepers, AT_ONCE)
        world.kling.clock.advance(MINUTE)
    assert [call.result().is_error for call in calls] == [False, *[False, True] * 9]


async def test_who_has_no_turn_because_others_hang_is_told_that_nothing_was_created(
    world: World, arrived: list[str]
) -> None:
    world.kling.faults.next_create(faults.Slow(1e6), times=None)
    async with world.server() as assistant, asyncio.TaskGroup() as group:
        calls = [group.create_task(assistant.create(colour(n))) for n in range(AT_ONCE + 1)]
        await asyncio.to_thread(world.kling.clock.wait_for_sleepers, AT_ONCE)
        await until(lambda: len(arrived) == len(calls))
        turn(MAX_SILENT_CALL_SECONDS - 1)
        await until(lambda: any(call.done() for call in calls))
        [said] = [call.result() for call in calls if call.done()]
        assert said.nothing_created
        assert "did not have its turn" in said.text
        turn(MINUTE)
    assert sum(call.result().in_doubt for call in calls) == AT_ONCE
    assert world.posts == AT_ONCE


async def test_a_caller_who_leaves_the_queue_lets_the_next_one_through(world: World) -> None:
    world.kling.faults.next_create(faults.Refuse(1303))
    waiting, go_on = asyncio.Event(), asyncio.Event()

    async def pause(seconds: float) -> None:
        waiting.set()
        await go_on.wait()
        world.time.now += seconds

    world.time.sleep = pause  # pyright: ignore[reportAttributeAccessIssue]  (the pause ends when the test says so)
    lines: list[str] = []
    async with world.server(lines.append) as assistant, asyncio.TaskGroup() as group:
        first = group.create_task(assistant.create(colour(0), wait_seconds=60))
        await waiting.wait()
        second = group.create_task(assistant.create(colour(1), wait_seconds=60))
        await until(lambda: sum("Trying again" in line for line in lines) == 2)
        first.cancel()
        await asyncio.wait((first,))
        go_on.set()
        assert (await second).try_on
    assert world.posts == 2
    assert world.kling.tasks_created == 1
