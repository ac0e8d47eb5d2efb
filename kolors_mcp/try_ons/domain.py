"""The try-ons of one user: create, get, wait, list, view."""

import logging
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio

from kolors_mcp import errors
from kolors_mcp.clock import Clock, Deadline
from kolors_mcp.jobs.call import Call
from kolors_mcp.kling.task import Task
from kolors_mcp.ledger.job import Job, NewJob, Reservation
from kolors_mcp.models import Picture, Status, TryOn, TryOnPage, new_reference
from kolors_mcp.settings import Settings
from kolors_mcp.try_ons.creates import Creates
from kolors_mcp.try_ons.doubts import Doubts
from kolors_mcp.try_ons.gallery import Gallery
from kolors_mcp.try_ons.keeping import Keeping
from kolors_mcp.try_ons.looking import Looking
from kolors_mcp.try_ons.outcome import try_on_of
from kolors_mcp.try_ons.polls import LONGEST_LOOK, Polls
from kolors_mcp.try_ons.preparing import fingerprint, model_for, prepared
from kolors_mcp.try_ons.records import OpenLedger, Records, known_of
from kolors_mcp.try_ons.wish import Wish

if TYPE_CHECKING:
    from kolors_mcp.images.pictures import Pictures
    from kolors_mcp.kling.client import KlingClient

logger = logging.getLogger(__name__)

SENT_WITHIN = 10.0
"""Seconds of an impatient caller's time that are left for the sending, after the pictures are ready."""
DOUBTED_AGAIN = 2.0
"""Seconds for which a create in doubt is looked for when it is asked for again, if the caller gives no more."""
SENT_SOON = 60.0
"""Seconds in which most sends are over."""
LONGEST_SEND = 300.0
"""Seconds that a patient caller waits for the same create that somebody else here is sending."""


