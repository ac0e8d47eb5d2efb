"""A doubt ends as soon as Kling shows the task, whatever call comes upon it, and is looked for no more than need be."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from kolors_mcp.jobs.background import Background
from kolors_mcp.sandbox import faults
from tests.support.wishing import MINUTE, World, naively

pytestmark = pytest.mark.anyio

LATE = {
    "answers without task_info": {"shows_external_ids": False},
    "a list that lags": {"list_lag_seconds": 3600.0},
    "a list without references": {"list_shows_external_ids": False},
    "a list that lags, and a not-found that is not true": {"list_lag_seconds": 30.0, "not_found_reads": 30},
    "a not-found that is not true, as an odd task": {"not_found_reads": 30, "unknown_task_code": None},
    "a list without references, and a not-found": {"list_shows_external_ids": False, "not_found_reads": 30},
    "ids that are numbers": {"task_ids_as_numbers": True},
}


@pytest.mark.parametrize("rules", LATE.values(), ids=LATE)
async def test_a_paid_task_that_kling_hides_for_a_while_is_found_as_soon_as_it_shows(
    world: World, rules: dict[str, Any]
) -> None:
    # The upstream at which a second create would cost the most.
    world.kling.rules = replace(world.kling.rules, external_ids="make_second", **rules)
    world.kling.faults.next_create(faults.Disconnect("after_acceptance"))
    said = await naively(world)
    [task] = world.kling.tasks.all
    for one in said:
        assert one.in_doubt or one.try_on.task_id == task.id
        assert one.is_error or one.try_on.status != "failed"
    task.denied_reads = 0
    world.time.now += MINUTE
    reference = task.request.external_task_id or ""
    async with world.server() as assistant:
        assert (await assistant.get(reference)).try_on.task_id == task.id
        repeated = (await assistant.create()).try_on
        assert (repeated.task_id, repeated.reused) == (task.id, True)


async def test_a_later_list_finds_what_was_in_doubt_and_says_its_reference(world: World) -> None:
    world.kling.rules.not_found_reads = 1000
    world.kling.rules.list_lag_seconds = 30
    world.kling.faults.next_create(faults.Raw(504, accepted=True))
    async with world.server() as assistant:
        doubt = await assistant.create()
        assert doubt.in_doubt
        world.time.now += MINUTE
        [row] = (await assistant.list()).page.try_ons
        assert row.reference == doubt.reference
        assert row.task_id == world.kling.tasks.all[0].id
        # Written down: reads by reference are denied still, and it is found all the same.
        world.kling.tasks.all[0].denied_reads = 0
        assert (await assistant.get(doubt.reference)).try_on.task_id == row.task_id


async def test_a_read_by_klings_id_that_shows_our_reference_ends_the_doubt_and_says_what_is_known_of_it(
    world: World,
) -> None:
    world.kling.rules.not_found_reads = 1000
    world.kling.rules.list_lag_seconds = 1e6
    world.kling.faults.next_create(faults.Raw(504, accepted=True))
    async with world.server() as assistant:
        doubt = await assistant.create()
        assert doubt.in_doubt
        [task] = world.kling.tasks.all
        task.denied_reads = 0
        seen = (await assistant.get(task.id)).try_on
        task.denied_reads = 10**9
        again = (await assistant.create()).try_on
    assert (seen.reference, again.task_id, again.reused) == (doubt.reference, task.id, True)
    assert seen.notes == again.notes
    assert world.posts == 1


async def test_the_latest_try_ons_as_kling_lists_them_end_a_doubt_too(world: World) -> None:
    world.kling.rules.not_found_reads = 1000
    world.kling.rules.list_lag_seconds = 30
    async with world.server() as assistant:
        assert (await assistant.create("navy")).try_on
        world.kling.faults.next_create(faults.Raw(504, accepted=True))
        assert (await assistant.create()).in_doubt
        world.time.now += MINUTE
        await assistant.client.read_resource("tryon://recent")
        world.kling.rules.list_lag_seconds = 1e6
        again = (await assistant.create()).try_on
    assert (again.task_id, again.reused) == (world.kling.tasks.all[1].id, True)


@pytest.mark.parametrize("new_render", [False, True])
async def test_a_doubt_that_turns_up_when_the_same_is_asked_for_is_the_answer_however_long_ago_it_ended(
    world: World, monkeypatch: pytest.MonkeyPatch, new_render: bool
) -> None:
    def asleep(_background: Background) -> None:
        """Leave it to the call to find it."""

    monkeypatch.setattr(Background, "wake", asleep)
    world.kling.rules.not_found_reads = 10**9
    world.kling.rules.list_lag_seconds = 30 * MINUTE
    world.kling.faults.next_create(faults.Raw(504, accepted=True))
    async with world.server() as assistant:
        assert (await assistant.create(new_render=new_render)).in_doubt
        world.time.now += 31 * MINUTE
        again = (await assistant.create(new_render=new_render)).try_on
    assert (again.task_id, again.reused, again.status) == (world.kling.tasks.all[0].id, True, "succeed")
    assert world.posts == 1


async def test_a_task_that_never_turns_up_again_is_not_asked_for_in_vain_on_every_call(world: World) -> None:
    world.kling.faults.next_create(faults.Disconnect())
    async with world.server() as assistant:
        assert (await assistant.create()).in_doubt
        asked = len(world.kling.requests)
        for _ in range(10):
            await assistant.list()
        assert len(world.kling.requests) - asked <= 12


@pytest.mark.parametrize("external_ids", ["unknown", "ignore"])
async def test_where_kling_knows_no_references_a_lost_answer_is_a_doubt_that_the_list_resolves(
    world: World, external_ids: Any
) -> None:
    world.kling.rules.external_ids = external_ids
    async with world.server() as assistant:
        if external_ids == "unknown":
            assert "can be repeated now" in (await assistant.create("navy")).text
        plain = (await assistant.create("navy")).try_on
        assert plain.reference is not None
        assert (await assistant.get(plain.reference)).try_on.task_id == plain.task_id, "the ledger knows it"
        world.kling.faults.next_create(faults.Disconnect("after_acceptance"))
        said = [await assistant.create() for _ in range(4)]
    async with world.server() as assistant:
        said.append(await assistant.create())
        assert all(one.in_doubt and "list_try_ons" in one.text for one in said), said
        assert len({one.reference for one in said}) == 1
        if external_ids == "unknown":
            assert "only list_try_ons can show it" in said[0].text
        rows = (await assistant.list()).page.try_ons
        assert {row.task_id for row in rows} == {task.id for task in world.kling.tasks.all}
    assert world.kling.tasks_created == 2


@dataclass(frozen=True)
class Echo(faults.Altered):
    """Name the tasks of a list as we called them."""

    def alter(self, envelope: dict[str, Any]) -> None:
        for row in envelope["data"]:
            row["task_id"] = row["task_info"]["external_task_id"]


async def test_a_list_that_only_repeats_our_reference_settles_no_doubt(world: World) -> None:
    world.kling.rules.not_found_reads = 10**9
    world.kling.rules.list_lag_seconds = 30
    world.kling.faults.next_create(faults.Raw(504, accepted=True))
    async with world.server() as assistant:
        doubt = await assistant.create()
        assert doubt.in_doubt
        world.time.now += MINUTE
        world.kling.faults.next_list(Echo(), times=1)
        [row] = (await assistant.list()).page.try_ons
        assert row.task_id == doubt.reference
        [row] = (await assistant.list()).page.try_ons
        assert (await assistant.get(doubt.reference)).try_on.task_id == row.task_id == world.kling.tasks.all[0].id


async def test_a_doubt_that_is_waited_for_is_asked_about_every_two_seconds(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asleep(_background: Background) -> None:
        """Leave it to the call to look."""

    monkeypatch.setattr(Background, "wake", asleep)
    world.kling.rules.not_found_reads = 10**9
    world.kling.rules.list_lag_seconds = 30 * MINUTE
    world.kling.faults.next_create(faults.Raw(504, accepted=True))
    async with world.server() as assistant:
        doubt = await assistant.create()
        before, now = len(world.kling.requests), world.time.now
        assert (await assistant.get(doubt.reference, wait_seconds=20)).in_doubt
        asked = [request.path for request in list(world.kling.requests)[before:]]
        assert 19 < world.time.now - now <= 20
    assert sum(path.endswith(doubt.reference) for path in asked) in (10, 11)
