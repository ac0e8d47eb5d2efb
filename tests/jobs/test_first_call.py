"""The first call of a process is answered as soon as any other, loading included."""

import asyncio
import threading
from typing import Any

import pytest

from kolors_mcp.server import service
from kolors_mcp.server.request import MAX_SILENT_CALL_SECONDS
from tests.support.still_time import turn
from tests.support.wishing import World

pytestmark = pytest.mark.anyio
load = service._load_types  # pyright: ignore[reportPrivateUsage]


async def test_the_time_that_loading_takes_is_taken_from_the_first_calls_wait(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.kling.rules.finished_seconds = 10_000
    async with world.server() as assistant:
        made = (await assistant.create()).try_on

    def slowly() -> Any:
        world.time.now += MAX_SILENT_CALL_SECONDS - 12
        return load()

    monkeypatch.setattr(service, "_load_types", slowly)
    async with world.server() as assistant:
        arrived = world.time.now
        assert (await assistant.get(made.task_id, wait_seconds=300)).try_on.status == "processing"
        assert world.time.now - arrived == pytest.approx(MAX_SILENT_CALL_SECONDS, abs=5)
        assert (await assistant.get(made.task_id, wait_seconds=300)).try_on.task_id == made.task_id
        assert world.time.now - arrived > 1.5 * MAX_SILENT_CALL_SECONDS, "the second has its whole time"


async def test_what_does_not_load_in_time_is_an_answer_and_serves_the_next_call(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading, loaded = threading.Event(), threading.Event()
    loads: list[int] = []

    def slowly() -> Any:
        loads.append(1)
        loading.set()
        assert loaded.wait(100)
        return load()

    monkeypatch.setattr(service, "_load_types", slowly)
    async with world.server() as assistant, asyncio.TaskGroup() as group:
        first = group.create_task(assistant.create())
        await asyncio.to_thread(loading.wait, 100)
        turn(MAX_SILENT_CALL_SECONDS)
        said = await first
        assert said.is_error
        assert "still starting. Nothing was sent." in said.text
        assert world.posts == 0
        loaded.set()
        assert (await assistant.create()).try_on
    assert loads == [1]
    assert world.posts == 1


async def test_calls_that_arrive_while_it_is_opened_share_one_account(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[int] = []

    def counted() -> Any:
        loads.append(1)
        return load()

    monkeypatch.setattr(service, "_load_types", counted)
    async with world.server() as assistant, asyncio.TaskGroup() as group:
        for _ in range(60):
            group.create_task(assistant.create())
    assert loads == [1]
    assert world.posts == 1
