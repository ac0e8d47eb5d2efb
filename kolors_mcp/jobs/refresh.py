"""Finds out how one create stands now, by asking the send in flight, the ledger and Kling."""

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kolors_mcp import errors
from kolors_mcp.clock import Clock, Deadline
from kolors_mcp.jobs.call import Report, ignore
from kolors_mcp.jobs.in_line import IN_LINE_EVERY_SECONDS, task_in_line, words_of
from kolors_mcp.jobs.reconcile import Reconciler, doubted_refusal
from kolors_mcp.jobs.sending import Sending
from kolors_mcp.jobs.store import Store
from kolors_mcp.jobs.waiting import LEDGER_EVERY_SECONDS, wait_for_job
from kolors_mcp.jobs.watching import MAX_READ_SECONDS, PAUSES, Watcher
from kolors_mcp.kling.refusals import BUSY_CODES
from kolors_mcp.kling.task import Task, status_of
from kolors_mcp.ledger.doubt import LOOKED_FOR_SECONDS
from kolors_mcp.ledger.job import Job, LookFirstError, NewJob, Refusals, Reservation
from kolors_mcp.models import is_reference
from kolors_mcp.wording import quoted

if TYPE_CHECKING:
    from kolors_mcp.jobs.line import Line
    from kolors_mcp.ledger.slots import Place

REFUSED_FOR_SECONDS, MAX_REFUSED = 600.0, 3
"""For which a create that a busy account said no to is looked for before the same is sent again; the latest of them."""
DENIED_FOR_SECONDS = 3600.0
"""After its creation in which Kling's "not found" does not count against a task whose id it gave us."""


@dataclass(frozen=True)
class _Standing:
    """How a create without a task id stands."""

    job: Job
    look_at: float
    """When to ask Kling for it, by the clock's monotonic time."""
    task: Task | None = None
    is_sent: bool = False
    """Whether it is being sent, here or by another process that lives."""
    is_in_line: bool = False
    """Whether it waits in line, or is being sent from there."""
    place: "Place | None" = None
    """Where it stands in line, if it waits there and that is known."""


