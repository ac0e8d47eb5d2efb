"""What a busy account took although it said no (1302, 1303) is found where Kling shows it, and paid for once."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from kolors_mcp.jobs.send import DOUBT_SECONDS
from kolors_mcp.ledger.job import LookFirstError, NewJob, Reservation
from kolors_mcp.ledger.ledger import Ledger
from kolors_mcp.sandbox import faults
from tests.support.busy_but_taken import LAG_SECONDS, TAKEN, shown_in_list_only, the_task
from tests.support.wishing import MINUTE, Assistant, Said, World

pytestmark = pytest.mark.anyio

AWAY = faults.Refuse(5001)
"""What Kling says while it is down."""


def lists(world: World) -> int:
    return sum(seen.path.endswith("/kolors-virtual-try-on") and seen.method == "GET" for seen in world.kling.requests)


@pytest.mark.parametrize("wait_seconds", [0, 5])
async def test_who_does_not_wait_is_told_of_the_task_that_a_lagging_list_shows_some_seconds_later(
    world: World, wait_seconds: float
) -> None:
    shown_in_list_only(world, lag=LAG_SECONDS)
    world.kling.faults.next_create(TAKEN)
    async with world.server() as assistant:
        first = (await assistant.create(wait_seconds=wait_seconds)).try_on
        second = (await assistant.create()).try_on
    assert {first.task_id, second.task_id} == {the_task(world)[0]}
    assert world.posts == 1


async def test_who_is_refused_while_kling_cannot_be_asked_is_told_of_a_doubt_until_it_can(world: World) -> None:
    shown_in_list_only(world)
    world.kling.faults.next_create(TAKEN)
    world.kling.faults.next_list(AWAY, times=None)
    async with world.server() as assistant:
        said = await assistant.create()
        assert said.in_doubt
        assert "now Kling cannot be asked whether that stands" in said.text
        task_id, reference = the_task(world)
        assert (await assistant.get(reference)).in_doubt
        world.kling.faults.clear()
        assert (await assistant.get(reference)).try_on.task_id == task_id
    assert world.posts == 1


async def test_a_kling_that_would_make_a_second_task_is_not_sent_what_its_list_shows(world: World) -> None:
    shown_in_list_only(world, external_ids="make_second")
    world.kling.faults.next_create(TAKEN)
    async with world.server() as assistant:
        made = (await assistant.create(wait_seconds=60)).try_on
    assert made.task_id == the_task(world)[0]
    assert world.posts == 1


async def test_what_a_kling_hides_for_some_seconds_is_not_sent_again_before_it_shows(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when chance makes the pause as short as it gets."""
    shortest = replace(world.time.clock(), jitter=lambda: 0.0)
    monkeypatch.setattr(world.time, "clock", lambda: shortest)
    shown_in_list_only(world, lag=DOUBT_SECONDS - 0.5, external_ids="make_second")
    world.kling.faults.next_create(TAKEN)
    async with world.server() as assistant:
        made = (await assistant.create(wait_seconds=60)).try_on
    assert made.task_id == the_task(world)[0]
    assert world.posts == 1


async def test_while_kling_cannot_be_asked_nothing_is_sent_again_and_later_it_is_found(world: World) -> None:
    shown_in_list_only(world, external_ids="make_second")
    world.kling.faults.next_create(TAKEN)
    world.kling.faults.next_list(AWAY, times=6)
    async with world.server() as assistant:
        made = (await assistant.create(wait_seconds=120)).try_on
    assert made.task_id == the_task(world)[0]
    assert world.posts == 1


async def test_a_list_that_this_kling_does_not_have_keeps_nothing_from_being_sent_again(world: World) -> None:
    world.kling.faults.next_create(faults.Refuse(1303))
    world.kling.faults.next_list(faults.Refuse(1202), times=None)
    async with world.server() as assistant:
        assert (await assistant.create(wait_seconds=60)).try_on
    assert world.posts == 2


async def told_that_nothing_was_created(world: World, assistant: Assistant) -> Said:
    """Lag for so long that the create is told to have come to nothing."""
    shown_in_list_only(world, lag=20 * DOUBT_SECONDS)
    world.kling.faults.next_create(TAKEN)
    said = await assistant.create()
    assert said.nothing_created
    assert "code 1303" in said.text
    return said


