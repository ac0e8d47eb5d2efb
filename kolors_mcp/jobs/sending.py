"""Sends paid creates: each once, and what became of it is found out and written down, whoever still waits."""

import asyncio
import logging
from typing import TYPE_CHECKING

from kolors_mcp import errors
from kolors_mcp.clock import Backoff, Clock, Deadline
from kolors_mcp.jobs.call import Call
from kolors_mcp.jobs.in_flight import InFlight, ends
from kolors_mcp.jobs.memory import Latest
from kolors_mcp.jobs.queue import BusyError, Place, SendQueue
from kolors_mcp.jobs.reconcile import Reconciler
from kolors_mcp.jobs.store import Store
from kolors_mcp.kling.refusals import final_refusal
from kolors_mcp.kling.task import Task
from kolors_mcp.ledger.job import Job, NewJob, Reservation
from kolors_mcp.wording import plain

if TYPE_CHECKING:
    from kolors_mcp.kling.client import KlingClient
    from kolors_mcp.kling.wire import CreateRequest

logger = logging.getLogger(__name__)

UNREACHABLE_TRIES, UNREACHABLE_SECONDS = 3, 20.0
"""How often a create is tried of which nothing, or no whole request, left this machine; and for how long at most."""
UNREACHABLE_RETRY = Backoff(initial_seconds=1.0, max_seconds=2.0)
DOUBT_SECONDS = 6.0
"""How long a create without an answer is looked for right away."""
LOOKED_FOR = errors.RequestRefusedError | BusyError
"""The refusals that may be about a create which was made all the same."""
MAX_REFUSALS = 200
"""Of the latest ones, for callers who look when the sending is just over."""
LAST_SENDS = 3.0
"""Seconds that sends in flight are given when the server closes; hosts allow some 5 for all of it."""


