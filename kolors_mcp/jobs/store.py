"""The ledger as the jobs need it: without it no money is spent; looking goes on without it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from kolors_mcp.clock import Clock
from kolors_mcp.errors import LedgerError
from kolors_mcp.kling.task import Task
from kolors_mcp.ledger.doubt import Doubt, Look
from kolors_mcp.ledger.job import Job
from kolors_mcp.models import FINAL

if TYPE_CHECKING:
    from kolors_mcp.ledger.ledger import Ledger

logger = logging.getLogger(__name__)

REOPEN_SECONDS = 15.0
"""For how long a ledger that failed to open is not tried again where it is only helpful."""

T = TypeVar("T")
OpenLedger = Callable[[], "Awaitable[Ledger]"]


class Store:
    """What is written down. The ledger is opened at the first use, and again after it failed to open."""

    def __init__(self, open_ledger: OpenLedger, clock: Clock) -> None:
        """Open nothing yet."""
        self._open_ledger = open_ledger
        self._clock = clock
        self._closed_until = 0.0
        self._opening = asyncio.Lock()
        self._ledger: Ledger | None = None

    async def ledger(self) -> "Ledger":
        """Return the open ledger.

        Raises:
            LedgerError: It cannot be opened.
        """
        async with self._opening:
            if self._ledger is None:
                try:
                    self._ledger = await self._open_ledger()
                except LedgerError:
                    self._closed_until = self._clock.monotonic() + REOPEN_SECONDS
                    raise
            return self._ledger

    async def aclose(self) -> None:
        """Close the ledger."""
        if self._ledger is not None:
            await self._ledger.aclose()

    async def now(self) -> float:
        """Return what time it is for the ledger.

        Raises:
            LedgerError: It cannot be asked.
        """
        return await (await self.ledger()).now()

    async def find(self, user: str, name: str) -> Job | None:
        """Return what is written about a task id or reference; None also if the ledger cannot be read."""
        return await self._tolerant(lambda ledger: ledger.find(user, name), None)

    async def known(self, user: str, name: str) -> Job | None:
        """Return what is written about a task id or reference.

        Raises:
            LedgerError: It cannot be read.
        """
        return await (await self.ledger()).find(user, name)

    async def find_many(self, user: str, task_ids: Sequence[str]) -> dict[str, Job]:
        """Return what is written about many task ids."""
        return await self._tolerant(lambda ledger: ledger.find_many(user, task_ids), {})

    async def labelled(self, user: str, label: str, most: int) -> list[Job]:
        """Return the user's jobs that people call so, the newest first.

        Raises:
            LedgerError: It cannot be read.
        """
        return await (await self.ledger()).labelled(user, label, most)

    async def recent(self, user: str, limit: int) -> list[Job]:
        """Return the user's latest jobs, the newest first."""
        return await self._tolerant(lambda ledger: ledger.recent(user, limit), [])

    async def written(self, user: str, first: int, most: int) -> list[Job]:
        """Return the user's jobs from the `first` on, 0 being the newest; none that came to nothing.

        Raises:
            LedgerError: They cannot be read.
        """
        return await (await self.ledger()).page(user, first, most)

    async def spent_today(self, user: str) -> int | None:
        """Return how many of the user's creates may have cost money since midnight (UTC); None if that is not known."""
        return await self._tolerant(lambda ledger: ledger.spent_today(user), None)

    async def doubt(self, reference: str) -> Doubt | None:
        """Return what is known of a create in doubt; None if it is in none, or that is not known."""
        return await self._tolerant(lambda ledger: ledger.doubt(reference), None)

    async def seconds_to_next_look(self) -> float | None:
        """Return in how many seconds a create of the account is to be looked for; None if none is.

        Raises:
            LedgerError: It cannot be read.
        """
        return await (await self.ledger()).seconds_to_next_look()

    async def take_looks(self, most: int) -> list[Doubt]:
        """Take up to `most` of the looks that are due; no other process takes the same ones.

        Raises:
            LedgerError: They cannot be taken, so there is no look.
        """
        return await (await self.ledger()).take_looks(most)

    async def looked(self, looks: Mapping[str, Look]) -> None:
        """Write down what looks have shown, by reference."""
        await self.write(lambda ledger: ledger.looked(looks))

    async def without_task_among(self, references: Sequence[str]) -> list[Job]:
        """Return those of the account's creates of which no task is known; also of refused ones."""
        return await self._tolerant(lambda ledger: ledger.without_task_among(references), [])

    async def age(self, job: Job) -> float:
        """Return the seconds since a create was written down."""
        return await self.seconds_since(job.created_at)

    async def seconds_since(self, moment: float) -> float:
        """Return the seconds since a moment of the ledger; by this machine's clock if the ledger cannot be asked."""
        return await self._tolerant(lambda ledger: ledger.now(), self._clock.wall()) - moment

    async def created(self, reference: str, task: Task) -> None:
        """Write down that a create made this task."""
        await self.write(lambda ledger: ledger.created(reference, task.id, task.status, task.units, _end_of(task)))

    async def seen(self, job: Job, task: Task) -> None:
        """Write down how the task of a create stands, unless it is known that this is written already."""
        if task.id == job.reference:
            return  # it is in line, and Kling knows nothing of it
        if job.status == task.status and (job.units is not None or task.units is None):
            return  # most looks at a running task bring no news
        await self.write(lambda ledger: ledger.seen(task.id, task.status, task.units, _end_of(task)))

    async def write(self, action: "Callable[[Ledger], Awaitable[None]]") -> None:
        """Write down what has happened already: a failure to write must not hide it."""
        await self._tolerant(action, None)

    async def _tolerant(self, action: "Callable[[Ledger], Awaitable[T]]", otherwise: T) -> T:
        if self._ledger is None and self._clock.monotonic() < self._closed_until:
            return otherwise
        try:
            return await action(await self.ledger())
        except LedgerError as error:
            logger.warning("%s", error)
            return otherwise


def _end_of(task: Task) -> float | None:
    """Return when Kling finished a task, as it says; None if it has not, or does not say."""
    return task.updated_at.timestamp() if task.status in FINAL and task.updated_at is not None else None
