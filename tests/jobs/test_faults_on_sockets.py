"""Where exactly a connection breaks while a create goes over it decides whether it may be sent again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from kolors_mcp.jobs.sending import Sending
from kolors_mcp.kling.try_on import MAX_CREATE_SECONDS
from kolors_mcp.sandbox import faults
from kolors_mcp.server.request import MAX_SILENT_CALL_SECONDS
from tests.support.gateways import (
    Breaks,
    Gateway,
    end_before_the_answer,
    end_within_the_body,
    gateway,
    no_http_for_an_answer,
    page_within_the_body,
    reset_after_the_body,
    reset_before_the_answer,
    reset_before_the_body,
    reset_within_the_answer,
    reset_within_the_body,
    sent_twice,
    stall_before_the_answer,
    stall_within_the_answer,
    stall_within_the_body,
)
from tests.support.still_time import turn, until
from tests.support.wishing import World, found_by, garment, naively

pytestmark = pytest.mark.anyio


@pytest.fixture
async def wall(world: World) -> AsyncIterator[Gateway]:
    async with gateway(world.kling.origin) as made:
        world.base = made.origin
        yield made


def unmoved(_text: str) -> None:
    """Hear of the progress: who hears of it can wait as long as it takes."""


BEFORE = (reset_before_the_body, reset_within_the_body, end_within_the_body, page_within_the_body)


AFTER = (
    reset_before_the_answer,
    end_before_the_answer,
    reset_within_the_answer,
    stall_before_the_answer,
    stall_within_the_answer,
    no_http_for_an_answer,
)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture that the buffers of the gateway's sockets do not hold, by a factor of five."""
    path = tmp_path_factory.mktemp("large") / "person.png"
    Image.effect_noise((1500, 1000), 120).save(path, compress_level=0)
    return path


@pytest.mark.parametrize("fault", [*BEFORE, stall_within_the_body], ids=lambda fault: fault.__name__)
async def test_a_create_that_breaks_before_its_last_byte_has_created_nothing(
    world: World, wall: Gateway, large: Path, fault: Breaks
) -> None:
    wall.faults.extend([fault] * 3)
    pictures = {"human_image": str(large), "cloth_image": garment("navy")}
    async with world.server(unmoved, image_dirs=(large.parent,)) as assistant:
        first = await assistant.call("create_try_on", **pictures)
        assert first.nothing_created, first
        # What cannot be there may be sent again; whether the page is read before the hang-up is a matter of luck.
        assert wall.creates == 3 or fault is page_within_the_body
        wall.faults.clear()
        assert not (await assistant.call("create_try_on", **pictures)).try_on.reused
    assert world.kling.tasks_created == 1


async def test_a_create_that_breaks_once_within_its_body_is_sent_again_and_paid_once(
    world: World, wall: Gateway, large: Path
) -> None:
    wall.faults.append(reset_within_the_body)
    async with world.server(image_dirs=(large.parent,)) as assistant:
        said = await assistant.call("create_try_on", human_image=str(large), cloth_image=garment("navy"))
    assert said.try_on.status == "submitted"
    assert (wall.creates, world.kling.tasks_created) == (2, 1)


@pytest.mark.parametrize("fault", AFTER, ids=lambda fault: fault.__name__)
async def test_a_create_that_breaks_after_its_last_byte_is_found(world: World, wall: Gateway, fault: Breaks) -> None:
    wall.faults.append(fault)
    said = await naively(world, unmoved)
    [task] = world.kling.tasks.all
    assert {one.try_on.task_id for one in said} == {task.id}
    assert wall.creates == 1


async def test_a_reset_right_after_the_last_byte_is_a_doubt(world: World, wall: Gateway) -> None:
    wall.faults.append(reset_after_the_body)
    said = await naively(world)
    assert all(one.in_doubt for one in said)
    assert wall.creates == 1


async def test_a_slow_first_byte_is_waited_for(world: World, wall: Gateway) -> None:
    world.kling.faults.next_create(faults.Slow(30, when="after_acceptance"))
    async with world.server() as assistant, AsyncExitStack() as stack:
        group = await stack.enter_async_context(asyncio.TaskGroup())
        creating = group.create_task(assistant.create())
        await asyncio.to_thread(world.kling.clock.wait_for_sleepers)
        world.kling.clock.advance(30)
    assert creating.result().try_on.task_id == world.kling.tasks.all[0].id
    assert wall.creates == 1


@pytest.mark.parametrize("external_ids", ["refuse", "return_first"])
async def test_a_proxy_that_sends_the_create_twice_costs_nothing_where_references_are_unique(
    world: World, wall: Gateway, external_ids: Any
) -> None:
    world.kling.rules.external_ids = external_ids
    wall.faults.append(sent_twice)
    said = await naively(world)
    assert {one.try_on.task_id for one in said} == {task.id for task in world.kling.tasks.all}
    assert (wall.creates, world.kling.tasks_created) == (1, 1)


async def test_a_caller_who_has_no_more_time_is_told_the_reference_and_the_outcome_is_not_lost(
    world: World, wall: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kolors_mcp.jobs.sending.LAST_SENDS_SECONDS", 0)
    waiting, outcome = 0, Sending.outcome

    async def counted(*arguments: Any, **more: Any) -> Any:
        nonlocal waiting
        waiting += 1
        return await outcome(*arguments, **more)

    monkeypatch.setattr(Sending, "outcome", counted)
    wall.faults.append(stall_before_the_answer)
    wall.seconds = MAX_SILENT_CALL_SECONDS
    assert MAX_SILENT_CALL_SECONDS < MAX_CREATE_SECONDS / 3
    async with world.server() as assistant:
        said = await assistant.create()
        assert said.in_doubt
        assert "still being sent" in said.text
        async with asyncio.TaskGroup() as group:
            asking = [group.create_task(assistant.create()), group.create_task(assistant.get(said.reference))]
            await until(lambda: waiting == 3)
            world.time.now += MAX_SILENT_CALL_SECONDS
            turn(MAX_SILENT_CALL_SECONDS)
        assert asking[0].result().reference == said.reference
        assert asking[1].result().in_doubt
    # The server that sent it is gone, with its last seconds; the next one finds the task.
    found = await found_by(world, said.reference)
    assert found.try_on.task_id == world.kling.tasks.all[0].id
    assert wall.creates == 1
