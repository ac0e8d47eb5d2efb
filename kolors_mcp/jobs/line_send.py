"""One create that has its turn in the line: its pictures are got, it is sent, and it ends or goes back to its place.

Whatever is written down of it is written only while it is in this process's hand: a process that was stopped for long
finds, when it wakes up, that the create is another's, and neither sends it nor ends it.
"""

import logging
from dataclasses import replace
from typing import NoReturn

from kolors_mcp import errors
from kolors_mcp.jobs.line_parts import LineParts
from kolors_mcp.jobs.queue import MIN_BUSY_SECONDS, BusyError
from kolors_mcp.jobs.reconcile import doubted_refusal
from kolors_mcp.jobs.send import (
    DOUBT_SECONDS,
    MAX_UNREACHABLE_SECONDS,
    MAX_UNREACHABLE_TRIES,
    NOT_TRIED_AGAIN,
    UNREACHABLE_RETRY,
    failure_of,
)
from kolors_mcp.jobs.sending import BackInLineError
from kolors_mcp.jobs.turns import Turn
from kolors_mcp.jobs.waiting import sleep_unless
from kolors_mcp.kling.refusals import BUSY_CODES
from kolors_mcp.kling.task import Task
from kolors_mcp.kling.wire import CreateRequest
from kolors_mcp.ledger.claims import Claimed, Setback
from kolors_mcp.ledger.states import JobState
from kolors_mcp.shelf.shelf import ShelfError

logger = logging.getLogger(__name__)

SHELF_AGAIN_SECONDS = 10.0
"""After the shelf or the ledger failed, until it is this create's turn again."""


class _ClosingError(Exception):
    """This process is being stopped; what is not whole by now does not leave."""


