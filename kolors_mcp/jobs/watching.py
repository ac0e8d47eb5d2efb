"""Looks at running tasks: one read per task and interval, however many wait for it."""

import asyncio
import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kolors_mcp import errors
from kolors_mcp.clock import Backoff, Clock, Deadline
from kolors_mcp.jobs.call import Report
from kolors_mcp.jobs.in_flight import InFlight, ends
from kolors_mcp.jobs.waiting import wait_for_job
from kolors_mcp.kling.task import Task
from kolors_mcp.models import FINAL
from kolors_mcp.wording import plain

if TYPE_CHECKING:
    from collections.abc import Generator

    from kolors_mcp.kling.client import KlingClient

PAUSES = Backoff(initial_seconds=2.0, max_seconds=5.0, factor=1.25, jitter=(0.9, 1.1))
"""Between two looks; spread a little, so that many servers do not ask in step."""
MAX_READ_SECONDS = 20.0
"""What a read may take, retries included."""
FRESH_SECONDS = PAUSES.initial_seconds * PAUSES.jitter[0]
"""For how long what was seen is good enough for every call: the shortest pause."""
NOT_SHOWN = "Kling does not show this try-on just now."


@dataclass
class _Watched:
    watchers: int = 0
    looks: int = 0
    seen: Task | None = None
    seen_at: float = -math.inf
    asked_at: float = -math.inf
    """When the latest read began."""


@dataclass(frozen=True)
class _Seen:
    """A task as one call has seen it last."""

    task: Task
    hindrance: str | None = None
    """What keeps the call from seeing how it stands by now."""
    is_hopeless: bool = False
    """Whether looking again would come to the same."""


class Watching:
    """The tasks that are watched, and the reads of them that are under way."""

    def __init__(self, kling: "KlingClient", clock: Clock) -> None:
        """Start with none."""
        self._kling = kling
        self._clock = clock
        self._watched: dict[str, _Watched] = {}
        self._reads: InFlight[Task] = InFlight()
        self._looks: InFlight[Task] = InFlight()
        """The next look at each: a pause, then a read."""

    @contextmanager
    def watcher(self) -> "Generator[Watcher]":
        """Register one call among those who watch; when no call watches a task any more, looking at it stops."""
        watcher = Watcher(self)
        try:
            yield watcher
        finally:
            watcher.leave()

    def enter(self, task_id: str) -> None:
        """Count one more who watches a task."""
        self._watched.setdefault(task_id, _Watched()).watchers += 1

    def leave(self, task_id: str) -> None:
        """Count one less."""
        watched = self._watched[task_id]
        watched.watchers -= 1
        if not watched.watchers:
            del self._watched[task_id]
            self._looks.cancel(task_id)
            self._reads.cancel(task_id)

    async def now(self, task_id: str, deadline: Deadline) -> Task:
        """Return what a watched task looks like: as others who watch it have just seen it, or read now.

        Raises:
            KolorsError: It could not be read in time.
        """
        given = deadline.left()
        while True:
            if (seen := self._just_seen(task_id)) is not None:
                return seen
            mine = self._reads.get(task_id) is None
            read = self._reads.join(task_id, lambda: self._read(task_id, deadline))
            if not await ends(read, deadline):
                raise errors.ConnectionLostError(f"Kling did not answer within {given:.0f} seconds", "Try again.")
            error = read.exception()
            # A read that another call has begun may have had less time than this one has.
            if mine or not isinstance(error, errors.KolorsError) or not error.retryable:
                return read.result()

    async def next(self, task_id: str, deadline: Deadline) -> Task | None:
        """Return what the next look at a watched task shows; None if it is not there in time.

        Raises:
            KolorsError: The look failed, for all who watch.
        """
        look = self._looks.join(task_id, lambda: self._look(task_id))
        return look.result() if await ends(look, deadline) else None

    def unanswered_seconds(self, task_id: str) -> float:
        """Return for how long Kling has been asked about a watched task without an answer; 0 if it is not asked now."""
        is_asked = self._reads.get(task_id) is not None
        return self._clock.monotonic() - self._watched[task_id].asked_at if is_asked else 0.0

    async def _look(self, task_id: str) -> Task:
        watched = self._watched[task_id]
        watched.looks += 1
        await self._clock.sleep(PAUSES.seconds(watched.looks - 1, self._clock))
        # A newcomer may have asked meanwhile, or be at it.
        if (seen := self._just_seen(task_id)) is not None:
            return seen
        read = self._reads.join(task_id, lambda: self._read(task_id, self._clock.deadline(MAX_READ_SECONDS)))
        return await asyncio.shield(read)

    def _just_seen(self, task_id: str) -> Task | None:
        watched = self._watched[task_id]
        return watched.seen if self._clock.monotonic() - watched.seen_at < FRESH_SECONDS else None

    async def _read(self, task_id: str, deadline: Deadline) -> Task:
        watched = self._watched[task_id]
        watched.asked_at = self._clock.monotonic()
        watched.seen = await self._kling.read(task_id, deadline=deadline)
        watched.seen_at = self._clock.monotonic()
        return watched.seen


class Watcher:
    """One call among those who watch, at one task at a time, from its first look to its last.

    What it has seen is good for other calls that ask meanwhile; so it stays registered between its looks.
    """

    def __init__(self, watching: Watching) -> None:
        """Watch nothing yet."""
        self._watching = watching
        self._task_id: str | None = None

    def leave(self) -> None:
        """Watch no more."""
        if self._task_id is not None:
            self._watching.leave(self._task_id)
            self._task_id = None

    async def read(self, task_id: str, deadline: Deadline) -> Task:
        """Return what a task looks like now, as `Watching.now`."""
        self._turn_to(task_id)
        return await self._watching.now(task_id, deadline)

    async def follow(self, task: Task, deadline: Deadline, report: Report) -> tuple[Task, str | None]:
        """Look again and again until a task is finished or the deadline has come; ride out what passes.

        Returns:
            The task as it was seen last, which outlives whatever keeps us from watching it; and what does so, if
            anything does.
        """

        async def look(before: _Seen) -> _Seen:
            return await self._look(before, deadline)

        last = await wait_for_job(
            _Seen(task),
            look,
            lambda seen: seen.task.status in FINAL or seen.is_hopeless,
            deadline,
            tell=lambda seen: report(f"Kling says {seen.task.status}"),
        )
        if last.hindrance is None:
            return last.task, None
        return last.task, plain(f"{last.hindrance} The try-on goes on at Kling.", 400)

    async def _look(self, before: _Seen, deadline: Deadline) -> _Seen:
        """Return what the next look shows, which comes after a pause that all who watch the task share."""
        task = before.task
        self._turn_to(task.id)
        try:
            seen = await self._watching.next(task.id, deadline)
        except errors.TaskNotFoundError:
            return _Seen(task, NOT_SHOWN)  # soon after a create that is not true
        except errors.KolorsError as error:
            happened = error.happened if error.retryable and isinstance(error, errors.KlingError) else str(error)
            return _Seen(task, happened, is_hopeless=not error.retryable)
        if seen is not None:
            return _Seen(seen)
        if before.hindrance is None and (seconds := self._watching.unanswered_seconds(task.id)) >= FRESH_SECONDS:
            return _Seen(task, f"Kling has not said for {seconds:.0f} seconds how it stands.")
        return before

    def _turn_to(self, task_id: str) -> None:
        if task_id != self._task_id:
            self.leave()
            self._watching.enter(task_id)
            self._task_id = task_id
