"""Looks at the account's running tasks until they have ended, whether a call waits for them or not: a slot is a row.

Where copies of results are kept, it looks again at what has ended and was not copied: a process may have died over it.
"""

import asyncio
import logging
from collections.abc import Callable

from kolors_mcp import errors
from kolors_mcp.clock import Clock
from kolors_mcp.jobs.line_parts import LineParts
from kolors_mcp.jobs.watching import MAX_READ_SECONDS, Watching
from kolors_mcp.kling.task import Task
from kolors_mcp.ledger.job import Job
from kolors_mcp.wording import plain

logger = logging.getLogger(__name__)

LOOKS_AT_ONCE = 8
"""Tasks that one process asks for at the same time."""
IDLE_SECONDS = 3.0
"""Until the ledger is asked again for what runs, if nothing wakes this before: another process may have made it."""
AWAY_SECONDS = 15.0
"""Between two rounds in which Kling answered nothing."""
UNCOPIED_EVERY_SECONDS = 300.0
"""Between two looks into the ledger for finished try-ons without a copy."""


class Running:
    """One process's share of the looks."""

    def __init__(
        self, parts: LineParts, watching: Watching, clock: Clock, copy: Callable[[Job, Task], None] | None
    ) -> None:
        """Look at nothing yet; `copy` hears how each task stands, if copies are kept, and has to return at once."""
        self._line = parts
        self._copy = copy
        self._watching = watching
        self._clock = clock

    async def round(self) -> float:
        """Take the looks that are due, also for what was denied; return in how many seconds to come again.

        Raises:
            LedgerError: The ledger cannot be asked.
        """
        line = await self._line.line()
        due, denied = await line.take_looks(LOOKS_AT_ONCE)
        answered = await asyncio.gather(*(self._look(job) for job in due))
        await asyncio.gather(*(self._look_for(job) for job in denied))
        if due and not any(answered):
            return AWAY_SECONDS
        seconds = await line.seconds_to_running()
        return IDLE_SECONDS if seconds is None else min(seconds, IDLE_SECONDS)

    async def round_of_uncopied(self) -> float:
        """Look at finished try-ons without a copy, so that one is made; return in how many seconds to come again.

        Raises:
            LedgerError: The ledger cannot be asked.
        """
        if self._copy is None:
            return UNCOPIED_EVERY_SECONDS
        due = await (await self._line.line()).take_uncopied(LOOKS_AT_ONCE)
        await asyncio.gather(*(self._look(job) for job in due))
        return IDLE_SECONDS if len(due) == LOOKS_AT_ONCE else UNCOPIED_EVERY_SECONDS

    async def _look_for(self, job: Job) -> None:
        """Look for what a busy account may have taken although it said no: it holds a slot that nobody counts."""
        reconciler = self._line.parts.reconciler
        seen = await reconciler.of_late(job.reference)
        if job.reference in seen.tasks:
            await reconciler.confirm(job, seen.tasks[job.reference])

    async def _look(self, job: Job) -> bool:
        """Look at one task, and write down how it stands; return whether Kling answered."""
        assert job.task_id is not None
        try:
            with self._watching.watcher() as watcher:
                task = await watcher.read(job.task_id, self._clock.deadline(MAX_READ_SECONDS))
        except errors.TaskNotFoundError:
            return True  # soon after a create that is not true; later it is not counted any more
        except errors.KolorsError as error:
            logger.info("a running task could not be looked at: %s", plain(str(error), 400))
            return False
        await self._line.parts.store.seen(job, task)
        if self._copy is not None:
            self._copy(job, task)
        return True
