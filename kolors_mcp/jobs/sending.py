"""Sends paid creates: each once, and what became of it is found out and written down, also when no caller waits."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from kolors_mcp import errors
from kolors_mcp.clock import Clock, Deadline
from kolors_mcp.jobs.call import Call
from kolors_mcp.jobs.in_flight import InFlight, ends
from kolors_mcp.jobs.memory import Latest
from kolors_mcp.jobs.queue import SendQueue
from kolors_mcp.jobs.reconcile import Reconciler
from kolors_mcp.jobs.send import Parts, Send
from kolors_mcp.jobs.store import Store
from kolors_mcp.jobs.turns import Leases
from kolors_mcp.kling.refusals import final_refusal
from kolors_mcp.kling.task import Task
from kolors_mcp.ledger.job import Job, LineFullError, LookFirstError, NewJob, Refusals, Reservation
from kolors_mcp.observer import UNOBSERVED, Observer
from kolors_mcp.wording import plain

if TYPE_CHECKING:
    from kolors_mcp.kling.client import KlingClient
    from kolors_mcp.kling.wire import CreateRequest

logger = logging.getLogger(__name__)

MAX_REFUSALS = 200
"""Of the latest ones, for callers who look when the sending is just over."""
LAST_SENDS_SECONDS = 2.5
"""For which sends in flight go on when the server closes."""
MAX_CLOSE_SECONDS = 3.0
"""Until what became of them is written down, too; hosts allow some 5 seconds for all of it."""


class BackInLineError(errors.KolorsError):
    """The create waits again, or is in another process's hand: this sending of it has come to nothing."""


