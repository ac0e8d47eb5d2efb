"""A create is asked for: it is written down, and sent, let into the line, or joined to the same one before it."""

import asyncio
import logging
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from kolors_mcp import errors
from kolors_mcp.clock import Deadline
from kolors_mcp.jobs.call import Call
from kolors_mcp.jobs.in_flight import InFlight
from kolors_mcp.jobs.in_line import is_in_line
from kolors_mcp.jobs.joining import Joining
from kolors_mcp.jobs.memory import Inputs, Memory
from kolors_mcp.jobs.refresh import Refresher
from kolors_mcp.jobs.sending import Sending
from kolors_mcp.jobs.sighting import Sighting
from kolors_mcp.jobs.store import Store
from kolors_mcp.jobs.watching import MAX_READ_SECONDS, Watcher
from kolors_mcp.kling.task import Task
from kolors_mcp.ledger.job import Job, NewJob, Reservation
from kolors_mcp.wording import plain

if TYPE_CHECKING:
    from kolors_mcp.kling.client import KlingClient
    from kolors_mcp.kling.wire import CreateRequest

logger = logging.getLogger(__name__)

UNASKED = "This call has created nothing; whether the same was created before is not known."
"""What is true of a request that the ledger knows nothing of: it may be the repetition of one that was paid."""


class Submitting:
    """Brings creates to Kling, for calls of any user."""

    def __init__(
        self,
        kling: "KlingClient",
        store: Store,
        refresher: Refresher,
        joining: Joining,
        sending: Sending,
        memory: Memory,
    ) -> None:
        """Put the parts together."""
        self._kling = kling
        self._store = store
        self._refresher = refresher
        self._joining = joining
        self._sending = sending
        self._memory = memory
        self._left: InFlight[None] = InFlight()
        """By reference: what goes on of calls that left while their creates were being written down."""

    async def aclose(self, seconds: float) -> None:
        """Give what calls have left behind so many seconds to come into the line."""
        await self._left.aclose(seconds)

    async def submit(
        self,
        new: NewJob,
        request: "CreateRequest",
        inputs: Inputs,
        call: Call,
        watcher: Watcher,
        *,
        daily_limit: int | None,
    ) -> Sighting:
        """Make a create, as `Jobs.submit` says; wait until it is a task, or for as long as the caller waits in line."""
        if self._refresher.line is not None:
            # Another process may send it.
            new = replace(new, callback_url=request.callback_url)
        with ExitStack() as unsent:
            unsent.callback(request.close)
            joined: set[str] = set()
            busy_deadline = call.waiting()
            while True:
                reservation = await self._reserved(new, request, call, unsent, daily_limit)
                job = reservation.job
                self._memory.keep_inputs(job.reference, inputs)
                if reservation.is_new:
                    unsent.pop_all()  # the send closes them
                    inputs.let_go()
                    self._memory.keep_callback(job.reference, request.callback_url)
                    task = await self._send(watcher, job, request, call, busy_deadline)
                    if not is_in_line(task, job):
                        # As the end of the send has written it down.
                        job = replace(job, task_id=task.id, status=task.status)
                    break
                call.report("the same try-on was asked for before; looking at it")
                # What is joined a second time is the answer, whatever became of it.
                task = await self._joining.join(watcher, job, call, busy_deadline, is_last=job.reference in joined)
                if task is not None:
                    break
                joined.add(job.reference)
            return Sighting(task, job, reservation.is_new)

    async def _reserved(
        self, new: NewJob, request: "CreateRequest", call: Call, unsent: ExitStack, daily_limit: int | None
    ) -> Reservation:
        """Reserve a create; in a service it goes on if its caller leaves meanwhile, as it does a moment later.

        The same request may have joined it by then, and was told its name.
        """
        if self._refresher.line is None:
            return await self._reserve(new, daily_limit, call.deadline)
        writing = asyncio.create_task(self._reserve(new, daily_limit, call.deadline))
        try:
            return await asyncio.shield(writing)
        except asyncio.CancelledError:
            kept = unsent.pop_all()
            self._left.join(new.reference, lambda: self._go_on(writing, request, call, kept))
            raise

    async def _go_on(
        self, writing: asyncio.Task[Reservation], request: "CreateRequest", call: Call, unsent: ExitStack
    ) -> None:
        line = self._refresher.line
        assert line is not None
        with unsent:
            reservation = await writing
            if reservation.is_new:
                unsent.pop_all()
                await line.enter(reservation.job, request, call.deadline)

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

    async def _send(self, watcher: Watcher, job: Job, request: "CreateRequest", call: Call, waiting: Deadline) -> Task:
        line = self._refresher.line
        if line is not None:
            await line.enter(job, request, call.deadline)
            if job.state == "waiting":
                return await self._refresher.settle(watcher, job, waiting, call.report)
        else:
            self._sending.start(job, request, call)
        call.report("sending the pictures to Kling")
        task = await self._sending.outcome(job.reference, call.deadline, owned=line is None)
        if task is None and line is not None:
            # It goes on, here or in line, without this call.
            return await self._refresher.settle(watcher, job, waiting, call.report)
        if task is None:
            raise errors.UnconfirmedCreateError(job.reference, "It is still being sent.")
        return task
