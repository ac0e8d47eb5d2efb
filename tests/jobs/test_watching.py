"""Reads of a task that several calls share: one with more time is not told of another's, and none outlives them all."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from kolors_mcp import errors
from kolors_mcp.clock import Clock, Deadline
from kolors_mcp.jobs.watching import Watching
from kolors_mcp.kling.task import Task
from tests.support.making import TurnedClock
from tests.support.still_time import idle

pytestmark = pytest.mark.anyio

TASK = Task("842", None, "processing", None)


class Kling:
    """Answers each read of a task as a test says."""

    def __init__(self, answer: Callable[[int], Awaitable[Task]]) -> None:
        self.asked = 0
        self._answer = answer

    async def read(self, _task_id: str, deadline: Deadline) -> Task:
        assert deadline.left() > 0
        self.asked += 1
        return await self._answer(self.asked)


def watching(kling: Kling, clock: Clock) -> Watching:
    return Watching(cast("Any", kling), clock)


async def test_a_read_that_fails_for_a_call_with_little_time_is_begun_anew_for_one_with_more() -> None:
    fails = asyncio.Event()

    async def answer(number: int) -> Task:
        if number == 1:
            await fails.wait()
            raise errors.ConnectionLostError("Kling did not answer within 1 seconds", "Try again.")
        return TASK

    kling, clock = Kling(answer), TurnedClock().clock()
    place = watching(kling, clock)
    with place.watcher() as hasty, place.watcher() as other:
        first = asyncio.create_task(hasty.read(TASK.id, clock.deadline(1)))
        await idle()
        second = asyncio.create_task(other.read(TASK.id, clock.deadline(30)))
        await idle()
        fails.set()
        with pytest.raises(errors.ConnectionLostError):
            await first
        assert await second == TASK
    assert kling.asked == 2


async def test_a_read_ends_with_the_last_call_that_watches_the_task() -> None:
    ended: list[str] = []

    async def answer(_number: int) -> Task:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("ended")
        return TASK

    clock = TurnedClock().clock()
    place = watching(Kling(answer), clock)
    with place.watcher() as last:
        with place.watcher() as first:
            reads = [asyncio.create_task(one.read(TASK.id, clock.deadline(30))) for one in (first, last)]
            await idle()
            reads[0].cancel()
        await idle()
        assert ended == []
        reads[1].cancel()
    await idle()
    assert ended == ["ended"]
