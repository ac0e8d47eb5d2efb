"""Whoever waits for a try-on that Kling cannot tell about is told what is wrong, and that the try-on goes on."""

import asyncio

import pytest

from kolors_mcp.sandbox import faults
from kolors_mcp.server.request import MAX_SILENT_CALL_SECONDS
from tests.support.still_time import turn
from tests.support.wishing import World

pytestmark = pytest.mark.anyio

GOES_ON = "The try-on goes on at Kling."
OUTAGES: dict[str, tuple[faults.Fault, str]] = {
    "maintenance": (faults.Refuse(5001), "Kling is under maintenance (code 5001; request id"),
    "a gateway": (faults.Raw(503), "Kling answered HTTP 503 with something that is not JSON."),
    "no connection": (faults.Disconnect(), "The connection to Kling ended without an answer"),
    "denied": (faults.Refuse(1203), "Kling does not show this try-on just now."),
}


@pytest.mark.parametrize(("fault", "why"), OUTAGES.values(), ids=OUTAGES)
async def test_an_outage_during_a_wait_keeps_the_id_and_is_told_in_the_answer(
    world: World, fault: faults.Fault, why: str
) -> None:
    world.kling.faults.next_read(fault, times=None)
    async with world.server() as assistant:
        made = (await assistant.create(wait_seconds=30)).try_on
    assert made.task_id == world.kling.tasks.all[0].id
    assert made.status == "submitted"
    assert (made.status_message or "").startswith(why)
    assert (made.status_message or "").endswith(GOES_ON)


async def test_what_was_ridden_out_is_not_told(world: World) -> None:
    world.kling.rules.finished_seconds = 10_000
    world.kling.faults.next_read(faults.Refuse(1203), times=1)
    async with world.server() as assistant:
        made = (await assistant.create(wait_seconds=30)).try_on
    assert (made.status, made.status_message) == ("processing", None)


async def test_a_kling_that_hangs_while_somebody_waits_is_told_of(world: World) -> None:
    world.kling.faults.next_read(faults.Slow(1e6), times=None)
    async with world.server() as assistant, asyncio.TaskGroup() as group:
        asking = group.create_task(assistant.create(wait_seconds=20))
        await asyncio.to_thread(world.kling.clock.wait_for_sleepers)
        world.time.now += 18
        turn(MAX_SILENT_CALL_SECONDS)
        made = (await asking).try_on
    assert made.status_message == f"Kling has not said for 18 seconds how it stands. {GOES_ON}"