class LineSend:
    """The sending of one create in its turn."""

    def __init__(self, parts: LineParts, claimed: Claimed, request: CreateRequest | None) -> None:
        """Send nothing yet.

        Args:
            parts: Shared by all.
            claimed: What was claimed.
            request: What is sent; None: its pictures lie on the shelf.
        """
        self._line = parts
        self._parts = parts.parts
        self._job = claimed.job
        self._claimed = claimed
        self._request = request
        self._turn = Turn(claimed.job, self._parts.store)

    async def run(self) -> Task:
        """Send it, and return the task that it made.

        Raises:
            BackInLineError: It waits again.
            KolorsError: It has ended without a task, or nobody knows whether there is one.
        """
        try:
            task = await self._made()
        except BackInLineError:
            raise
        except errors.TurnLostError as error:
            raise BackInLineError(str(error)) from error
        except errors.UnconfirmedCreateError as doubt:
            task = await self._reconciled(doubt)
        except errors.KolorsError as error:
            await self._end_with(error)
            raise
        except Exception as error:
            logger.exception("create %s failed unexpectedly", self._job.reference)
            await self.let_go()
            raise failure_of(error, self._job.reference, has_left=self._turn.has_left) from error
        await self._parts.reconciler.confirm(self._job, task)
        return task

    async def let_go(self) -> None:
        """Write down what is known of a create whose sending was broken off: how far it had come."""
        if self._turn.has_left:
            await self._tell("unconfirmed")
            self._parts.reconciler.background.wake()
        elif self._claimed.shelved is None:
            await self._tell("refused")
        else:
            await self._put_back(self._claimed.shelved, Setback())

    def close(self) -> None:
        """Let go of the pictures."""
        if self._request is not None:
            self._request.close()

    async def _made(self) -> Task:
        if self._request is None:
            self._request = await self._from_shelf()
        again = self._job.posted_at is not None
        if again and (task := await self._look_first()) is not None:
            return task
        try:
            return await self._sent(self._request, again=again)
        except (errors.TooFastError, errors.AllSlotsBusyError) as error:
            return await self._denied(error)
        except errors.RequestRefusedError:
            # It may be the answer to a repeat that a gateway made.
            seen = await self._parts.reconciler.of_late(self._job.reference)
            if not seen.tasks:
                raise
            return seen.tasks[self._job.reference]
        except _ClosingError:
            stopping = errors.UnreachableError("This server is being stopped", "Create it again.", creating=True)
            await self._go_back(Setback(), stopping)
        except errors.LedgerError as error:
            await self._go_back(Setback(seconds=SHELF_AGAIN_SECONDS), error)

    async def _sent(self, request: CreateRequest, *, again: bool) -> Task:
        """Send it; and again, where it certainly did not leave whole and might the next time."""
        kling, account = self._parts.kling, self._job.account
        tries, unreachable = 0, self._parts.clock.deadline(MAX_UNREACHABLE_SECONDS)
        while True:
            tries += 1
            try:
                return await kling.create(request, again=again, commit=self._commit, account=account)
            except errors.UnreachableError as error:
                wait = UNREACHABLE_RETRY.seconds(tries - 1, self._parts.clock)
                is_last = tries >= MAX_UNREACHABLE_TRIES or not unreachable.allows(wait)
                if is_last or isinstance(error, NOT_TRIED_AGAIN):
                    raise
                await self._pause(wait)

    async def _commit(self) -> None:
        if self._line.closing.is_set():
            raise _ClosingError
        await self._turn.commit()

    async def _from_shelf(self) -> CreateRequest:
        try:
            request = await self._line.taken(self._claimed)
        except ShelfError as error:
            await self._go_back(Setback(seconds=SHELF_AGAIN_SECONDS), error)
        if request is None:
            raise errors.UnreachableError(
                "The pictures that waited in line are not on the shelf any more", "Create it again.", creating=True
            )
        return request

    async def _look_first(self) -> Task | None:
        """Return what a busy account made although it said no; what cannot be looked for is not sent again yet."""
        try:
            return await self._made_after_all()
        except errors.UnconfirmedCreateError as doubt:
            await self._go_back(Setback(seconds=MIN_BUSY_SECONDS), doubt)

    async def _made_after_all(self) -> Task | None:
        """Look for what was refused; None if it does not show.

        Raises:
            UnconfirmedCreateError: Kling cannot be asked.
        """
        reference = self._job.reference
        seen = await self._parts.reconciler.of_late(reference)
        if not seen.tasks and not seen.is_whole:
            raise doubted_refusal(reference, would_show=True)
        return seen.tasks.get(reference)

    async def _denied(self, error: BusyError) -> Task:
        """Go back into the line, as the account is busy in spite of the slot; where it cannot, look for it at last."""
        seconds = max(MIN_BUSY_SECONDS, error.retry_after or 0.0)
        # That too much is asked in a moment says nothing of the slots: then the line rests for that moment.
        learned = {} if isinstance(error, errors.AllSlotsBusyError) else {"learned_seconds": seconds}
        try:
            await self._go_back(Setback(error.code or BUSY_CODES[0], seconds, **learned), error)
        except (errors.TooFastError, errors.AllSlotsBusyError):
            await self._pause(seconds)
            if (task := await self._made_after_all()) is None:
                raise
            return task

    async def _go_back(self, setback: Setback, reason: errors.KolorsError) -> NoReturn:
        """Put the create back to its place.

        Raises:
            BackInLineError: That was done, as far as the ledger could be told; else its lease lapses.
            KolorsError: `reason`, where its pictures cannot be put aside.
        """
        name = self._claimed.shelved
        if name is None:
            assert self._request is not None
            try:
                name = await self._line.put_aside(self._request)
            except (ShelfError, errors.PictureRefusedError) as error:
                logger.warning("create %s cannot wait: %s", self._job.reference, error)
                raise reason from error
            self._claimed = replace(self._claimed, shelved=name)
        await self._put_back(name, setback)
        raise BackInLineError(str(reason))

    async def _put_back(self, name: str, setback: Setback) -> None:
        try:
            line = await self._line.line()
            await line.give_back(self._job.reference, self._turn.number, name, setback)
        except errors.LedgerError as error:
            logger.warning("create %s goes back when its lease has lapsed: %s", self._job.reference, error)

    async def _reconciled(self, doubt: errors.UnconfirmedCreateError) -> Task:
        """Return the task that a create without an answer has made after all; else raise the doubt."""
        await self._tell("unconfirmed")
        found = await self._parts.reconciler.reconcile(self._job, self._parts.clock.deadline(DOUBT_SECONDS))
        if found is None:
            raise doubt
        return found

    async def _end_with(self, error: errors.KolorsError) -> None:
        """Write down that it came to nothing, and keep why for the calls that wait for it."""
        reference = self._job.reference
        code: int | None = None
        if isinstance(error, errors.KlingError):
            code = error.code
            self._line.endings.keep(reference, error.anew())
            if isinstance(error, errors.RefusedError) and not error.retryable:
                self._parts.refusals.keep(reference, error.anew())
        if not await self._tell("refused", self._job.code if code is None else code):
            raise BackInLineError(str(error)) from error

    async def _tell(self, state: JobState, code: int | None = None) -> bool:
        """Write down how it ended; return whether it was this process's to end.

        Raises:
            UnconfirmedCreateError: That it came to nothing cannot be written down, so another process may send it.
        """
        try:
            line = await self._line.line()
            return await line.end(self._job.reference, self._turn.number, state, code=code)
        except errors.LedgerError as error:
            logger.warning("%s", error)
            if state == "refused":
                cause = "It came to nothing, but the ledger could not be told, so it may be sent again."
                raise errors.UnconfirmedCreateError(self._job.reference, cause) from error
            return False

    async def _pause(self, seconds: float) -> None:
        """Wait, but not while this process is being stopped."""
        await sleep_unless(self._parts.clock, seconds, self._line.closing)
