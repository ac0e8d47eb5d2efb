"""Looks at running tasks: one read per task and interval, however many wait for it."""

import asyncio
import math
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kolors_mcp import errors
from kolors_mcp.clock import Backoff, Clock, Deadline
from kolors_mcp.kling.task import Task

if TYPE_CHECKING:
    from kolors_mcp.kling.client import KlingClient

PAUSES = Backoff(initial_seconds=2.0, max_seconds=5.0, factor=1.25, jitter=(0.9, 1.1))
"""Between two looks; spread a little, so that many servers do not ask in step."""
LONGEST_LOOK = 20.0
"""Seconds a read may take, retries included."""
FRESH = PAUSES.initial_seconds * PAUSES.jitter[0]
"""Seconds for which what was seen is good enough for everybody: the shortest pause."""


@dataclass
class _Watch:
    waiting: int = 0
    looks: int = 0
    look: asyncio.Task[Task] | None = None
    """The next look: a pause, then a read."""
    read: asyncio.Task[Task] | None = None
    """The latest read, for whoever needs one."""
    seen: Task | None = None
    seen_at: float = -math.inf


class Polls:
    """The looks that are under way."""

    def __init__(self, kling: "KlingClient", clock: Clock) -> None:
        """Start with none."""
        self._kling = kling
        self._clock = clock
        self._watches: dict[str, _Watch] = {}

    @contextmanager
    def watching(self, task_id: str) -> Generator[None]:
        """Say that somebody waits for the task; when nobody does any more, looking stops."""
        watch = self._watches.setdefault(task_id, _Watch())
        watch.waiting += 1
        try:
            yield
        finally:
            watch.waiting -= 1
            if not watch.waiting:
                del self._watches[task_id]
                for task in (watch.look, watch.read):
                    if task is not None:
                        task.cancel()

    async def now(self, task_id: str, deadline: Deadline) -> Task:
        """Return what a watched task looks like: as others who wait for it have just seen it, or read now.

        Raises:
            KolorsError: It could not be read in time.
        """
        watch = self._watches[task_id]
        given = deadline.left()
        while True:
            if (seen := self._just_seen(watch)) is not None:
                return seen
            mine = watch.read is None or watch.read.done()
            read = self._reading(task_id, watch, deadline)
            with deadline.scope():
                await asyncio.wait((read,))
            if not read.done():
                raise errors.ConnectionLostError(f"Kling did not answer within {given:.0f} seconds", "Try again.")
            error = read.exception()
            # The read of somebody with less patience than this caller's decides nothing for them.
            if mine or not isinstance(error, errors.KolorsError) or not error.retryable:
                return read.result()

    async def next(self, task_id: str, deadline: Deadline) -> Task | None:
        """Return what the next look at a watched task shows; None if it is not there in time.

        Raises:
            KolorsError: The look failed, for everybody who waits.
        """
        watch = self._watches[task_id]
        if watch.look is None or watch.look.done():
            watch.look = _task(self._look(task_id, watch, PAUSES.seconds(watch.looks, self._clock)))
            watch.looks += 1
        look = watch.look
        with deadline.scope():
            await asyncio.wait((look,))
        return look.result() if look.done() else None

    async def _look(self, task_id: str, watch: _Watch, pause: float) -> Task:
        await self._clock.sleep(pause)
        # A newcomer may have asked meanwhile, or be at it.
        return self._just_seen(watch) or await asyncio.shield(
            self._reading(task_id, watch, self._clock.deadline(LONGEST_LOOK))
        )

    def _just_seen(self, watch: _Watch) -> Task | None:
        return watch.seen if self._clock.monotonic() - watch.seen_at < FRESH else None

    def _reading(self, task_id: str, watch: _Watch, deadline: Deadline) -> asyncio.Task[Task]:
        """Return the read that is under way, or begin one."""

        async def reading() -> Task:
            watch.seen = await self._kling.read(task_id, deadline=deadline)
            watch.seen_at = self._clock.monotonic()
            return watch.seen

        if watch.read is None or watch.read.done():
            watch.read = _task(reading())
        return watch.read


def _task(look: Coroutine[Any, Any, Task]) -> asyncio.Task[Task]:
    task = asyncio.create_task(look)
    # Whoever waited may have left by the time it fails; then nobody else asks for the error.
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return task
