"""The loop that waits for a job: when it reads, when it stops, what it tells, and that no other file has one."""

import ast
import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from kolors_mcp.jobs.waiting import wait_for_job
from tests.support.making import TurnedClock
from tests.support.package import MODULES, tree_of

pytestmark = pytest.mark.anyio


class Line:
    """A job in a line: with each read one less is before it."""

    def __init__(self) -> None:
        self.time = TurnedClock()
        self.told: list[str] = []
        self.read_at: list[float] = []
        self.began = self.time.now

    async def read(self, before: int) -> int:
        self.read_at.append(self.time.now - self.began)
        return before - 1

    async def stand(
        self, before: int, seconds: float, *, pause_seconds: float = 1.0, woken: asyncio.Event | None = None
    ) -> int:
        return await wait_for_job(
            before,
            self.read,
            lambda left: left == 0,
            self.time.clock().deadline(seconds),
            pause_seconds=pause_seconds,
            woken=woken,
            tell=lambda left: self.told.append(f"in line, {left} before you"),
        )


async def test_each_turn_is_told_paused_and_read_until_the_end() -> None:
    line = Line()
    assert await line.stand(3, 60) == 0
    assert line.told == ["in line, 3 before you", "in line, 2 before you", "in line, 1 before you"]
    assert (line.time.slept, line.read_at) == ([1, 1, 1], [1, 2, 3])


async def test_what_is_over_already_is_neither_read_nor_told() -> None:
    line = Line()
    assert await line.stand(0, 60) == 0
    assert (line.told, line.read_at, line.time.slept) == ([], [], [])


async def test_a_turn_that_would_end_after_the_deadline_does_not_begin() -> None:
    line = Line()
    assert await line.stand(9, 2.9) == 7
    assert line.read_at == [1, 2]
    assert await line.stand(9, 0, pause_seconds=0) == 9
    assert line.read_at == [1, 2]


async def test_what_may_be_woken_is_waited_for_to_the_end_though_no_whole_pause_is_left() -> None:
    line = Line()
    assert await line.stand(9, 7, pause_seconds=5, woken=asyncio.Event()) == 7
    assert line.read_at == [5, 7]
    line = Line()
    assert await line.stand(9, 3, pause_seconds=5, woken=asyncio.Event()) == 8
    assert line.read_at == [3]


async def test_one_that_is_woken_in_its_last_pause_goes_on_to_the_end() -> None:
    line, woken = Line(), asyncio.Event()

    async def sleep(seconds: float) -> None:
        line.time.slept.append(seconds)
        if len(line.time.slept) > 1:
            line.time.now += seconds
            return
        line.time.now += 2
        woken.set()
        await asyncio.Event().wait()

    deadline = replace(line.time.clock(), sleep=sleep).deadline(3)
    assert await wait_for_job(9, line.read, lambda left: left == 0, deadline, pause_seconds=5, woken=woken) == 7
    assert (line.time.slept, line.read_at) == ([3, 1], [2, 3])


async def test_one_that_is_woken_reads_at_once_and_a_change_during_the_read_is_not_missed() -> None:
    line, woken, sleeping = Line(), asyncio.Event(), asyncio.Event()

    async def sleep(seconds: float) -> None:
        line.time.slept.append(seconds)
        sleeping.set()
        await asyncio.Event().wait()

    async def read(before: int) -> int:
        woken.set()
        return before - 1

    clock = replace(line.time.clock(), sleep=sleep)
    waiting = asyncio.create_task(
        wait_for_job(2, read, lambda left: left == 0, clock.deadline(60), pause_seconds=5, woken=woken)
    )
    await sleeping.wait()
    assert not waiting.done()
    woken.set()
    assert await waiting == 0
    assert line.time.slept == [5, 5]


def loops_that_sleep(text: str) -> Iterator[int]:
    """The lines of the loops in a source that sleep by the clock of waits."""
    for loop in ast.walk(tree_of(text)):
        if isinstance(loop, ast.While | ast.For | ast.AsyncFor):
            names = {node.attr for node in ast.walk(loop) if isinstance(node, ast.Attribute)}
            names |= {node.id for node in ast.walk(loop) if isinstance(node, ast.Name)}
            if names & {"sleep", "sleep_unless"}:
                yield loop.lineno


def test_no_other_file_of_the_jobs_has_a_loop_that_sleeps() -> None:
    jobs = {module: text for module, (text, _) in MODULES.items() if module.startswith("kolors_mcp.jobs.")}
    assert len(jobs) > 15
    found = {module for module, text in jobs.items() if any(loops_that_sleep(text))}
    assert found == {"kolors_mcp.jobs.waiting"}
    assert list(loops_that_sleep("async def f():\n    while True:\n        await self._clock.sleep(1)\n")) == [2]
    assert list(loops_that_sleep("async def f():\n    while True:\n        await g()\n    await clock.sleep(1)")) == []