async def test_what_shows_only_later_is_found_by_its_reference(world: World) -> None:
    async with world.server() as assistant:
        await told_that_nothing_was_created(world, assistant)
        task_id, reference = the_task(world)
        assert (await assistant.get(reference)).nothing_created
        world.time.now += 3 * MINUTE
        assert (await assistant.get(reference)).try_on.task_id == task_id
        assert (await assistant.create()).try_on.reused, "as the ledger has it now"
    assert world.posts == 1


async def test_what_shows_only_later_is_written_down_when_it_is_seen_in_the_list(world: World) -> None:
    async with world.server() as assistant:
        await told_that_nothing_was_created(world, assistant)
        world.time.now += 3 * MINUTE
        assert [one.task_id for one in (await assistant.list()).page.try_ons] == [the_task(world)[0]]
        assert (await assistant.create()).try_on.task_id == the_task(world)[0]
    assert world.posts == 1


async def test_what_is_refused_while_an_earlier_refusal_is_looked_for_is_looked_for_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process sends the same meanwhile, and is told that the account is busy by a Kling that takes it."""
    reserve = Ledger.reserve
    async with world.server() as assistant:
        await told_that_nothing_was_created(world, assistant)
        task_id, taken = the_task(world)
        world.time.now += 3 * MINUTE
        references: list[str] = []

        async def reserved(ledger: Ledger, new: NewJob, **more: Any) -> Reservation:
            try:
                return await reserve(ledger, new, **more)
            except LookFirstError as error:
                references.extend(job.reference for job in error.refused)
                if len(references) == 1:
                    other = replace(new, reference="k-other")
                    settled = replace(more["refusals"], looked_for={taken})
                    await reserve(ledger, other, daily_limit=None, refusals=settled)
                    assert await ledger.mark_posting("k-other", 1)
                    await ledger.refused("k-other", 1303)
                raise

        monkeypatch.setattr(Ledger, "reserve", reserved)
        [task] = world.kling.tasks.all
        monkeypatch.setattr(task, "request", replace(task.request, external_task_id="k-other"))
        again = (await assistant.create()).try_on
    assert references == [taken, "k-other"]
    assert (again.task_id, again.reused, again.reference) == (task_id, True, "k-other")
    assert world.posts == 1


async def test_what_shows_only_later_is_found_before_the_same_is_paid_for_again(world: World) -> None:
    async with world.server() as assistant:
        await told_that_nothing_was_created(world, assistant)
        world.time.now += 3 * MINUTE
    async with world.server() as assistant:
        again = (await assistant.create()).try_on
    assert (again.task_id, again.reused) == (the_task(world)[0], True)
    assert world.posts == 1


async def test_a_refusal_that_was_true_costs_the_next_call_one_look_and_no_wait_and_no_task(world: World) -> None:
    world.kling.faults.next_create(faults.Refuse(1303))
    async with world.server() as assistant:
        assert (await assistant.create()).nothing_created
        before, at = lists(world), world.time.now
        assert not (await assistant.create()).try_on.reused
        assert (lists(world) - before, world.time.now - at) == (1, 0)
    assert (world.posts, world.kling.tasks_created) == (2, 1)


async def test_while_kling_cannot_be_asked_the_same_is_a_doubt_unless_it_is_wanted_anew(world: World) -> None:
    async with world.server() as assistant:
        await told_that_nothing_was_created(world, assistant)
        world.kling.faults.next_list(AWAY, times=None)
        again = await assistant.create()
        assert again.in_doubt
        assert again.reference == the_task(world)[1]
        assert world.posts == 1
        assert not (await assistant.create(new_render=True)).try_on.reused
    assert world.kling.tasks_created == 2


async def test_what_was_never_sent_is_not_looked_for(world: World) -> None:
    world.kling.faults.next_create(faults.Refuse(1303), times=None)
    waiting, go_on = asyncio.Event(), asyncio.Event()
    passes = world.time.sleep

    async def pause(seconds: float) -> None:
        waiting.set()
        await go_on.wait()
        await passes(seconds)

    world.time.sleep = pause  # pyright: ignore[reportAttributeAccessIssue]  (the pause ends when the test says so)
    async with world.server() as assistant, asyncio.TaskGroup() as group:
        group.create_task(assistant.create(wait_seconds=60))
        await waiting.wait()
        for _ in range(3):
            assert (await assistant.create("#224488")).nothing_created
        assert (world.posts, lists(world)) == (1, 0)
        go_on.set()
