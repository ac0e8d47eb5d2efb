"""Finds out what became of a create in doubt while a caller waits for it, and tells what was looked for in vain."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kolors_mcp.clock import Clock, Deadline
from kolors_mcp.errors import UnconfirmedCreateError
from kolors_mcp.jobs.background import Background
from kolors_mcp.jobs.search import MAX_SEARCH_SECONDS, Answer, Search, lends_slot
from kolors_mcp.jobs.store import Store
from kolors_mcp.jobs.waiting import wait_for_job
from kolors_mcp.kling.task import Task
from kolors_mcp.ledger.doubt import Doubt, Look, LookAnswers
from kolors_mcp.ledger.job import Job
from kolors_mcp.wording import minute

if TYPE_CHECKING:
    from kolors_mcp.kling.client import KlingClient

LOOK_EVERY_SECONDS = 1.0
"""Between two looks for one create that a caller waits for."""
WAYS = {"reference": "by its reference", "list": "in the list"}


@dataclass(frozen=True)
class _Looked:
    """What looking for a create has come to so far."""

    look: Look
    task: Task | None = None


class Reconciler:
    """Looks for the creates of which it is not known yet whether a task exists, whichever process sent them.

    Finding nothing proves nothing: lists lag, and an unknown id has been seen for a task that was there.
    """

    def __init__(self, kling: "KlingClient", store: Store, clock: Clock) -> None:
        """Look for nothing yet."""
        self._store = store
        self._clock = clock
        self._search = Search(kling, clock)
        self.background = Background(self._search, store, clock)
        """Goes on looking when no caller waits."""

    async def reconcile(self, job: Job, deadline: Deadline) -> Task | None:
        """Look for one create, again and again until the deadline, at least once; None if it does not turn up."""
        doubt = await self._store.doubt(job.reference)
        age = await self._store.age(job) if doubt is None else doubt.age
        lasts, began = 0.0 if doubt is None else doubt.lasts, self._clock.monotonic()

        async def look(before: _Looked) -> _Looked:
            lasted = lasts + self._clock.monotonic() - began
            task, look = await self._look(job.reference, age, lasted)
            return _Looked(replace(look, times=before.look.times + 1), task)

        last = await wait_for_job(
            await look(_Looked(Look((), 0))),
            look,
            lambda looked: looked.task is not None,
            deadline,
            pause_seconds=LOOK_EVERY_SECONDS,
        )
        if last.task is not None:
            await self.confirm(job, last.task)
            return last.task
        await self._store.looked({job.reference: last.look})
        self.background.wake()
        return None

    async def search(self, reference: str, age: float) -> Answer:
        """Ask Kling once, by reference and then by list.

        Args:
            reference: Of the create.
            age: Seconds since it was sent, so far back the list is read. Infinite: as far as is ever read.
        """
        named = await self._search.by_reference(reference)
        if named.tasks:
            return named
        listed = await self._search.in_list({reference}, age, self._clock.deadline(MAX_SEARCH_SECONDS))
        return replace(listed, is_whole=named.is_whole and listed.is_whole)

    async def of_late(self, reference: str) -> Answer:
        """Ask Kling once for a create that was sent seconds ago, as cheaply as that goes."""
        return await self._search.of_late(reference)

    async def confirm(self, job: Job, task: Task) -> None:
        """Write down that the create made this task."""
        await self._store.created(job.reference, task)

    async def settle_among(self, tasks: Sequence[Task]) -> None:
        """Write down which creates without a task, in doubt or refused, are among tasks that were read anyway."""
        # An id that only repeats our reference is none of Kling's.
        named = {task.reference: task for task in tasks if task.reference not in (None, task.id)}
        for job in await self._store.without_task_among(list(named)) if named else ():
            await self.confirm(job, named[job.reference])

    async def describe(self, job: Job) -> str:
        """Say since when a create is in doubt, and what was looked for."""
        doubt = await self._store.doubt(job.reference)
        if doubt is None or not doubt.findings:
            return "It was looked for and has not turned up yet."
        return _describe(doubt)

    async def _look(self, reference: str, age: float, lasts: float) -> tuple[Task | None, Look]:
        named = await self._search.by_reference(reference)
        if reference in named.tasks:
            return named.tasks[reference], Look((("reference", named.words),))
        listed = await self._search.in_list({reference}, age, self._clock.deadline(MAX_SEARCH_SECONDS))
        answers: LookAnswers = (("reference", named.words), ("list", listed.words))
        return listed.tasks.get(reference), Look(answers, lends_slot=lends_slot(named, listed, lasts))


def doubted_refusal(reference: str, *, would_show: bool) -> UnconfirmedCreateError:
    """Return what is said of a create that a busy account said no to, where it is not known whether that stands.

    Args:
        reference: Of the create.
        would_show: Whether Kling would show by now what it made of it, but cannot be asked.
    """
    now = "now Kling cannot be asked" if would_show else "it is too early to ask Kling"
    return UnconfirmedCreateError(reference, f"A busy account said no to it, but {now} whether that stands.")


def _describe(doubt: Doubt) -> str:
    # What was asked last in each way says how things stand.
    latest = {finding.where: finding for finding in doubt.findings}
    times = "once" if doubt.looks == 1 else f"{doubt.looks} times"
    shown = " and ".join(f"{WAYS[where]} ({finding.answer})" for where, finding in sorted(latest.items(), reverse=True))
    last = minute(max(finding.at for finding in latest.values()))
    text = f"It is in doubt since {minute(doubt.job.updated_at)}. It was looked for {times}, last at {last}: {shown}."
    if doubt.is_given_up:
        text += (
            " It is not looked for any more unless it is asked for. If it is wanted all the same, create_try_on with "
            "new_render makes it anew, and that pays again if this one was made."
        )
    return text
