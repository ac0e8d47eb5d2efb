"""Looks at running tasks: one read per task and interval, however many wait for it."""

import asyncio
import math
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kolors_mcp import errors
from kolors_mcp.clock import Clock

if TYPE_CHECKING:
    from kolors_mcp.kling.client import KlingClient
    from kolors_mcp.kling.wire import KlingTask

FIRST_PAUSE, LONGEST_PAUSE, EASING = 2.0, 5.0, 1.25
"""Seconds between two looks: the first, the longest, and the factor from one to the next."""
LONGEST_LOOK = 20.0
"""Seconds a read may take, retries included."""
SPREAD = 0.1
"""Share of a pause by which it is shortened or lengthened, so that many servers do not ask in step."""

FRESH = FIRST_PAUSE * (1 - SPREAD)
"""Seconds for which what was seen is good enough for everybody: the shortest pause."""


@dataclass
class _Watch:
    waiting: int = 0
    pause: float = FIRST_PAUSE
    look: "asyncio.Task[KlingTask] | None" = None
    """The next look: a pause, then a read."""
    read: "asyncio.Task[KlingTask] | None" = None
    """The latest read, for whoever needs one."""
    seen: "KlingTask | None" = None
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

    async def now(self, task_id: str, within: float) -> "KlingTask":
        """Return what a watched task looks like: as others who wait for it have just seen it, or read now.

        Raises:
            KolorsError: It could not be read within so many seconds.
        """
        watch = self._watches[task_id]
        until = self._clock.monotonic() + within
        while True:
            if (seen := self._just_seen(watch)) is not None:
                return seen
            left = max(0.0, until - self._clock.monotonic())
            mine = watch.read is None or watch.read.done()
            read = self._reading(task_id, watch, left)
            await asyncio.wait((read,), timeout=left)
            if not read.done():
                raise errors.ConnectionLostError(f"Kling did not answer within {within:.0f} seconds", "Try again.")
            error = read.exception()
            # The read of somebody with less patience than this caller's decides nothing for them.
            if mine or not isinstance(error, errors.KolorsError) or not error.retryable:
                return read.result()

    async def next(self, task_id: str, within: float) -> "KlingTask | None":
        """Return what the next look at a watched task shows; None if it is not there within so many seconds.

        Raises:
            KolorsError: The look failed, for everybody who waits.
        """
        watch = self._watches[task_id]
        if watch.look is None or watch.look.done():
            pause = watch.pause * (1 - SPREAD + 2 * SPREAD * self._clock.jitter())
            watch.look = _task(self._look(task_id, watch, pause))
            watch.pause = min(watch.pause * EASING, LONGEST_PAUSE)
        look = watch.look
        await asyncio.wait((look,), timeout=within)
        return look.result() if look.done() else None

    async def _look(self, task_id: str, watch: _Watch, pause: float) -> "KlingTask":
        await self._clock.sleep(pause)
        # A newcomer may have asked meanwhile, or be at it.
        return self._just_seen(watch) or await asyncio.shield(self._reading(task_id, watch, LONGEST_LOOK))

    def _just_seen(self, watch: _Watch) -> "KlingTask | None":
        return watch.seen if self._clock.monotonic() - watch.seen_at < FRESH else None

    def _reading(self, task_id: str, watch: _Watch, within: float) -> "asyncio.Task[KlingTask]":
        """Return the read that is under way, or begin one."""

        async def reading() -> "KlingTask":
            watch.seen = await self._kling.read(task_id, seconds=within)
            watch.seen_at = self._clock.monotonic()
            return watch.seen

        if watch.read is None or watch.read.done():
            watch.read = _task(reading())
        return watch.read


def _task(look: "Coroutine[Any, Any, KlingTask]") -> "asyncio.Task[KlingTask]":
    task = asyncio.create_task(look)
    # Whoever waited may have left by the time it fails; then nobody else asks for the error.
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return task
