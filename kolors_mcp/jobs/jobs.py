"""The paid creates of one account, for all who use it: made once, waited for, found again, and saved."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from kolors_mcp.clock import Clock, Deadline
from kolors_mcp.jobs.account import AccountReader
from kolors_mcp.jobs.call import Call
from kolors_mcp.jobs.copies import FolderCopies, ShelfCopies
from kolors_mcp.jobs.in_line import is_in_line, line_of, with_line, words_of
from kolors_mcp.jobs.joining import Joining
from kolors_mcp.jobs.memory import Inputs, Memory
from kolors_mcp.jobs.reconcile import Reconciler
from kolors_mcp.jobs.refresh import Refresher
from kolors_mcp.jobs.saving import Saving
from kolors_mcp.jobs.sending import Sending
from kolors_mcp.jobs.sighting import Sighting
from kolors_mcp.jobs.store import OpenLedger, Store
from kolors_mcp.jobs.submitting import Submitting
from kolors_mcp.jobs.watching import MAX_READ_SECONDS, Watching
from kolors_mcp.kling.task import Task
from kolors_mcp.ledger.job import Job, NewJob
from kolors_mcp.models import TryOn
from kolors_mcp.observer import UNOBSERVED, Observer

if TYPE_CHECKING:
    from kolors_mcp.images.pictures import Pictures
    from kolors_mcp.jobs.line_parts import LineSettings
    from kolors_mcp.kling.client import KlingClient
    from kolors_mcp.kling.wire import CreateRequest


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
        line: "LineSettings | None" = None,
        callback_address: Callable[[str], str | None] | None = None,
        copies: ShelfCopies | None = None,
    ) -> None:
        """Put the parts together. Nothing is connected, read or written before the first call.

        Args:
            kling: The account's client, which is closed with the jobs, as are the pictures and the ledger.
            pictures: Fetches results.
            open_ledger: Called at the first need.
            save_dir: Where finished pictures are saved, if they are.
            clock: Time, sleep and chance.
            observer: Hears how creates end, and what is left on the account.
            line: What turns on the account's line, which the creates of all processes wait in; without it they wait in
                this process, for as long as their calls do.
            copies: Where finished pictures of many users are kept, if they are.
            callback_address: Where Kling calls us about the create with a reference; left out, or None: nowhere.
        """
        self.callback_address: Callable[[str], str | None] = callback_address or (lambda _reference: None)
        self._kling = kling
        self._pictures = pictures
        self._clock = clock or Clock()
        self._store = Store(open_ledger if line is None else with_line(open_ledger, line), self._clock)
        self.ledger_time = self._store.now
        self._reconciler = Reconciler(kling, self._store, self._clock)
        self._sending = Sending(kling, self._store, self._reconciler, self._clock, observer)
        self._watching = Watching(kling, self._clock)
        self.line = (
            None
            if line is None
            else line_of(
                line, self._sending, self._watching, self._clock, observer, self._copy_finished if copies else None
            )
        )
        """The account's line, where it is turned on."""
        self._refresher = Refresher(self._store, self._reconciler, self._sending, self._clock, self.line)
        self._joining = Joining(self._store, self._refresher, self._sending, observer)
        self.copies = copies
        """Copies of finished pictures on the shelf of a service, if they are kept."""
        place = FolderCopies(save_dir, pictures) if save_dir else copies
        self._saving = None if place is None else Saving(place, pictures, self._store, self._clock)
        self.account = AccountReader(kling, self._clock, observer)
        self.memory = Memory()
        self._submitting = Submitting(kling, self._store, self._refresher, self._joining, self._sending, self.memory)

    async def aclose(self) -> None:
        """Give creates in flight a moment to end, then let go of everything."""
        # Also when the whole program is being cancelled: it takes a few seconds at most; in a service, what is set.
        with anyio.CancelScope(shield=True):
            await self._reconciler.background.aclose()
            if self.line is not None:
                await self._submitting.aclose(self.line.settings.close_seconds)
                await self.line.aclose()
            await self._sending.aclose(None if self.line is None else self.line.settings.close_seconds)
            # What could not be sent to its end was in doubt after that.
            await self._reconciler.background.aclose()
            if self._saving is not None:
                await self._saving.aclose()
            await self.account.aclose()
            await self._kling.aclose()
            await self._pictures.aclose()
            if self.line is not None:
                await self.line.wakes.aclose()
            await self._store.aclose()

    def require_credentials(self) -> None:
        """Raise `NotConfiguredError` if nothing could be asked: before any work is done for it."""
        self._kling.require_credentials()

    async def find(self, user: str, name: str) -> Job | None:
        """Return what is written about Kling's id or our reference; None also if the ledger cannot be read."""
        await self._sending.catch_up()
        return await self._store.find(user, name)

    async def known(self, user: str, name: str) -> Job | None:
        """Return what is written about Kling's id or our reference; raise `LedgerError` if that is not known."""
        await self._sending.catch_up()
        return await self._store.known(user, name)

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

    async def places(self, jobs: Sequence[Job]) -> dict[str, str]:
        """Return in words where those of them stand that wait in line, by reference, as far as that is known."""
        waiting = [job.reference for job in jobs if job.state == "waiting"]
        places = {} if self.line is None else await self.line.places(waiting)
        return {reference: words_of(place) for reference, place in places.items()}

    async def spent_today(self, user: str) -> int | None:
        """Return how many of the user's creates may have cost money since midnight (UTC); None if that is not known."""
        return await self._store.spent_today(user)

    async def page(self, user: str, page_num: int, page_size: int, until: Deadline | None = None) -> list[Sighting]:
        """Read a page of the account's list; creates in doubt that are on it are in doubt no more."""
        with self._reconciler.background.after_call():
            tasks = await self._kling.page(page_num, page_size, until)
            jobs = await self._known(user, tasks)
            return [Sighting(task, jobs.get(task.id)) for task in tasks]

    async def save(self, user: str, try_on: TryOn, deadline: Deadline) -> TryOn:
        """Save the pictures of a finished one where that is set, and say in the answer where they are."""
        return try_on if self._saving is None else await self._saving.save(user, try_on, deadline)

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
            LedgerError, DailyLimitError, LineFullError: It may not be paid for. Nothing was sent.
            KlingError: As `KlingClient.create` says.
            UnconfirmedCreateError: Also where the same was refused before, and Kling cannot be asked for it.
        """
        with self._reconciler.background.after_call(), self._watching.watcher() as watcher:
            seen = await self._submitting.submit(new, request, inputs, call, watcher, daily_limit=daily_limit)
            if not is_in_line(seen.task, seen.job):
                task, hindrance = await watcher.follow(seen.task, call.waiting(), call.report)
                seen = replace(seen, task=task, hindrance=hindrance)
            return await self._noted(seen)

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
                # One without a reference was made elsewhere; what was asked for by its id has just been looked up.
                if job is None and (task.reference is not None or task.id != name):
                    job = (await self._known(call.user, [task])).get(task.id)
            else:
                task = await self._refresher.find_refused(job, call.deadline)
                if task is None:
                    task = await self._refresher.settle(watcher, job, waiting, call.report)
            hindrance = None
            if not is_in_line(task, job):
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

    async def _noted(self, seen: Sighting) -> Sighting:
        """Write down what was seen last."""
        if seen.job is not None:
            await self._store.seen(seen.job, seen.task)
            self._copy_finished(seen.job, seen.task)
        return seen

    def _copy_finished(self, job: Job, task: Task) -> None:
        """Begin to copy what has just been seen finished onto the shelf of a service, where copies are kept."""
        if self.copies is not None and self._saving is not None and task.status == "succeed":
            self._saving.begin(job, task)