class Sending:
    """The creates that this process sends."""

    def __init__(
        self, kling: "KlingClient", store: Store, reconciler: Reconciler, clock: Clock, observer: Observer = UNOBSERVED
    ) -> None:
        """Start with none in flight; `observer` hears how each ended."""
        self._observer = observer
        self._store = store
        self._clock = clock
        self.leases = Leases(store, clock)
        """The creates that this process has in hand."""
        self._refusals: Latest[str, errors.KlingError] = Latest(MAX_REFUSALS)
        """By reference, the final ones."""
        self.parts = Parts(kling, store, reconciler, SendQueue(clock), self._refusals, clock)
        self._sends: InFlight[Task] = InFlight()
        self._abandoned: dict[str, asyncio.Event] = {}
        """By reference, set when the caller has gone: finish what left, start nothing more."""
        self._taken_back: InFlight[None] = InFlight()
        """By reference: what is written down of creates that are not sent after all."""

    async def aclose(self, seconds: float | None = None) -> None:
        """Give what is in flight a moment to end; what has not left whole by then never does, the rest is in doubt."""
        seconds = LAST_SENDS_SECONDS if seconds is None else seconds
        for_writing = max(0.0, MAX_CLOSE_SECONDS - LAST_SENDS_SECONDS)
        for abandoned in self._abandoned.values():
            abandoned.set()
        until = self._clock.deadline(seconds + for_writing, min_step=for_writing)
        await self._sends.aclose(seconds)
        await self._taken_back.aclose(until.left())

    async def reserve(self, new: NewJob, *, daily_limit: int | None, refusals: Refusals) -> Reservation:
        """Write a request down, as `Ledger.reserve` does; if the caller leaves meanwhile, it is taken back.

        Raises:
            LedgerError: It cannot be written down.
            LookFirstError: Nothing was written down, because of the refusals.
            DailyLimitError: The user has made as many today as they may.
            LineFullError: The line is too long.
        """
        await self.leases.catch_up()
        ledger = await self._store.ledger()
        writing = asyncio.create_task(ledger.reserve(new, daily_limit=daily_limit, refusals=refusals))
        try:
            return await asyncio.shield(writing)
        except LookFirstError:
            raise
        except BaseException as error:
            if isinstance(error, errors.DailyLimitError | LineFullError):
                self._observer.create_ended("limited")
            # Also after an error: the row may be there although the database did not say so.
            self._taken_back.join(new.reference, lambda: self._take_back(writing, new.reference))
            raise

    def start(self, job: Job, request: "CreateRequest", call: Call) -> None:
        """Begin to send a reserved create, in a task of its own that outlives its caller.

        Args:
            job: What was reserved.
            request: What to send; its pictures are closed when it is over.
            call: It is told what keeps the create, and bounds its waiting in the queue.
        """
        abandoned = self._abandoned[job.reference] = asyncio.Event()
        sending = Send(self.parts, job, request, call, abandoned)

        def closed() -> None:
            del self._abandoned[job.reference]
            request.close()

        self.begin(job.reference, sending.run, sending.let_go, closed)

    def begin(
        self,
        reference: str,
        run: Callable[[], Coroutine[Any, Any, Task]],
        let_go: Callable[[], Coroutine[Any, Any, None]],
        close: Callable[[], None],
    ) -> None:
        """Run what sends a create, in a task of its own, under the lease that it has; there is no other for it here.

        Args:
            reference: Of the create.
            run: Sends it.
            let_go: Writes down how far it had come, where `run` is broken off.
            close: Lets go of what was sent.
        """
        self.leases.hold(reference)
        send = self._sends.join(reference, run)

        def ended(task: asyncio.Task[Task]) -> None:
            self.leases.release(reference)
            if task.cancelled():
                # Otherwise others would wait until the lease has lapsed.
                self._taken_back.join(reference, let_go)
            close()
            self._observe(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                logger.info("create %s ended: %s", reference, plain(str(error), 400))

        send.add_done_callback(ended)

    def _observe(self, task: asyncio.Task[Task]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is None and not task.cancelled():
            self._observer.create_ended("created")
        elif error is None or isinstance(error, errors.UnconfirmedCreateError):
            # One that was broken off is written down as what it is by `let_go`; here nobody knows.
            self._observer.create_ended("unconfirmed")
        elif isinstance(error, BackInLineError):
            pass  # it has not ended
        elif isinstance(error, errors.RefusedError):
            self._observer.create_ended("refused", error.code)
        else:
            self._observer.create_ended("unsent")

    async def ended(self, reference: str) -> None:
        """Wait until a create is not being sent here."""
        if (send := self._sends.get(reference)) is not None:
            await asyncio.wait((send,))
            # What is to be done at its end comes first.
            await asyncio.sleep(0)

    @property
    def count(self) -> int:
        """How many are being sent here."""
        return len(self._sends)

    async def outcome(self, reference: str, deadline: Deadline, *, owned: bool) -> Task | None:
        """Wait for a create in flight; None if it is not in flight here, or not over in time.

        Args:
            reference: Of the create.
            deadline: Until when to wait.
            owned: Whether the caller is the one for whom it is sent, so that it is not tried again if they leave.

        Raises:
            KolorsError: As it ended.
        """
        send = self._sends.get(reference)
        if send is None:
            return None
        try:
            in_time = await ends(send, deadline)
        except asyncio.CancelledError:
            if owned:
                self._abandon(reference)
            raise
        if not in_time:
            if owned:
                self._abandon(reference)
            return None
        if send.cancelled():
            raise errors.UnconfirmedCreateError(reference, "This server stopped while it was sending.")
        return None if isinstance(send.exception(), BackInLineError) else send.result()

    async def catch_up(self) -> None:
        """Give the signs of life that are overdue, before the ledger is asked about what is being sent here."""
        await self.leases.catch_up()

    def is_sending(self, reference: str) -> bool:
        """Whether this process is sending the create right now."""
        return self._sends.get(reference) is not None

    def final_refusal(self, reference: str, code: int | None) -> errors.KlingError | None:
        """Return what all who waited for a refused create are told; None if it may be sent again as it is.

        Args:
            reference: Of the create.
            code: With which it was refused, as the ledger has it. Other processes know no more of it.
        """
        refusal = self._refusals.get(reference)
        return final_refusal(code) if refusal is None else refusal.anew()

    def _abandon(self, reference: str) -> None:
        if (abandoned := self._abandoned.get(reference)) is not None:
            abandoned.set()

    async def _take_back(self, writing: asyncio.Task[Reservation], reference: str) -> None:
        """Write down that a reservation that is not sent came to nothing."""
        await asyncio.wait((writing,))
        if not writing.cancelled():
            error = writing.exception()
            if isinstance(error, errors.DailyLimitError | LookFirstError | LineFullError) or (
                error is None and not writing.result().is_new
            ):
                return
        await self._store.write(lambda ledger: ledger.refused(reference))