class Refresher:
    """Asks about creates; the watcher of a call does the reading."""

    def __init__(
        self, store: Store, reconciler: Reconciler, sending: Sending, clock: Clock, line: "Line | None" = None
    ) -> None:
        """Put the parts together; `line` is the account's, in a service."""
        self.line = line
        self._store = store
        self._reconciler = reconciler
        self._sending = sending
        self._clock = clock

    async def settle(self, watcher: Watcher, job: Job, deadline: Deadline, report: Report = ignore) -> Task:
        """Wait until it is known what became of a create that has no task id yet.

        Args:
            watcher: Of the call.
            job: The create.
            deadline: Until when to wait.
            report: Hears where it stands in line.

        Returns:
            Its task; what stands for a task, where it is still in line, or is being sent from there.

        Raises:
            KolorsError: Nothing was created.
            UnconfirmedCreateError: It is still not known.
        """

        async def read(before: _Standing) -> _Standing:
            return await self._read(watcher, before, deadline)

        def tell(standing: _Standing) -> None:
            if standing.is_in_line:
                report(words_of(standing.place))

        line = self.line
        pause = LEDGER_EVERY_SECONDS if line is None else IN_LINE_EVERY_SECONDS
        with nullcontext() if line is None else line.moves_of(job.reference) as woken:
            last = await wait_for_job(
                await read(_Standing(job, look_at=self._clock.monotonic())),
                read,
                lambda standing: standing.task is not None,
                deadline,
                pause_seconds=pause,
                woken=woken,
                tell=tell,
            )
        if last.task is not None:
            return last.task
        if last.is_in_line:
            return task_in_line(last.job, last.place)
        cause = "It is still being sent." if last.is_sent else await self._reconciler.describe(last.job)
        raise errors.UnconfirmedCreateError(job.reference, cause)

    async def _read(self, watcher: Watcher, before: _Standing, deadline: Deadline) -> _Standing:
        """Return how a create stands now; the send in flight here is waited for until the deadline."""
        job, now = before.job, replace(before, task=None, is_sent=False, is_in_line=False, place=None)
        task = await self._sending.outcome(job.reference, deadline, owned=False)
        if task is not None or self._sending.is_sending(job.reference):
            return replace(now, task=task, is_sent=True, is_in_line=self.line is not None)
        if self.line is not None and (still := await self.line.places([job.reference], again=True)):
            return replace(now, is_in_line=True, place=still[job.reference])
        return await self._read_written(watcher, now, before.look_at)

    async def _read_written(self, watcher: Watcher, now: _Standing, look_at: float) -> _Standing:
        """Return how a create stands that is not sent by this process, by what is written down."""
        job = await self._store.find(now.job.user, now.job.reference) or now.job
        now = replace(now, job=job)
        match job.state:
            case "waiting":
                places = {} if self.line is None else await self.line.places([job.reference])
                return replace(now, is_in_line=True, place=places.get(job.reference))
            case "refused":
                raise self._ending_of(job)
            case "created":
                task = await self.refresh_paid(watcher, job, self._clock.deadline(MAX_READ_SECONDS))
                return replace(now, task=task)
            case "sending" | "posting":
                # Its sender lives, and writes down what comes of it.
                return replace(now, is_sent=True, is_in_line=self.line is not None)
            case "unconfirmed":
                if self._clock.monotonic() < look_at:
                    return now
                task = await self._reconciler.reconcile(job, self._clock.deadline(0.0))
                return replace(now, task=task, look_at=self._clock.monotonic() + PAUSES.initial_seconds)

    def _ending_of(self, job: Job) -> errors.KolorsError:
        """Return with what a refused create ended, as far as this process knows."""
        if self.line is None:
            return _came_to_nothing(job)
        known = self.line.ending_of(job.reference) or self._sending.final_refusal(job.reference, job.code)
        return known or _came_to_nothing(job)

    async def refresh(self, watcher: Watcher, name: str, job: Job | None, deadline: Deadline) -> Task:
        """Read a task; what Kling denies soon after it gave us its id is there all the same."""
        name = name if job is None else job.task_id or name
        try:
            return await watcher.read(name, deadline)
        except errors.TaskNotFoundError:
            if job is not None and await self._store.age(job) < DENIED_FOR_SECONDS:
                return _as_written(job, "Kling does not show this try-on just now")
            # A create that this ledger does not know, at a Kling that shows references only in its list.
            if job is None and is_reference(name):
                seen = await self._reconciler.search(name, math.inf)
                if name in seen.tasks:
                    return seen.tasks[name]
            raise

    async def reserve(self, new: NewJob, deadline: Deadline, *, daily_limit: int | None) -> Reservation:
        """Reserve a create; what a busy account said no to of late is looked for before the same is paid for again.

        Args:
            new: What is asked for.
            deadline: Of who asks; what was refused is looked for when it would show.
            daily_limit: As `Sending.reserve` has it.

        Raises:
            LedgerError, DailyLimitError: As `Sending.reserve` says.
            UnconfirmedCreateError: Kling cannot be asked just now, or it would show only after the deadline; not where
                who asks has said that it be made anew.
        """
        looked_for: frozenset[str] = frozenset()
        while True:
            refusals = Refusals(BUSY_CODES, REFUSED_FOR_SECONDS, MAX_REFUSED, looked_for)
            try:
                return await self._sending.reserve(new, daily_limit=daily_limit, refusals=refusals)
            except LookFirstError as error:
                # What was made after all is written down then, and joined; if it could not be, it is found again.
                looked_for |= await self._settle_refused(error.refused, deadline, required=not new.fresh)

    async def _settle_refused(self, refused: Sequence[Job], deadline: Deadline, *, required: bool) -> set[str]:
        """Write down what a busy account took although it said no; return the references of what did not turn up."""
        absent: set[str] = set()
        for job in refused:
            would_show = await self._wait_until_it_would_show(job, deadline)
            seen = await self._reconciler.of_late(job.reference)
            if job.reference in seen.tasks:
                await self._reconciler.confirm(job, seen.tasks[job.reference])
                continue
            if required and not (seen.is_whole and would_show):
                raise doubted_refusal(job.reference, would_show=would_show)
            absent.add(job.reference)
        return absent

    async def _wait_until_it_would_show(self, job: Job, deadline: Deadline) -> bool:
        """Wait until Kling would show what it made of a create; False if the deadline comes first."""
        left = 0.0 if job.look_at is None else -await self._store.seconds_since(job.look_at)
        if left > 0:
            if not deadline.allows(left):
                return False
            await self._clock.sleep(left)
        return True

    async def find_refused(self, job: Job, deadline: Deadline) -> Task | None:
        """Look for a create that a busy account said no to: its task may have shown only after that was told.

        Raises:
            UnconfirmedCreateError: Kling cannot be asked just now, or it would show only after the deadline.
        """
        if job.state != "refused" or job.code not in BUSY_CODES or job.posted_at is None:
            return None
        age = await self._store.age(job)
        if age >= LOOKED_FOR_SECONDS:
            return None
        would_show = await self._wait_until_it_would_show(job, deadline)
        seen = await self._reconciler.search(job.reference, age)
        task = seen.tasks.get(job.reference)
        if task is not None:
            await self._reconciler.confirm(job, task)
        elif not (seen.is_whole and would_show):
            raise doubted_refusal(job.reference, would_show=would_show)
        return task

    async def refresh_paid(self, watcher: Watcher, job: Job, deadline: Deadline) -> Task:
        """Read a task that was paid; where Kling cannot tell about it now, the ledger does."""
        assert job.task_id is not None
        try:
            return await watcher.read(job.task_id, deadline)
        except errors.KolorsError as error:
            could = "does not know it" if isinstance(error, errors.TaskNotFoundError) else "could not be asked"
            return _as_written(job, f"Kling {could} just now ({type(error).__name__})")


def _came_to_nothing(job: Job) -> errors.RefusedError:
    return errors.RefusedError(
        f"The create with the reference {quoted(job.reference)} came to nothing",
        "Nothing was billed; create it again.",
        creating=True,
        code=job.code,
    )


def _as_written(job: Job, why: str) -> Task:
    """Return what is written down of a create that Kling cannot tell about now."""
    assert job.task_id is not None
    (status, odd), created_at = status_of(job.status), datetime.fromtimestamp(job.created_at, UTC)
    return Task(job.task_id, None, status, odd or f"{why}; this is its last known status.", created_at)
