"""Signs of life for the creates that this process has in hand, and the mark before the last piece of each leaves."""

import asyncio

from kolors_mcp import errors
from kolors_mcp.clock import Clock
from kolors_mcp.jobs.store import Store
from kolors_mcp.ledger.job import Job

MAX_MARK_SECONDS = 6.0
"""For which the ledger is waited for when all but the last piece of a request is at Kling."""
RENEW_EVERY_SECONDS = 5.0
"""Between two signs of life; three of them fit into a lease."""


class Turn:
    """Whose turn it is to let one create leave whole: this process's, unless the ledger says otherwise."""

    def __init__(self, job: Job, store: Store) -> None:
        """Take the turn that the create was reserved with."""
        self._reference = job.reference
        self._number = job.turn or 1
        self._store = store
        self._marking: asyncio.Task[bool] | None = None
        """Whether the mark was asked for in this turn; it may still be on its way."""
        self._giving_back: asyncio.Task[None] | None = None
        self.has_left = False
        """Whether Kling may have had the request whole, in this turn or one before it."""

    @property
    def number(self) -> int:
        """Which turn it is by now."""
        return self._number

    async def commit(self) -> None:
        """Mark that the request is about to leave whole. It must not leave if this raises anything.

        The mark is not cancelled with its caller, so that it is known in the end whether it was made; what is left of
        it is fenced off by the next turn, or by what is written down of this one.

        Raises:
            LedgerError: The ledger did not answer in time.
            TurnLostError: Others have written down that this process is dead.
        """
        try:
            await self._mark()
        except errors.LedgerError as error:
            raise errors.LedgerError(f"{error} No task was created.") from error
        self.has_left = True

    def give_back(self) -> None:
        """Begin the next turn, after what was sent in this one certainly came to nothing. It is not waited for."""
        if self._marking is None or (self._giving_back is not None and not self._giving_back.done()):
            return  # nothing was sent in it
        # Whether this one was lost shows when it is sent again.
        self._giving_back = asyncio.create_task(self._store.write(lambda _ledger: self._begin_next()))

    async def _mark(self) -> None:
        if self._giving_back is not None:
            await asyncio.wait((self._giving_back,))
        if self._marking is not None and not await self._next():
            raise _turn_lost()
        ledger = await self._store.ledger()
        self._marking = asyncio.create_task(ledger.mark_posting(self._reference, self._number))
        self._marking.add_done_callback(_note_failure)
        await asyncio.wait((self._marking,), timeout=MAX_MARK_SECONDS)
        if not self._marking.done():
            raise errors.LedgerError("The ledger of paid try-ons did not answer in time. Try again in a minute.")
        if not self._marking.result():
            raise _turn_lost()

    async def _next(self) -> bool:
        """Begin the next turn; return whether this one was ours."""
        ledger = await self._store.ledger()
        if not await ledger.begin_next_turn(self._reference, self._number):
            return False
        self._number += 1
        self._marking = None
        return True

    async def _begin_next(self) -> None:
        await self._next()


class Leases:
    """The creates that this process has in hand; while there are any, it gives signs of life for all of them."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Hold none."""
        self._store = store
        self._clock = clock
        self._held: set[str] = set()
        self._renewing: asyncio.Task[None] | None = None
        self._renewed_at = 0.0

    def hold(self, reference: str) -> None:
        """Keep up the lease that was reserved with a create."""
        if not self._held:
            self._renewed_at = self._clock.wall()
            self._renewing = asyncio.create_task(self._renew_for_ever())
        self._held.add(reference)

    def release(self, reference: str) -> None:
        """Let a lease lapse, if what became of the create is not written down anyway."""
        self._held.discard(reference)
        if not self._held and self._renewing is not None:
            self._renewing.cancel()
            self._renewing = None

    async def catch_up(self) -> None:
        """Give the signs of life that are overdue, as after the machine has slept: before the ledger is asked."""
        if self._held and not 0 <= self._clock.wall() - self._renewed_at < 2 * RENEW_EVERY_SECONDS:
            await self._renew()

    async def _renew_for_ever(self) -> None:
        while True:
            await self._clock.tick(RENEW_EVERY_SECONDS)
            await self._renew()

    async def _renew(self) -> None:
        self._renewed_at = self._clock.wall()
        held = list(self._held)
        await self._store.write(lambda ledger: ledger.renew(held))


def _turn_lost() -> errors.TurnLostError:
    happened = "This server was stopped for so long that its turn to send the create was over"
    return errors.TurnLostError(happened, "Create it again.", creating=True)


def _note_failure(marking: "asyncio.Task[bool]") -> None:
    # The caller may have left by the time it fails.
    if not marking.cancelled():
        marking.exception()
