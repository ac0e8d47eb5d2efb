"""What one user can know of their try-ons for nothing: how each stands, which there are, what the account has left."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kolors_mcp import errors
from kolors_mcp.jobs.call import Call
from kolors_mcp.jobs.jobs import Jobs
from kolors_mcp.ledger.job import Job
from kolors_mcp.models import Account, TryOn, TryOnPage
from kolors_mcp.settings import Settings
from kolors_mcp.try_ons.account import account_of, shared_account
from kolors_mcp.try_ons.answers import Answers, units_of
from kolors_mcp.try_ons.copied import linked
from kolors_mcp.try_ons.gallery import MAX_STEP_SECONDS
from kolors_mcp.try_ons.naming import Meant, meant_by
from kolors_mcp.wording import plain

if TYPE_CHECKING:
    from kolors_mcp.images.pictures import Pictures

logger = logging.getLogger(__name__)

MAX_LIST_ROWS = 100
"""Newest rows of Kling's list in which recent try-ons are looked for."""
MAX_NEWEST_SECONDS = 5.0
"""What Kling is given for it; without an answer they are shown as they were."""


class Looking:
    """How try-ons stand. It owns nothing: it can be made for a call and dropped after it."""

    def __init__(
        self,
        jobs: Jobs,
        pictures: "Pictures",
        settings: Settings,
        call: Call,
        *,
        owns_account: bool = False,
        may_create: bool = True,
        is_local: bool = True,
    ) -> None:
        """Take what all calls share, and the call that this is for.

        Args:
            jobs: The account's.
            pictures: Fetches and prepares them.
            settings: Of the server.
            call: Its user sees their own try-ons.
            owns_account: Whether the account is this user's alone, so that they may see whatever Kling shows of it.
            may_create: Whether they may start what costs money.
            is_local: Whether this machine is theirs, so that they may be told of its files.
        """
        self._owns_account = owns_account
        self._may_create = may_create
        self._is_local = is_local
        self._jobs = jobs
        self._pictures = pictures
        self._settings = settings
        self._call = call
        self._answers = Answers(
            call.deadline.clock.wall, sandbox=settings.sandbox, is_local=is_local, on_shelf=jobs.copies is not None
        )

    async def get(self, name: str) -> TryOn:
        """Look at a try-on by any of its names; wait until it is finished or the caller's wait ends.

        Raises:
            TaskNotFoundError: Kling does not know the id, and none has such a label.
            AmbiguousLabelError: Several have it.
            UnconfirmedCreateError: It is the reference of a create of which Kling still shows nothing.
            KlingError: Kling could not be asked, and what is written down does not say what to do either.
        """
        meant = await self._meant(name)
        try:
            return await self._get(meant, self._call)
        except errors.KlingError as error:
            job = await self._visible(meant.name) if error.retryable else None
            known = None if job is None else self._answers.last_known(job, error.happened)
            if known is None:
                raise
            return known

    async def list(self, page_num: int, page_size: int) -> TryOnPage:
        """List a page of the account's try-ons; where this machine is not theirs, of those that the user made here."""
        if not self._is_local:
            return await self._list_written(page_num, page_size)
        rows = await self._jobs.page(self._call.user, page_num, page_size)
        shown = [seen for seen in rows if self._may_see(seen.job)]
        return TryOnPage(
            page_num=page_num,
            page_size=page_size,
            has_more=len(rows) >= page_size,
            try_ons=tuple(self._answers.of_task(seen, next_step=False) for seen in shown),
        )

    async def recent(self, limit: int) -> "tuple[TryOn, ...]":
        """Return the latest try-ons that were made here, the newest first, as they were last seen."""
        jobs = await self._jobs.recent(self._call.user, limit)
        shown = (self._answers.of_job(job) for job in jobs)
        return tuple(try_on for try_on in shown if try_on is not None)

    async def refreshed(self, limit: int) -> "tuple[TryOn, ...]":
        """Return the latest try-ons that were made here, the newest first, as they are now if Kling can be asked."""
        return await self._refreshed(await self.recent(limit))

    async def _list_written(self, page_num: int, page_size: int) -> TryOnPage:
        """List a page of what is written down as this user's, as it is now if Kling can be asked."""
        jobs = await self._jobs.written(self._call.user, (page_num - 1) * page_size, page_size + 1)
        places = await self._jobs.places(jobs[:page_size])
        written = [self._answers.of_any_job(job, places.get(job.reference)) for job in jobs[:page_size]]
        rows = await self._refreshed(written)
        return TryOnPage(
            page_num=page_num,
            page_size=page_size,
            has_more=len(jobs) > page_size,
            try_ons=tuple(row.model_copy(update={"notes": (), "next_step": None}) for row in rows),
        )

    async def _refreshed(self, written: Sequence[TryOn]) -> "tuple[TryOn, ...]":
        """Return try-ons of this user as they are now if Kling can be asked, which is asked for the newest of all."""
        if not written:
            return ()
        try:
            deadline = self._call.deadline.within(MAX_NEWEST_SECONDS)
            rows = await self._jobs.page(self._call.user, 1, MAX_LIST_ROWS, deadline)
        except errors.KolorsError as error:
            logger.info("the latest try-ons are shown as they were: %s", plain(str(error), 400))
            return tuple(written)
        # By our references: what was in doubt a moment ago has Kling's id now.
        now = {seen.job.reference: self._answers.of_task(seen) for seen in rows if seen.job is not None}
        return tuple(now.get(try_on.reference or "", try_on) for try_on in written)

    async def look(self, name: str) -> TryOn:
        """Look at a try-on, at Kling or, where that cannot tell, at what is saved of it on this machine.

        Raises:
            KlingError: As `get`, and no picture of it is saved.
        """
        return await self._look(await self._meant(name))

    async def _look(self, meant: Meant) -> TryOn:
        try:
            return await self._get(meant, self._call.shortened(MAX_STEP_SECONDS))
        except errors.KlingError:
            job = await self._visible(meant.name)
            saved = self._answers.of_job(job) if job is not None and job.saved else None
            if saved is None:
                raise
            return await self._signed(saved)

    async def account(self) -> Account:
        """Tell what is left on the account, if it is this user's, and how many try-ons they paid for today.

        Raises:
            KlingError: Kling could not be asked.
        """
        if not self._owns_account:
            spent = await self._jobs.spent_today(self._call.user)
            return shared_account(spent, daily_limit=self._settings.daily_limit, sandbox=self._settings.sandbox)
        read = await self._jobs.account.packs(self._call.deadline)
        spent = await self._jobs.spent_today(self._call.user)
        return account_of(read, spent, daily_limit=self._settings.daily_limit, sandbox=self._settings.sandbox)

    def _may_see(self, job: Job | None) -> bool:
        """Whether this user may see a try-on, by what is written about it under their name.

        Who may see what is decided here and nowhere else. On a user's own machine the account is theirs: whatever
        Kling shows they may see, also what this ledger does not know, or cannot tell. Where others share the account,
        each sees what is written down as theirs, and nothing while that cannot be read.
        """
        return job is not None or self._owns_account

    async def _visible(self, name: str) -> Job | None:
        """Return what is written about a try-on of this user; None where there is nothing.

        Raises:
            LedgerError: That cannot be read, and nobody else knows whose it is.
        """
        look_up = self._jobs.find if self._owns_account else self._jobs.known
        return await look_up(self._call.user, name)

    async def _meant(self, name: str) -> Meant:
        """Return the try-on that a name means, which may be its label; another's is as unknown as one that is none."""

        async def labelled(label: str, most: int) -> "list[Job]":
            return await self._jobs.labelled(self._call.user, label, most)

        meant = await meant_by(name, self._visible, labelled)
        if not self._may_see(meant.job):
            raise errors.TaskNotFoundError.of(meant.name)
        return meant

    async def _get(self, meant: Meant, call: Call) -> TryOn:
        """Look at a try-on as `get` does; an error says that what was paid goes on, whatever hides it from us."""
        waiting, name, job = call.waiting(), meant.name, meant.job
        call.report("asking Kling")
        try:
            seen = await self._jobs.look(name, job, call, waiting)
        except errors.KlingError as error:
            # A create without a task is in doubt or came to nothing, and its error says which.
            if (job is not None and job.task_id is None) or isinstance(error, errors.ABOUT_THE_TASK):
                raise
            raise error.of_task(name if job is None or job.task_id is None else job.task_id) from error
        return await self._answer(self._answers.of_task(seen), call, units_of(seen))

    async def _answer(self, try_on: TryOn, call: Call, units: float | None) -> TryOn:
        """Save the pictures where the settings say so, as long as they are there, and say what to do then."""
        if not any(image.saved_to or not image.expired for image in try_on.images):
            return try_on
        return self._answers.with_next_step(
            await self._signed(await self._jobs.save(call.user, try_on, call.deadline)), units
        )

    async def _signed(self, try_on: TryOn) -> TryOn:
        """Return a try-on with links to its copies on the shelf, where it can sign such."""
        copies = self._jobs.copies
        if copies is None or not any(image.saved_to for image in try_on.images):
            return try_on
        try:
            links = {
                image.index: await copies.link(self._call.user, try_on.task_id, image.index)
                for image in try_on.images
                if image.saved_to
            }
        except errors.KolorsError as error:
            logger.info("links to copies could not be signed: %s", plain(str(error), 400))
            return try_on
        now = self._call.deadline.clock.wall()
        return try_on.model_copy(
            update={"images": tuple(linked(image, links.get(image.index), now) for image in try_on.images)}
        )
