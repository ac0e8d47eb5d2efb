"""Decodes pictures outside of this process: two at a time, or one that takes the memory of both, within its time."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Protocol

import anyio
from anyio import CapacityLimiter, to_thread

from kolors_mcp.clock import Clock
from kolors_mcp.images import limits
from kolors_mcp.images.bounds import Bounds
from kolors_mcp.images.formats.content import Content
from kolors_mcp.images.formats.outline import outline_of
from kolors_mcp.images.formats.sniff import Kind
from kolors_mcp.images.formats.structure import Structure
from kolors_mcp.images.pixels.costs import no_process, too_dear
from kolors_mcp.images.refusal import RefusalError
from kolors_mcp.images.worker.messages import Answer, Dear, Done, Given, Job, Refused, Request
from kolors_mcp.images.worker.process import NotTakenError, Process, Start

_Outcome = Answer | OSError | RefusalError | NotTakenError | None

logger = logging.getLogger(__name__)

_THREADS = 8
"""Threads that talk with processes: those whose process was just killed leave a moment after their caller."""


@dataclass(frozen=True)
class Task:
    """A picture to decode: its bytes, what they are, and the structure that was read from them."""

    content: Content
    kind: Kind
    structure: Structure | None = None


class Decoder(Protocol):
    """Whatever decodes pictures."""

    async def run(
        self, job: Job, *pictures: Task, bounds: Bounds | None = None, captions: tuple[str, ...] = ()
    ) -> Done:
        """Return what came of a job; `bounds` are those of a picture to be sent, `captions` those of a sheet.

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
        self._one_alone = anyio.Lock()
        self._threads = CapacityLimiter(_THREADS)
        self._idle: list[Process] = []
        self._ending: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def idle(self) -> Sequence[Process]:
        """Processes that wait for work, the last used last."""
        return tuple(self._idle)

    async def run(
        self, job: Job, *pictures: Task, bounds: Bounds | None = None, captions: tuple[str, ...] = ()
    ) -> Done:
        """Return what came of a job; see `Decoder.run`. A caller that is cancelled meanwhile ends it at once."""
        given = tuple(Given(one.kind, one.content.size, outline_of(one.structure)) for one in pictures)
        kind, contents = given[0].kind, [one.content for one in pictures]
        request = Request(job, given, bounds or Bounds(), limits.DECODING_SHARE_BYTES, captions)
        async with self._places:
            answer = await self._answer(request, contents, kind)
        if isinstance(answer, Dear):
            # Only the process can tell, from what the picture declares; it has decoded nothing yet.
            async with self._alone():
                answer = await self._answer(replace(request, memory=answer.memory), contents, kind)
        if answer is None or isinstance(answer, Dear):
            raise RefusalError(too_dear(kind))
        if isinstance(answer, Refused):
            raise RefusalError(answer.text, transient=answer.transient, picture=answer.picture)
        return answer

    async def aclose(self) -> None:
        """End all processes, and wait until they are gone."""
        self._closed = True
        if self._ending is not None:
            self._ending.cancel()
        while self._idle:
            self._let_go(self._idle.pop())
        await asyncio.gather(*self._leaving)

    @asynccontextmanager
    async def _alone(self) -> AsyncGenerator[None]:
        """Have all places; a job that waits for them holds none, so none waits for ever."""
        async with self._one_alone, AsyncExitStack() as held:
            for _ in range(limits.MAX_DECODERS):
                holder = object()
                await self._places.acquire_on_behalf_of(holder)
                held.callback(self._places.release_on_behalf_of, holder)
            while len(self._idle) > 1:  # whose memory counts too
                self._let_go(self._idle.pop(0))
            yield

    async def _answer(self, request: Request, contents: Sequence[Content], kind: Kind) -> Answer | None:
        process = self._take()
        outcomes: list[_Outcome] = []

        async def attempt() -> _Outcome:
            try:
                # Left behind when cancelled: the thread comes back as soon as its process is dead.
                return await to_thread.run_sync(
                    process.run, request, contents, abandon_on_cancel=True, limiter=self._threads
                )
            except (OSError, RefusalError, NotTakenError) as error:
                return error

        async def work(scope: anyio.CancelScope) -> None:
            nonlocal process
            outcome = await attempt()
            if isinstance(outcome, NotTakenError) and process.serves and not self._closed:
                # It was ended while it had nothing to do, which may not have been noticed yet.
                process = self._start()
                outcome = await attempt()
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
        if outcomes:
            return _told(outcomes[0], kind)
        return _told(None if process.serves else NotTakenError("it says nothing"), kind)

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
        """End what was not used for a while."""
        while self._idle:
            before = list(self._idle)
            await self._clock.sleep(limits.DECODER_IDLE_SECONDS)
            for process in before:
                # Used again meanwhile, it may be here too: then it starts anew, which costs a tenth of a second.
                if process in self._idle:
                    self._idle.remove(process)
                    self._let_go(process)


def _told(outcome: _Outcome, kind: Kind) -> Answer | None:
    if isinstance(outcome, RefusalError):
        raise outcome
    if isinstance(outcome, OSError | NotTakenError):
        logger.warning("no process for decoding could be started (%s)", type(outcome).__name__)
        raise RefusalError(no_process(kind)) from outcome
    return outcome