class TryOns:
    """What can be done with the try-ons of one account."""

    def __init__(
        self,
        kling: "KlingClient",
        pictures: "Pictures",
        settings: Settings,
        open_ledger: OpenLedger,
        *,
        clock: Clock | None = None,
    ) -> None:
        """Put the parts together. Nothing is connected, read or written before the first call."""
        self._kling = kling
        self._pictures = pictures
        self._settings = settings
        self._clock = clock or Clock()
        self._records = Records(open_ledger, self._clock)
        self._doubts = Doubts(kling, self._records, self._clock)
        self._creates = Creates(kling, self._records, self._doubts, self._clock)
        self._polls = Polls(kling, self._clock)
        self._looking = Looking(self._records, self._creates, self._doubts, self._polls, self._clock)
        self.gallery = Gallery(
            kling,
            pictures,
            self._records,
            self.get,
            folder=settings.save_dir,
            sandbox=settings.sandbox,
        )
        self._keeping = Keeping(settings.save_dir, pictures, self._records) if settings.save_dir else None

    async def aclose(self) -> None:
        """Give creates in flight a moment to end, then let go of everything."""
        # Also when the whole program is being cancelled: it takes a few seconds at most.
        with anyio.CancelScope(shield=True):
            await self._creates.aclose()
            if self._keeping is not None:
                await self._keeping.aclose()
            await self._kling.aclose()
            await self._pictures.aclose()
            await self._records.aclose()

    async def create(self, wish: Wish, call: Call) -> TryOn:
        """Prepare the pictures, start the paid task once, and wait for it if the caller wants to.

        Raises:
            ArgumentError: The combination of garments and model cannot work. Nothing was sent.
            PictureRefusedError: A picture cannot be had or used. Nothing was sent.
            LedgerError, DailyLimitError: It may not be paid for. Nothing was sent.
            KlingError: As `KlingClient.create` says.
        """
        self._kling.require_credentials()
        model_name, notes = model_for(wish, self._settings.model)
        call.report("preparing the pictures")
        human, cloth = await self._prepared(wish, call.deadline)
        with ExitStack() as unused:
            unused.callback(human.close)
            unused.callback(cloth.close)
            new = NewJob(
                new_reference(),
                call.user,
                fingerprint(human, cloth),
                model_name,
                (human.label, cloth.label),
                (*human.notes, *cloth.notes, *notes),
                fresh=wish.new_render,
            )
            followed: set[str] = set()
            while True:
                reservation = await self._reserved(new, call.deadline)
                job = reservation.job
                self.gallery.remember(job.reference, wish)
                if reservation.is_new:
                    unused.pop_all()  # the send closes them
                    task = await self._send(job, wish, human, cloth, call)
                    # As the end of the send has written it down.
                    job = replace(job, task_id=task.id, status=task.status)
                    break
                call.report("the same try-on was asked for before; looking at it")
                seen_before = job.reference in followed
                followed.add(job.reference)
                try:
                    task = await self._looking.again(call.user, job, self._for_another(job, call))
                except (errors.RefusedError, errors.UnreachableError, errors.PictureRefusedError):
                    if seen_before:
                        raise
                    continue  # it came to nothing, so a new one may be made
                await self._note(task.id, task.status)
                if task.status != "failed" or seen_before:
                    break
        task, kept_from = await self._looking.followed(task, call.waiting(), call.report)
        return await self._answer(task, job, kept_from, call, reused=not reservation.is_new)

    async def get(self, task_id: str, call: Call) -> TryOn:
        """Look at a try-on by Kling's id or our reference; wait until it is finished or the caller's wait ends.

        Raises:
            TaskNotFoundError: Kling does not know the id.
            UnconfirmedCreateError: It is the reference of a create of which Kling still shows nothing.
            KlingError: Kling could not be asked.
        """
        waiting = call.waiting()
        call.report("asking Kling")
        await self._doubts.look_for_all(call.user, self._creates.in_flight)
        job = await self._records.find(call.user, task_id)
        known_id = task_id if job is None else job.task_id or task_id
        # From the first look to the last, so that whoever else asks meanwhile is told what this one has seen.
        with self._polls.watching(known_id):
            task = await self._looking.at(
                call.user,
                known_id,
                job,
                reading=call.deadline.within(max(LONGEST_LOOK, call.wait)),
                settling=waiting,
            )
            task, kept_from = await self._looking.followed(task, waiting, call.report)
        if job is not None and job.task_id is None:
            job = await self._records.find(call.user, job.reference) or job
        return await self._answer(task, job, kept_from, call)

    async def list(self, page_num: int, page_size: int, call: Call) -> TryOnPage:
        """List a page of the account's try-ons."""
        tasks = await self._kling.page(page_num, page_size)
        await self._doubts.look_for_all(call.user, self._creates.in_flight, tasks)
        jobs = await self._records.find_many(call.user, [task.id for task in tasks])
        return TryOnPage(
            page_num=page_num,
            page_size=page_size,
            has_more=len(tasks) >= page_size,
            try_ons=tuple(self._try_on(task, jobs.get(task.id)) for task in tasks),
        )

    async def _prepared(self, wish: Wish, deadline: Deadline) -> tuple[Picture, Picture]:
        with deadline.earlier(SENT_WITHIN).scope():
            return await prepared(wish, self._pictures)
        raise errors.PictureRefusedError(
            "The pictures were not ready in time. Nothing was sent. Use smaller ones, or pictures that load faster."
        )

    async def _reserved(self, new: NewJob, deadline: Deadline) -> Reservation:
        try:
            with deadline.scope():
                return await self._creates.reserve(new, daily_limit=self._settings.daily_limit)
        except errors.LedgerError as error:
            raise errors.LedgerError(f"{error} No task was created.") from error
        raise errors.LedgerError(
            "The ledger of paid try-ons did not answer in time. No task was created. Try again in a minute."
        )

    async def _send(self, job: Job, wish: Wish, human: Picture, cloth: Picture, call: Call) -> Task:
        from kolors_mcp.kling.wire import CreateRequest  # noqa: PLC0415  (the HTTP client is loaded on first use)

        request = CreateRequest(human, cloth, job.model_name, wish.callback_url, job.reference)
        call.report("sending the pictures to Kling")
        self._creates.start(job, request, call.waiting(), call.report)
        task = await self._creates.outcome(job.reference, call.deadline, owned=True)
        if task is None:
            raise errors.UnconfirmedCreateError(job.reference, "It is still being sent.")
        return task

    async def _answer(
        self,
        task: Task,
        job: Job | None,
        kept_from: str | None,
        call: Call,
        *,
        reused: bool = False,
    ) -> TryOn:
        """Say what was seen last; write it down, and keep the pictures where the settings say so."""
        try_on = self._try_on(task, job, reused=reused)
        if kept_from is not None:
            try_on = try_on.model_copy(update={"status_message": kept_from})
        if job is not None and job.status != try_on.status:
            await self._note(try_on.task_id, try_on.status)
        if self._keeping is not None and try_on.images:
            return await self._keeping.kept(try_on, call.deadline)
        return try_on

    async def _note(self, task_id: str, status: Status) -> None:
        await self._records.write(lambda ledger: ledger.seen(task_id, status))

    def _for_another(self, job: Job, call: Call) -> Deadline:
        """Return until when a caller waits for the same create, sent for another call."""
        if self._creates.in_flight(job.reference):
            return call.deadline.within(LONGEST_SEND)
        # Another process that began just now is still at it; one that began long ago has probably died.
        fresh = job.state != "unconfirmed" and self._clock.wall() - job.created_at < SENT_SOON
        least = LONGEST_LOOK if fresh else DOUBTED_AGAIN
        return call.deadline.within(max(least, call.wait))

    def _try_on(self, task: Task, job: Job | None, *, reused: bool = False) -> TryOn:
        return try_on_of(task, known_of(job), sandbox=self._settings.sandbox, reused=reused)
