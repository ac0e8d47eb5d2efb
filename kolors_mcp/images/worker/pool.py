"""Decodes pictures outside of this process, at most two at a time, each within its time and its memory."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import anyio
from anyio import CapacityLimiter, to_thread

from kolors_mcp.clock import Clock
from kolors_mcp.images import limits
from kolors_mcp.images.content import Content
from kolors_mcp.images.costs import too_dear
from kolors_mcp.images.outline import outline_of
from kolors_mcp.images.refusal import RefusalError
from kolors_mcp.images.sniff import Kind
from kolors_mcp.images.walked import Walked
from kolors_mcp.images.worker.messages import Done, Given, Job, Refused, Request
from kolors_mcp.images.worker.process import Process, Start

logger = logging.getLogger(__name__)

_THREADS = 8
"""Threads that talk with processes: those whose process was just killed leave a moment after their caller."""


@dataclass(frozen=True)
class Task:
    """A picture to decode: its bytes, what they are, and what a walk through them found."""

    content: Content
    kind: Kind
    walked: Walked | None = None


class Decoder(Protocol):
    """Whatever decodes pictures."""

    async def run(self, job: Job, *pictures: Task) -> Done:
        """Return what came of a job.

        Raises:
            RefusalError: A picture cannot be decoded, or not within the bounds; its `picture` says which.
        """
        ...

    async def aclose(self) -> None:
        """Let go of everything."""
        ...


class Decoders:
    """Processes that decode, started when they are needed.

    Args:
        clock: Waits for the end of a job's time, and of idleness.
        start: Makes a process.
    """

    def __init__(self, clock: Clock | None = None, start: Start = Process) -> None:
        self._clock = clock or Clock()
        self._start = start
        self._places = CapacityLimiter(limits.MAX_DECODERS)
        self._threads = CapacityLimiter(_THREADS)
        self._idle: list[Process] = []
        self._ending: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def idle(self) -> Sequence[Process]:
        """Processes that wait for work, the last used last."""
        return tuple(self._idle)

    async def run(self, job: Job, *pictures: Task) -> Done:
        """Return what came of a job; see `Decoder.run`. Whoever is cancelled meanwhile ends it at once."""
        given = tuple(Given(one.kind, one.content.size, outline_of(one.walked)) for one in pictures)
        kind = given[0].kind
        async with self._places:
            answer = await self._answer(Request(job, given), [one.content for one in pictures], kind)
        if answer is None:
            raise RefusalError(too_dear(kind))
        if isinstance(answer, Refused):
            raise RefusalError(answer.text, passing=answer.passing, picture=answer.picture)
        return answer

    async def aclose(self) -> None:
        """End all processes, and wait until they are gone."""
        self._closed = True
        if self._ending is not None:
            self._ending.cancel()
        while self._idle:
            self._let_go(self._idle.pop())
        await asyncio.gather(*self._leaving)

    async def _answer(self, request: Request, contents: Sequence[Content], kind: Kind) -> Done | Refused | None:
        process = self._take()
        outcomes: list[Done | Refused | OSError | RefusalError | None] = []

        async def work(scope: anyio.CancelScope) -> None:
            try:
                # Left behind when cancelled: the thread comes back as soon as its process is dead.
                outcome = await to_thread.run_sync(
                    process.run, request, contents, abandon_on_cancel=True, limiter=self._threads
                )
            except (OSError, RefusalError) as error:
                outcome = error
            outcomes.append(outcome)
            scope.cancel()

        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(work, tasks.cancel_scope)
                await self._clock.sleep(limits.DECODING_SECONDS)
                tasks.cancel_scope.cancel()
        finally:
            if not outcomes or self._closed:
                process.kill()
                self._let_go(process)
            elif process.alive:
                self._idle.append(process)
                if self._ending is None or self._ending.done():
                    self._ending = asyncio.create_task(self._end_idle())
        outcome = outcomes[0] if outcomes else None
        if isinstance(outcome, RefusalError):
            raise outcome
        if isinstance(outcome, OSError):
            logger.warning("no process for decoding could be started (%s)", type(outcome).__name__)
            raise RefusalError(
                f"is a {kind} that cannot be opened here: no process for it could be started. Give a plain JPEG."
            ) from outcome
        return outcome

    def _take(self) -> Process:
        """Return a process that is alive, the last used first."""
        while self._idle:
            process = self._idle.pop()
            if process.alive:
                return process
            process.end()  # it is gone already, so this waits for nothing
        return self._start()

    def _let_go(self, process: Process) -> None:
        """End a process without waiting for it."""
        leaving = asyncio.create_task(to_thread.run_sync(process.end, limiter=self._threads))
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)

    async def _end_idle(self) -> None:
        """End what nobody has used for a while."""
        while self._idle:
            before = list(self._idle)
            await self._clock.sleep(limits.IDLE_SECONDS)
            for process in before:
                # Used again meanwhile, it may be here too: then it starts anew, which costs a tenth of a second.
                if process in self._idle:
                    self._idle.remove(process)
                    self._let_go(process)
