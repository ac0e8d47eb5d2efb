"""One paid create on its way: it waits for its turn, is sent, sent again where that pays nothing, and written down."""

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kolors_mcp import errors
from kolors_mcp.clock import Backoff, Clock, Deadline
from kolors_mcp.jobs.call import Call
from kolors_mcp.jobs.memory import Latest
from kolors_mcp.jobs.queue import MIN_BUSY_SECONDS, BusyError, SendQueue
from kolors_mcp.jobs.reconcile import Reconciler, doubted_refusal
from kolors_mcp.jobs.store import Store
from kolors_mcp.jobs.turns import Turn
from kolors_mcp.jobs.waiting import sleep_unless
from kolors_mcp.kling.task import Task
from kolors_mcp.ledger.job import Job

if TYPE_CHECKING:
    from kolors_mcp.kling.client import KlingClient
    from kolors_mcp.kling.wire import CreateRequest

logger = logging.getLogger(__name__)

MAX_UNREACHABLE_TRIES, MAX_UNREACHABLE_SECONDS = 3, 20.0
"""How often a create is tried of which nothing, or no whole request, left this machine; and for how long at most."""
UNREACHABLE_RETRY = Backoff(initial_seconds=1.0, max_seconds=2.0)
DOUBT_SECONDS = MIN_BUSY_SECONDS
"""How long a create without an answer is looked for right away; what a busy account said no to, after as long."""
LOOKED_FOR = errors.RequestRefusedError | BusyError
"""The refusals that may be about a create which was made all the same."""
NOT_TRIED_AGAIN = errors.TurnLostError | errors.WayRefusedError | errors.KeysChangedError
"""What did not leave and will not the next time either, or may not any more."""


@dataclass(frozen=True)
class Parts:
    """What all creates of a process have in common."""

    kling: "KlingClient"
    store: Store
    reconciler: Reconciler
    queue: SendQueue
    refusals: Latest[str, errors.KlingError]
    """By reference, the final ones."""
    clock: Clock


def failure_of(error: Exception, reference: str, *, has_left: bool) -> errors.KlingError:
    """Return what is said of a mistake of ours, by which a create was broken off."""
    happened = f"This server failed while it was sending ({type(error).__name__})"
    if has_left:
        return errors.UnconfirmedCreateError(reference, f"{happened}.")
    return errors.UnreachableError(happened, "Try again.", creating=True)


