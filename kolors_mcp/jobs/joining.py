"""What becomes of a request that was made before: it waits for the first one's task, whichever process sends it."""

from kolors_mcp import errors
from kolors_mcp.clock import Deadline
from kolors_mcp.jobs.call import Call
from kolors_mcp.jobs.queue import BusyError
from kolors_mcp.jobs.refresh import Refresher
from kolors_mcp.jobs.sending import Sending
from kolors_mcp.jobs.store import Store
from kolors_mcp.jobs.waiting import LEDGER_EVERY_SECONDS, wait_for_job
from kolors_mcp.jobs.watching import MAX_READ_SECONDS, Watcher
from kolors_mcp.kling.task import Task
from kolors_mcp.ledger.job import Job
from kolors_mcp.ledger.states import HELD
from kolors_mcp.models import FINAL
from kolors_mcp.observer import Observer

DOUBTED_AGAIN_SECONDS = 2.0
"""For which a create in doubt is looked for when it is asked for again, if the caller gives no more."""
MAX_SEND_SECONDS = 300.0
"""For which a caller with time waits at most for the same create that is being sent for another call."""


class Joining:
    """Lets a call have what came of the same request."""

    def __init__(self, store: Store, refresher: Refresher, sending: Sending, observer: Observer) -> None:
        """Put the parts together."""
        self._store = store
        self._refresher = refresher
        self._sending = sending
        self._observer = observer

    async def join(
        self, watcher: Watcher, job: Job, call: Call, busy_deadline: Deadline, *, is_last: bool
    ) -> Task | None:
        """Look at a create that was asked for again.

        One that was paid is never an error, whatever keeps us from it.

        Args:
            watcher: The call's.
            job: What the ledger says that the request joins.
            call: The one that asks again.
            busy_deadline: Until when it waits for a busy account.
            is_last: Whether this is the answer, whatever became of it.

        Returns:
            None if the ledger is to be asked again: it came to nothing or was finished, so that a new one may be made.

        Raises:
            KolorsError: It is still in doubt; it was refused for good, so that the same would be said again, or by a
                busy account, for which the caller does not wait; or it came to nothing, and this is the last look.
        """
        try:
            if job.task_id is None:
                task = await self._settle(watcher, job, call)
            else:
                task = await self._refresher.refresh_paid(watcher, job, call.deadline.within(MAX_READ_SECONDS))
        except (errors.RefusedError, errors.UnreachableError, errors.PictureRefusedError) as error:
            if isinstance(error, errors.RefusedError):
                refusal = self._sending.final_refusal(job.reference, error.code)
                if refusal is not None:
                    raise refusal from None
            if is_last or (isinstance(error, BusyError) and not busy_deadline.left()):
                raise
            return None
        await self._store.seen(job, task)
        # When it has ended only now is known, and it may be too long ago to be joined. What was in doubt until now is
        # joined however old it is, unless it failed.
        has_ended = task.status in FINAL and job.status not in FINAL
        was_known = job.task_id is not None or task.status == "failed"
        if has_ended and was_known and not is_last:
            return None
        self._observer.create_ended("joined")
        return task

    async def _settle(self, watcher: Watcher, job: Job, call: Call) -> Task:
        """Wait until it is known what became of a create; while its sender lives, that one alone asks Kling."""
        if self._refresher.line is not None and job.state in HELD:
            # It goes on without its callers, so none of them waits for longer than they want to.
            return await self._refresher.settle(watcher, job, call.waiting(), call.report)
        sent_by = call.deadline.within(MAX_SEND_SECONDS)

        async def read(before: Job) -> Job:
            return await self._store.find(before.user, before.reference) or before

        def is_sent_elsewhere(job: Job) -> bool:
            return job.state in HELD and not self._sending.is_sending(job.reference)

        job = await wait_for_job(
            job, read, lambda job: not is_sent_elsewhere(job), sent_by, pause_seconds=LEDGER_EVERY_SECONDS
        )
        if is_sent_elsewhere(job):
            raise errors.UnconfirmedCreateError(job.reference, "It is still being sent.")
        doubted = call.deadline.within(max(DOUBTED_AGAIN_SECONDS, call.wait))
        return await self._refresher.settle(watcher, job, sent_by if job.state in HELD else doubted)
