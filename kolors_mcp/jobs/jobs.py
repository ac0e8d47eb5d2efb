"""The paid creates of one account, for all who use it: made once, waited for, found again, and saved."""

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from kolors_mcp import errors
from kolors_mcp.clock import Clock, Deadline
from kolors_mcp.jobs.account import AccountReader
from kolors_mcp.jobs.call import Call
from kolors_mcp.jobs.joining import Joining
from kolors_mcp.jobs.memory import Inputs, Memory
from kolors_mcp.jobs.reconcile import Reconciler
from kolors_mcp.jobs.refresh import Refresher
from kolors_mcp.jobs.saving import Saving
from kolors_mcp.jobs.sending import Sending
from kolors_mcp.jobs.store import OpenLedger, Store
from kolors_mcp.jobs.watching import MAX_READ_SECONDS, Watching
from kolors_mcp.kling.task import Task
from kolors_mcp.ledger.job import Job, NewJob, Reservation
from kolors_mcp.models import TryOn
from kolors_mcp.observer import UNOBSERVED, Observer
from kolors_mcp.wording import plain

if TYPE_CHECKING:
    from kolors_mcp.images.pictures import Pictures
    from kolors_mcp.kling.client import KlingClient
    from kolors_mcp.kling.wire import CreateRequest

logger = logging.getLogger(__name__)

UNASKED = "This call has created nothing; whether the same was created before is not known."
"""What is true of a request that the ledger knows nothing of: it may be the repetition of one that was paid."""


@dataclass(frozen=True)
class Sighting:
    """How a create stands: what Kling says of it, and what is written about it."""

    task: Task
    job: Job | None
    """None where the ledger knows nothing."""
    is_new: bool = False
    """Whether this very call has made it."""
    hindrance: str | None = None
    """What keeps us from seeing how it stands by now, if something does."""


