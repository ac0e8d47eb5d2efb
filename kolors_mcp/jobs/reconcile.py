"""Finds out what became of creates in doubt: looks at Kling, by reference and in the list, and writes it down."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kolors_mcp import errors
from kolors_mcp.clock import Clock, Deadline
from kolors_mcp.jobs.store import Store
from kolors_mcp.kling.task import Task
from kolors_mcp.ledger.job import Job
from kolors_mcp.wording import plain

if TYPE_CHECKING:
    from kolors_mcp.kling.client import KlingClient

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 1.0
"""Between two looks for one create."""
MAX_READ_SECONDS = 3.0
"""What each question may take: whoever asks for something else waits for it."""
SEARCHED_ROWS = 100
"""Newest rows of Kling's list in which a create is looked for."""
RECONCILE_EVERY_SECONDS = 3.0
"""Between two looks for all of them, however many calls come."""
AT_ONCE = 5
"""Creates that are asked for by reference in one look for all; the others have their turn in the next."""
RECONCILED_FOR_SECONDS = 24 * 3600.0
"""After so long a create is not looked for any more on its own; its reference still can be."""


class Reconciler:
    """Looks for the creates of which nobody knows yet whether a task exists, whichever process sent them.

    Finding nothing proves nothing: lists lag, and an unknown id has been seen for a task that was there.
    """

    def __init__(self, kling: "KlingClient", store: Store, clock: Clock) -> None:
        """Look for nothing yet."""
        self._kling = kling
        self._store = store
        self._clock = clock
        self._look_again_at = 0.0
        self._turn = 0

    async def reconcile(self, job: Job, deadline: Deadline) -> Task | None:
        """Look for one create, again and again until the deadline, at least once; None if it does not turn up."""
        while True:
            task = await self.search(job.reference)
            if task is not None:
                await self.confirm(job, task)
                return task
            if not deadline.allows(PAUSE_SECONDS):
                return None
            await self._clock.sleep(PAUSE_SECONDS)

    async def reconcile_all(self, user: str, is_sending: Callable[[str], bool], rows: Sequence[Task] = ()) -> None:
        """Look for all open ones: among rows that were just read anyway, else by asking, but not too often.

        Args:
            user: Whose.
            is_sending: Whether this process is sending the create with this reference right now.
            rows: Of Kling's list.
        """
        now = self._clock.monotonic()
        if not rows and now < self._look_again_at:
            return  # not even the ledger is asked
        oldest = self._clock.wall() - RECONCILED_FOR_SECONDS
        doubts = [
            job for job in await self._store.doubts(user) if job.created_at > oldest and not is_sending(job.reference)
        ]
        doubts = await self._left_of(doubts, rows)
        if now < self._look_again_at:
            return
        self._look_again_at = now + RECONCILE_EVERY_SECONDS
        if not doubts:
            return
        if not rows:
            doubts = await self._left_of(doubts, await self._newest_rows())
        first = self._turn % len(doubts) if doubts else 0
        self._turn += AT_ONCE
        chosen = [*doubts[first:], *doubts[:first]][:AT_ONCE]
        found = await asyncio.gather(*(self.find(job.reference) for job in chosen))
        for job, task in zip(chosen, found, strict=True):
            if task is not None:
                await self.confirm(job, task)

    async def search(self, reference: str) -> Task | None:
        """Ask Kling once, by reference and then by list; what cannot be asked counts as not found."""
        task = await self.find(reference)
        if task is None:
            task = next((row for row in await self._newest_rows() if row.reference == reference), None)
        return task

    async def find(self, reference: str) -> Task | None:
        """Ask Kling once, by reference."""
        try:
            task = await self._kling.read(reference, self._clock.deadline(MAX_READ_SECONDS))
        except errors.KolorsError as error:
            logger.info("looking for %s: %s", reference, plain(str(error), 400))
            return None
        # An answer that only echoes what was asked, or speaks of another create, is not about this one.
        return None if task.id == reference or task.reference not in (None, reference) else task

    async def confirm(self, job: Job, task: Task) -> None:
        """Write down that the create made this task."""
        await self._store.created(job.reference, task)

    async def _left_of(self, doubts: list[Job], rows: Sequence[Task]) -> list[Job]:
        """Confirm those that are among the rows, and return the others."""
        tasks = {row.reference: row for row in rows if row.reference is not None}
        for job in doubts:
            if job.reference in tasks:
                await self.confirm(job, tasks[job.reference])
        return [job for job in doubts if job.reference not in tasks]

    async def _newest_rows(self) -> list[Task]:
        try:
            return await self._kling.page(1, SEARCHED_ROWS, self._clock.deadline(MAX_READ_SECONDS))
        except errors.KolorsError as error:
            logger.info("looking in the list: %s", plain(str(error), 400))
            return []