class Sending:
    """The creates that this process sends."""

    def __init__(self, kling: "KlingClient", store: Store, reconciler: Reconciler, clock: Clock) -> None:
        """Start with none in flight."""
        self._kling = kling
        self._store = store
        self._reconciler = reconciler
        self._clock = clock
        self._sends: InFlight[Task] = InFlight()
        self._queue = SendQueue(clock)
        self._abandoned: dict[str, asyncio.Event] = {}
        """By reference, set when the caller has gone: finish what left, start nothing more."""
        self._taken_back: InFlight[None] = InFlight()
        self._refusals: Latest[str, errors.KlingError] = Latest(MAX_REFUSALS)
        """By reference, the final ones."""

    async def aclose(self) -> None:
        """Give what is in flight a moment to end; what does not is in doubt, and is looked for at the next start."""
        for abandoned in self._abandoned.values():
            abandoned.set()
        await asyncio.gather(self._sends.aclose(LAST_SENDS), self._taken_back.aclose(LAST_SENDS))

    async def reserve(self, new: NewJob, *, daily_limit: int | None) -> Reservation:
        """Write a request down, as `Ledger.reserve` does; if the caller leaves meanwhile, it is taken back.

        Raises:
            LedgerError: It cannot be written down.
            DailyLimitError: The user has made as many today as they may.
        """
        ledger = await self._store.ledger()
        writing = asyncio.create_task(ledger.reserve(new, daily_limit=daily_limit))
        try:
            return await asyncio.shield(writing)
        except BaseException:
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
        send = self._sends.join(job.reference, lambda: self._send(job, request, call, abandoned))

        def ended(task: asyncio.Task[Task]) -> None:
            del self._abandoned[job.reference]
            request.close()
            if not task.cancelled() and (error := task.exception()) is not None:
                logger.info("create %s ended: %s", job.reference, plain(str(error), 400))

        send.add_done_callback(ended)

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
        return send.result()

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

    async def _send(self, job: Job, request: "CreateRequest", call: Call, abandoned: asyncio.Event) -> Task:
        # A caller who was cancelled while the request was written down gets the turn to say so.
        await asyncio.sleep(0)
        place = self._queue.enter(call, abandoned)
        tries, unreachable = 0, self._clock.deadline(UNREACHABLE_SECONDS)
        refusal: errors.KolorsError | None = None
        while True:
            task = await self._wait_for_turn(place, job, refusal)
            if task is not None:
                break
            tries += 1
            try:
                with self._queue.sending(place):
                    task = await self._already_made(job, refusal)
                    if task is None:
                        task = await self._kling.create(request, again=isinstance(refusal, errors.RefusedError))
                break
            except errors.UnconfirmedCreateError as error:
                call.report("Kling did not confirm the start; looking for the task")
                return await self._reconciled(job, error)
            except errors.KolorsError as error:
                refusal = error
                if isinstance(error, BusyError):
                    continue  # the queue says for how long
                wait = self._wait_before_next(error, tries, unreachable)
                if wait is None:
                    task = await self._refused_unless_made(job, error, error)
                    break
                call.report(f"{error.happened if isinstance(error, errors.KlingError) else error} Trying again.")
                await self._pause(wait, abandoned)
            except Exception as error:
                # A mistake of ours says nothing about how far the request came.
                logger.exception("create %s failed unexpectedly", job.reference)
                await self._store.write(lambda ledger: ledger.unconfirmed(job.reference))
                self._reconciler.background.wake()
                cause = f"This server failed while it was sending ({type(error).__name__})."
                raise errors.UnconfirmedCreateError(job.reference, cause) from error
        await self._reconciler.confirm(job, task)
        return task

    async def _reconciled(self, job: Job, doubt: errors.UnconfirmedCreateError) -> Task:
        """Return the task that a create without an answer has made after all; else raise the doubt."""
        await self._store.write(lambda ledger: ledger.unconfirmed(job.reference))
        found = await self._reconciler.reconcile(job, self._clock.deadline(DOUBT_SECONDS))
        if found is None:
            raise doubt
        return found

    async def _already_made(self, job: Job, refusal: errors.KolorsError | None) -> Task | None:
        """Before a create is sent again that Kling said no to: see whether it came to something all the same."""
        return await self._reconciler.find(job.reference) if isinstance(refusal, errors.RefusedError) else None

    async def _refused(self, job: Job, error: errors.KolorsError | None) -> None:
        code = error.code if isinstance(error, errors.KlingError) else None
        # What is about the reference is mended by the next create, which goes without.
        if (
            isinstance(error, errors.RefusedError)
            and not error.retryable
            and not isinstance(error, errors.ReferenceRefusedError)
        ):
            self._refusals.keep(job.reference, error.anew())
        await self._store.write(lambda ledger: ledger.refused(job.reference, code))

    async def _wait_for_turn(self, place: Place, job: Job, refusal: errors.KolorsError | None) -> Task | None:
        """Wait until the create may be sent, or sent again; return its task if Kling made it although it said no.

        Raises:
            KolorsError: It is not sent, and nothing was created.
        """
        try:
            is_turn = await self._queue.wait(place)
        except errors.KlingError as error:
            reason: errors.KolorsError = error
        else:
            if self._kling.account() != job.account:
                self._queue.leave(place)
                happened = "The keys of the Kling account were changed while this create waited"
                reason = errors.UnreachableError(happened, "Create it again.", creating=True)
            elif is_turn:
                return None
            else:
                reason = errors.UnreachableError("The call was given up", "Create it again.", creating=True)
        return await self._refused_unless_made(job, reason, refusal)

    async def _refused_unless_made(self, job: Job, reason: errors.KolorsError, said: errors.KolorsError | None) -> Task:
        """Return the task if Kling made it although it said no; else write down that it came to nothing, and raise why.

        What names a wrong parameter may be the answer to a repeat that a gateway made, and an account that is busy may
        have taken what it said no to. Whoever is told that nothing was created pays again, so it is looked for once.
        """
        if isinstance(said, LOOKED_FOR) and (task := await self._reconciler.search(job.reference)) is not None:
            return task
        await self._refused(job, reason)
        raise reason

    def _wait_before_next(self, error: errors.KolorsError, tries: int, unreachable: Deadline) -> float | None:
        """Return how long to wait before the same create may be sent again; None if it may not."""
        if isinstance(error, errors.UnreachableError):
            wait = UNREACHABLE_RETRY.seconds(tries - 1, self._clock)
            return wait if tries < UNREACHABLE_TRIES and unreachable.allows(wait) else None
        return None

    async def _pause(self, wait: float, abandoned: asyncio.Event) -> None:
        """Wait, but no longer than the caller does."""
        both = [asyncio.ensure_future(self._clock.sleep(wait)), asyncio.ensure_future(abandoned.wait())]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiting in both:
                waiting.cancel()

    async def _take_back(self, writing: asyncio.Task[Reservation], reference: str) -> None:
        """Write down that a reservation which nobody sends came to nothing."""
        await asyncio.wait((writing,))
        if not writing.cancelled():
            error = writing.exception()
            if isinstance(error, errors.DailyLimitError) or (error is None and not writing.result().is_new):
                return
        await self._store.write(lambda ledger: ledger.refused(reference))