class Send:
    """The sending of one reserved create."""

    def __init__(self, parts: Parts, job: Job, request: "CreateRequest", call: Call, abandoned: asyncio.Event) -> None:
        """Send nothing yet.

        Args:
            parts: Shared by all.
            job: What was reserved.
            request: What is sent.
            call: Hears what keeps the create, and bounds its waiting in the queue.
            abandoned: Set when the caller has gone: what leaves is finished, nothing more is started.
        """
        self._parts = parts
        self._job = job
        self._request = request
        self._call = call
        self._abandoned = abandoned
        self._turn = Turn(job, parts.store)
        self._place = parts.queue.enter(call, abandoned)
        self._refusal: errors.RefusedError | None = None
        """What Kling said last of a whole request."""
        self._is_shown: Deadline | None = None
        """When what it said no to last would be seen, if it was made all the same."""

    async def run(self) -> Task:
        """Send it, and return the task that it made.

        Raises:
            KolorsError: As `KlingClient.create` says, or nothing was sent.
        """
        # A caller who was cancelled while the request was written down gets the turn to say so.
        await asyncio.sleep(0)
        tries, unreachable = 0, self._parts.clock.deadline(MAX_UNREACHABLE_SECONDS)
        while True:
            task = await self._wait_in_queue()
            if task is not None:
                break
            tries += 1
            try:
                with self._parts.queue.sending(self._place):
                    task = await self._sent()
                break
            except errors.UnconfirmedCreateError as error:
                self._call.report("Kling did not confirm the start; looking for the task")
                return await self._reconciled(error)
            except errors.KolorsError as error:
                if isinstance(error, errors.RefusedError) and error is not self._refusal:
                    self._refusal, self._is_shown = error, self._parts.clock.deadline(DOUBT_SECONDS)
                if isinstance(error, BusyError):
                    self._turn.give_back()
                    continue  # the queue says for how long
                wait = self._wait_before_next(error, tries, unreachable)
                if wait is None:
                    task = await self._refused_unless_made(error)
                    break
                self._call.report(f"{error.happened if isinstance(error, errors.KlingError) else error} Trying again.")
                await self._pause(wait)
            except Exception as error:
                logger.exception("create %s failed unexpectedly", self._job.reference)
                await self.let_go()
                raise failure_of(error, self._job.reference, has_left=self._turn.has_left) from error
        await self._parts.reconciler.confirm(self._job, task)
        return task

    async def let_go(self) -> None:
        """Write down what is known of a create whose sending was broken off: how far it had come."""
        reference, has_left = self._job.reference, self._turn.has_left
        await self._parts.store.write(
            lambda ledger: ledger.unconfirmed(reference) if has_left else ledger.refused(reference)
        )
        if has_left:
            self._parts.reconciler.background.wake()

    async def _sent(self) -> Task:
        """Send it; before what Kling said no to is sent again, see whether it came to something all the same."""
        again = self._refusal is not None
        if self._refusal is not None:
            seen = await self._parts.reconciler.of_late(self._job.reference)
            if seen.tasks:
                return seen.tasks[self._job.reference]
            if not seen.is_whole:
                raise self._refusal  # what cannot be looked for is not sent again
        return await self._parts.kling.create(
            self._request, again=again, commit=self._turn.commit, account=self._job.account
        )

    async def _reconciled(self, doubt: errors.UnconfirmedCreateError) -> Task:
        """Return the task that a create without an answer has made after all; else raise the doubt."""
        reference = self._job.reference
        await self._parts.store.write(lambda ledger: ledger.unconfirmed(reference))
        found = await self._parts.reconciler.reconcile(self._job, self._parts.clock.deadline(DOUBT_SECONDS))
        if found is None:
            raise doubt
        return found

    async def _wait_in_queue(self) -> Task | None:
        """Wait until the create may be sent, or sent again; return its task if Kling made it although it said no.

        Raises:
            KolorsError: It is not sent, and nothing was created.
        """
        try:
            is_turn = await self._parts.queue.wait(self._place)
        except errors.KlingError as error:
            reason: errors.KolorsError = error
        else:
            if is_turn:
                return None
            reason = errors.UnreachableError("The call was given up", "Create it again.", creating=True)
        return await self._refused_unless_made(reason)

    async def _refused_unless_made(self, reason: errors.KolorsError) -> Task:
        """Return the task if Kling made it although it said no; else write down that it came to nothing, and raise why.

        What names a wrong parameter may be the answer to a repeat that a gateway made, and an account that is busy may
        have taken what it said no to. A caller who is told that nothing was created pays again, so it is looked for
        once, when it would show. Where that cannot be, the caller is told of a doubt; what is written down is Kling's
        word, and the next call for the same, or about it, looks again. What is said of a parameter stands all the same.
        """
        reference = self._job.reference
        was_busy, would_show = isinstance(self._refusal, BusyError), True
        if was_busy and self._is_shown is not None:
            # The look itself may take as long again.
            wait, most = self._is_shown.left(), self._place.deadline.left() - DOUBT_SECONDS
            would_show = wait <= most
            await self._pause(min(wait, most))
        if isinstance(self._refusal, LOOKED_FOR):
            seen = await self._parts.reconciler.of_late(reference)
            if seen.tasks:
                return seen.tasks[reference]
            if was_busy and not (seen.is_whole and would_show):
                reason = doubted_refusal(reference, would_show=would_show)
        await self._refused(reason)
        raise reason

    async def _refused(self, error: errors.KolorsError) -> None:
        reference, code = self._job.reference, error.code if isinstance(error, errors.KlingError) else None
        if code is None and self._refusal is not None:
            code = self._refusal.code
        # What is about the reference is mended by the next create, which goes without.
        if (
            isinstance(error, errors.RefusedError)
            and not error.retryable
            and not isinstance(error, errors.ReferenceRefusedError)
        ):
            self._parts.refusals.keep(reference, error.anew())
        shows_in = 0.0 if self._is_shown is None else self._is_shown.left()
        await self._parts.store.write(lambda ledger: ledger.refused(reference, code, shows_in_seconds=shows_in))

    def _wait_before_next(self, error: errors.KolorsError, tries: int, unreachable: Deadline) -> float | None:
        """Return how long to wait before the same create may be sent again; None if it may not."""
        if isinstance(error, errors.UnreachableError) and not isinstance(error, NOT_TRIED_AGAIN):
            wait = UNREACHABLE_RETRY.seconds(tries - 1, self._parts.clock)
            return wait if tries < MAX_UNREACHABLE_TRIES and unreachable.allows(wait) else None
        return None

    async def _pause(self, wait: float) -> None:
        """Wait, but no longer than the caller does."""
        if wait > 0:
            await sleep_unless(self._parts.clock, wait, self._abandoned)
