"""Looks at one try-on until patience ends: one that Kling knows, or one of which nobody knows yet what became of it."""

from datetime import UTC, datetime

from kolors_mcp import errors
from kolors_mcp.clock import Clock, Deadline
from kolors_mcp.jobs.call import Report
from kolors_mcp.kling.task import Task, status_of
from kolors_mcp.ledger.job import Job
from kolors_mcp.models import FINAL, is_reference
from kolors_mcp.try_ons.creates import Creates
from kolors_mcp.try_ons.doubts import Doubts
from kolors_mcp.try_ons.polls import LONGEST_LOOK, PAUSES, Polls
from kolors_mcp.try_ons.records import Records
from kolors_mcp.wording import plain, quoted

STEP = 0.5
"""Seconds between two looks into the ledger while another process is sending the same create."""
DENIED_FOR = 3600.0
"""Seconds after its creation in which Kling's "not found" does not count against a task whose id it gave us."""


class Looking:
    """How try-ons are looked at."""

    def __init__(self, records: Records, creates: Creates, doubts: Doubts, polls: Polls, clock: Clock) -> None:
        """Put the parts together."""
        self._records = records
        self._creates = creates
        self._doubts = doubts
        self._polls = polls
        self._clock = clock

    async def at(self, user: str, task_id: str, job: Job | None, reading: Deadline, settling: Deadline) -> Task:
        """Look at a try-on by Kling's id or our reference.

        Args:
            user: Who looks.
            task_id: Kling's, or our reference if that is all there is.
            job: What is written about it.
            reading: For reading a task.
            settling: For finding out what became of a create in doubt, which is looked for at least once.

        Raises:
            TaskNotFoundError: Kling does not know the id.
            UnconfirmedCreateError: It is the reference of a create of which Kling still shows nothing.
            KlingError: Kling could not be asked.
        """
        if job is not None and job.task_id is None:
            return await self.settled(user, job, settling)
        try:
            return await self._seen(task_id, reading)
        except errors.TaskNotFoundError:
            if job is not None and self._clock.wall() - job.created_at < DENIED_FOR:
                return _as_written(job, "Kling does not show this try-on just now")
            # A create that this ledger does not know, at a Kling that shows references only in its list.
            if job is None and is_reference(task_id) and (found := await self._doubts.search(task_id)):
                return found
            raise

    async def again(self, user: str, job: Job, deadline: Deadline) -> Task:
        """Look at a try-on that was asked for again. One that was paid is never an error, whatever keeps us from it.

        Raises:
            KolorsError: Nothing was created, or the create is still in doubt.
        """
        if job.task_id is None:
            return await self.settled(user, job, deadline)
        try:
            return await self._seen(job.task_id, deadline.within(LONGEST_LOOK))
        except errors.KolorsError as error:
            return _as_written(job, f"Kling could not be asked just now ({type(error).__name__})")

    async def settled(self, user: str, job: Job, deadline: Deadline) -> Task:
        """Find out what became of a create that has no task id yet.

        Raises:
            KolorsError: Nothing was created.
            UnconfirmedCreateError: It is still not known.
        """
        look_at = self._clock.monotonic()
        while True:
            task = await self._creates.outcome(job.reference, deadline, owned=False)
            sending = self._creates.in_flight(job.reference)
            if task is None and not sending:
                job = await self._records.find(user, job.reference) or job
                if job.state == "refused":
                    raise errors.RefusedError(
                        f"The create with the reference {quoted(job.reference)} came to nothing",
                        "Nothing was billed; create it again.",
                        creating=True,
                        code=job.code,
                    )
                if job.task_id is not None:
                    return await self.again(user, job, self._clock.deadline(LONGEST_LOOK))
                if self._clock.monotonic() >= look_at:
                    task = await self._doubts.found(job, self._clock.deadline(0))
                    look_at = self._clock.monotonic() + PAUSES.initial_seconds
            if task is not None:
                return task
            if not deadline.allows(STEP):
                cause = "It is still being sent." if sending else "It was looked for and has not turned up yet."
                raise errors.UnconfirmedCreateError(job.reference, cause)
            await self._clock.sleep(STEP)

    async def followed(self, task: Task, deadline: Deadline, report: Report) -> tuple[Task, str | None]:
        """Poll until a task is finished or the deadline has come; ride out what passes.

        Returns:
            The task as last seen, and what kept us from watching it, if something did.
        """
        with self._polls.watching(task.id):
            while True:
                if task.status in FINAL or deadline.left() <= 0:
                    return task, None
                report(f"Kling says {task.status}")
                try:
                    task = await self._polls.next(task.id, deadline) or task
                except errors.KolorsError as error:
                    # "Not found" soon after a create is not true; anything else that passes is ridden out too.
                    if isinstance(error, errors.TaskNotFoundError) or error.retryable:
                        continue
                    # What is known of a paid task outlives whatever keeps us from watching it.
                    return task, plain(str(error), 400)

    async def _seen(self, task_id: str, deadline: Deadline) -> Task:
        with self._polls.watching(task_id):
            return await self._polls.now(task_id, deadline)


def _as_written(job: Job, why: str) -> Task:
    """Return what is written down of a create that Kling cannot tell about now."""
    assert job.task_id is not None
    status, odd = status_of(job.status)
    message = odd or f"{why}; this is its last known status."
    return Task(job.task_id, None, status, message, created_at=datetime.fromtimestamp(job.created_at, UTC))