class Jobs:
    """The jobs of one account in one process. It owns the client and the ledger; calls of any user share it."""

    def __init__(
        self,
        kling: "KlingClient",
        pictures: "Pictures",
        open_ledger: OpenLedger,
        *,
        save_dir: Path | None = None,
        clock: Clock | None = None,
        observer: Observer = UNOBSERVED,
    ) -> None:
        """Put the parts together. Nothing is connected, read or written before the first call.

        Args:
            kling: The account's client, which is closed with the jobs, as are the pictures and the ledger.
            pictures: Fetches results.
            open_ledger: Called at the first need.
            save_dir: Where finished pictures are saved, if they are.
            clock: Time, sleep and chance.
            observer: Hears how creates end, and what is left on the account.
        """
        self._kling = kling
        self._pictures = pictures
        self._clock = clock or Clock()
        self._store = Store(open_ledger, self._clock)
        self.ledger_time = self._store.now
        self._reconciler = Reconciler(kling, self._store, self._clock)
        self._sending = Sending(kling, self._store, self._reconciler, self._clock, observer)
        self._watching = Watching(kling, self._clock)
        self._refresher = Refresher(self._store, self._reconciler, self._sending, self._clock)
        self._joining = Joining(self._store, self._refresher, self._sending, observer)
        self._saving = Saving(save_dir, pictures, self._store) if save_dir else None
        self.account = AccountReader(kling, self._clock, observer)
        self.memory = Memory()

    async def aclose(self) -> None:
        """Give creates in flight a moment to end, then let go of everything."""
        # Also when the whole program is being cancelled: it takes a few seconds at most.
        with anyio.CancelScope(shield=True):
            await self._reconciler.background.aclose()
            await self._sending.aclose()
            # What could not be sent to its end was in doubt after that.
            await self._reconciler.background.aclose()
            if self._saving is not None:
                await self._saving.aclose()
            await self.account.aclose()
            await self._kling.aclose()
            await self._pictures.aclose()
            await self._store.aclose()

    def require_credentials(self) -> None:
        """Raise `NotConfiguredError` if nothing could be asked: before any work is done for it."""
        self._kling.require_credentials()

    async def find(self, user: str, name: str) -> Job | None:
        """Return what is written about Kling's id or our reference; None also if the ledger cannot be read."""
        await self._sending.catch_up()
        return await self._store.find(user, name)

    async def labelled(self, user: str, label: str, most: int) -> list[Job]:
        """Return the user's jobs that people call so, the newest first; raise `LedgerError` if that is not known."""
        return await self._store.labelled(user, label, most)

    async def recent(self, user: str, limit: int) -> list[Job]:
        """Return the user's latest jobs, the newest first."""
        return await self._store.recent(user, limit)

    async def written(self, user: str, first: int, most: int) -> list[Job]:
        """Return the user's jobs, refused ones left out, from the `first` on; raise `LedgerError` if not known."""
        await self._sending.catch_up()
        return await self._store.written(user, first, most)

    async def spent_today(self, user: str) -> int | None:
        """Return how many of the user's creates may have cost money since midnight (UTC); None if that is not known."""
        return await self._store.spent_today(user)

    async def page(self, user: str, page_num: int, page_size: int, until: Deadline | None = None) -> list[Sighting]:
        """Read a page of the account's list; creates in doubt that are on it are in doubt no more."""
        with self._reconciler.background.after_call():
            tasks = await self._kling.page(page_num, page_size, until)
            jobs = await self._known(user, tasks)
            return [Sighting(task, jobs.get(task.id)) for task in tasks]

    async def save(self, try_on: TryOn, deadline: Deadline) -> TryOn:
        """Save the pictures of a finished one where that is set, and say in the answer where they are."""
        return try_on if self._saving is None else await self._saving.save(try_on, deadline)

    async def submit(
        self, new: NewJob, request: "CreateRequest", inputs: Inputs, call: Call, *, daily_limit: int | None
    ) -> Sighting:
        """Make a create, once, or join the same one that was made before; wait for it if the caller wants to.

        Args:
            new: What is written down before it is sent.
            request: What is sent; its pictures are closed, whatever comes of it.
            inputs: What the create was given.
            call: Of the user of `new`.
            daily_limit: Most paid creates of this user in a UTC day.

        Raises:
            LedgerError, DailyLimitError: It may not be paid for. Nothing was sent.
            KlingError: As `KlingClient.create` says.
            UnconfirmedCreateError: Also where the same was refused before, and Kling cannot be asked for it.
        """
        with ExitStack() as unsent, self._reconciler.background.after_call(), self._watching.watcher() as watcher:
            unsent.callback(request.close)
            joined, busy_deadline = set[str](), call.waiting()
            while True:
                reservation = await self._reserve(new, daily_limit, call.deadline)
                job = reservation.job
                self.memory.keep_inputs(job.reference, inputs)
                if reservation.is_new:
                    unsent.pop_all()  # the send closes them
                    self.memory.keep_callback(job.reference, request.callback_url)
                    task = await self._send(job, request, call)
                    job = replace(job, task_id=task.id, status=task.status)  # as the send has written it down
                    break
                call.report("the same try-on was asked for before; looking at it")
                # What is joined a second time is the answer, whatever became of it.
                task = await self._joining.join(watcher, job, call, busy_deadline, is_last=job.reference in joined)
                if task is not None:
                    break
                joined.add(job.reference)
            task, hindrance = await watcher.follow(task, call.waiting(), call.report)
            return await self._noted(Sighting(task, job, reservation.is_new, hindrance))

    async def look(self, name: str, job: Job | None, call: Call, waiting: Deadline) -> Sighting:
        """Look at a create, by Kling's id or our reference, and wait until it is finished.

        Args:
            name: As it was asked for.
            job: What is written about it.
            call: Bounds the first look.
            waiting: Bounds the waiting, and the looks for a create in doubt, of which there is at least one.

        Raises:
            TaskNotFoundError: Kling does not know the id.
            UnconfirmedCreateError: Of the create with this reference Kling shows nothing, which proves nothing.
            KlingError: Kling could not be asked.
        """
        with self._reconciler.background.after_call(), self._watching.watcher() as watcher:
            if job is None or job.task_id is not None:
                first = call.deadline.within(max(MAX_READ_SECONDS, call.wait))
                task = await self._refresher.refresh(watcher, name, job, first)
                if job is None:
                    job = (await self._known(call.user, [task])).get(task.id)
            else:
                task = await self._refresher.find_refused(job, call.deadline)
                if task is None:
                    task = await self._refresher.settle(watcher, job, waiting)
            task, hindrance = await watcher.follow(task, waiting, call.report)
        if job is not None and job.task_id is None:
            job = await self._store.find(job.user, job.reference) or job
        return await self._noted(Sighting(task, job, hindrance=hindrance))

    async def note_saved(self, task_id: str, index: int, path: str) -> None:
        """Write down where a picture was saved."""
        await self._store.write(lambda ledger: ledger.saved(task_id, index, path))

    async def _known(self, user: str, tasks: Sequence[Task]) -> dict[str, Job]:
        """Return what is written about tasks that were just read; a create in doubt that is one of them is settled."""
        await self._reconciler.settle_among(tasks)
        return await self._store.find_many(user, [task.id for task in tasks])

    async def _reserve(self, new: NewJob, daily_limit: int | None, deadline: Deadline) -> Reservation:
        try:
            with deadline.scope():
                await self._ask_the_time(deadline)
                return await self._refresher.reserve(new, deadline, daily_limit=daily_limit)
        except errors.LedgerError as error:
            raise errors.LedgerError(f"{error} {UNASKED}") from error
        raise errors.LedgerError(f"The ledger of paid try-ons did not answer in time. Try again in a minute. {UNASKED}")

    async def _ask_the_time(self, deadline: Deadline) -> None:
        """Let Kling tell its time where the ledger cannot believe this clock; until it does, time stands still."""
        if (await self._store.ledger()).needs_kling_time:
            try:
                await self._kling.page(1, 1, deadline.within(MAX_READ_SECONDS))
            except errors.KolorsError as error:
                logger.info("asking Kling for the time: %s", plain(str(error), 400))

    async def _send(self, job: Job, request: "CreateRequest", call: Call) -> Task:
        call.report("sending the pictures to Kling")
        self._sending.start(job, request, call)
        task = await self._sending.outcome(job.reference, call.deadline, owned=True)
        if task is None:
            raise errors.UnconfirmedCreateError(job.reference, "It is still being sent.")
        return task

    async def _noted(self, seen: Sighting) -> Sighting:
        """Write down what was seen last."""
        if seen.job is not None:
            await self._store.seen(seen.job, seen.task)
        return seen
