"""The order in which creates are sent: that of their arrival, a few at once, one by one while the account is busy."""

import asyncio
from bisect import insort
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter

import anyio

from kolors_mcp import errors
from kolors_mcp.clock import Backoff, Clock, Deadline
from kolors_mcp.jobs.call import MIN_STEP_SECONDS, Call, Report

MAX_SENDS_AT_ONCE = 32
"""Creates under way. More of them only share the line up, and would all be refused by an account that is busy."""
MIN_BUSY_SECONDS = 6.0
"""The shortest wait after 1302 or 1303; at least one second (vendor).

Kling has been seen to deny a task that was just made. So much later one that it made although it said no would show,
and only then is the same create looked for and sent again.
"""
BUSY_RETRY = Backoff(initial_seconds=3.0, max_seconds=15.0)
"""By how much chance lengthens it, the more the longer the account is busy."""

BusyError = errors.TooFastError | errors.AllSlotsBusyError


@dataclass(eq=False)
class Place:
    """One create in the queue; its number, which it keeps, is that of its arrival."""

    number: int
    busy_deadline: Deadline
    """Until when a busy account is waited for."""
    deadline: Deadline
    """Until when it may wait at all."""
    report: Report
    abandoned: asyncio.Event
    """Set when the caller has gone."""
    turn: asyncio.Future[None] | None = None
    """Done when it may be sent, or when it was refused without."""
    scope: anyio.CancelScope | None = None
    """Bounds the waiting."""
    is_sending: bool = False
    refusal: BusyError | None = None
    """What the account said last, if that will still be so when the caller stops waiting for it."""
    refusals: int = 0
    """How often the account had said no when its sending began."""


class SendQueue:
    """The creates of a process that wait to be sent to one account.

    The account is busy from its first refusal (1302, 1303) until the line is empty. Meanwhile only the first in
    the queue asks, after a pause; each success lets one more be sent at once.
    """

    def __init__(self, clock: Clock) -> None:
        """Start with an empty line."""
        self._clock = clock
        self._arrived = 0
        self._waiting: list[Place] = []
        self._sending = 0
        self._room = MAX_SENDS_AT_ONCE
        self._busy: BusyError | None = None
        self._refusals = 0
        self._failures_in_a_row = 0
        self._opens_at = 0.0
        self._opening: asyncio.Task[None] | None = None

    def enter(self, call: Call, abandoned: asyncio.Event) -> Place:
        """Take the last place of the queue.

        Args:
            call: As long as it waits, a busy account is waited for. It is answered before its deadline.
            abandoned: Set when the caller has gone.
        """
        self._arrived += 1
        deadline = Deadline(call.deadline.at - MIN_STEP_SECONDS, self._clock)
        busy_deadline = Deadline(min(call.waiting().at, deadline.at), self._clock)
        return Place(self._arrived, busy_deadline, deadline, call.report, abandoned)

    async def wait(self, place: Place) -> bool:
        """Wait until a create may be sent, then return True; False if its caller has gone.

        Raises:
            TooFastError, AllSlotsBusyError: The account stays busy for longer than its caller waits.
            UnreachableError: So many are being sent that it did not have its turn in time.
        """
        place.refusal = None
        if self._is_free() and not place.abandoned.is_set():
            self._let_through(place)
            return True
        place.turn = asyncio.get_running_loop().create_future()
        gone = asyncio.ensure_future(place.abandoned.wait())
        is_turn = False
        try:
            with place.deadline.scope() as place.scope:
                insort(self._waiting, place, key=attrgetter("number"))
                self._advance()
                await asyncio.wait((place.turn, gone), return_when=asyncio.FIRST_COMPLETED)
            is_turn = place.is_sending and not place.abandoned.is_set()
        finally:
            gone.cancel()
            place.scope = None
            if not is_turn:
                self._end(place)
        if is_turn or place.abandoned.is_set():
            return is_turn
        if place.refusal is not None:
            raise place.refusal
        raise errors.UnreachableError(
            "This create did not have its turn: others are being sent", "Try again in a minute.", creating=True
        )

    @contextmanager
    def sending(self, place: Place) -> Generator[None]:
        """Send a create whose turn it is; what comes of it decides when the next ones may be sent."""
        comes_back = False
        try:
            yield
        except (errors.TooFastError, errors.AllSlotsBusyError) as error:
            comes_back = True
            self._refused(place, error)
            raise
        except errors.RefusedError:
            self._answered(place)
            raise
        else:
            self._answered(place)
        finally:
            self._end(place, comes_back=comes_back)

    def _refused(self, place: Place, error: BusyError) -> None:
        now = self._clock.monotonic()
        at_least = max(MIN_BUSY_SECONDS, error.retry_after or 0.0)
        self._busy, self._room = error.anew(), 1
        if place.refusals == self._refusals:
            self._opens_at = now + BUSY_RETRY.seconds(self._failures_in_a_row, self._clock, at_least=at_least)
            self._refusals += 1
            self._failures_in_a_row += 1
        else:
            # It was sent before the last refusal came, so it says nothing new but for how long to wait.
            self._opens_at = max(self._opens_at, now + at_least)
        self._stop_opening()

    def _answered(self, place: Place) -> None:
        # What was sent before the last refusal says nothing about what came after.
        if place.refusals == self._refusals:
            self._room = min(self._room + 1, MAX_SENDS_AT_ONCE)
            self._failures_in_a_row = 0
            self._opens_at = 0.0

    def _end(self, place: Place, *, comes_back: bool = False) -> None:
        """Take a create out, or make room where it was sent."""
        if place.is_sending:
            place.is_sending = False
            self._sending -= 1
        elif place in self._waiting:
            self._waiting.remove(place)
        if self._waiting or self._sending or comes_back:
            self._advance()
            return
        # How it will stand when the next one comes is not known.
        self._stop_opening()
        self._busy, self._room, self._failures_in_a_row, self._opens_at = None, MAX_SENDS_AT_ONCE, 0, 0.0

    def _is_free(self) -> bool:
        """Whether who comes now need not wait, since nobody does and there is room."""
        return not self._waiting and self._sending < self._room and self._closed_for() == 0.0

    def _closed_for(self) -> float:
        return max(0.0, self._opens_at - self._clock.monotonic())

    def _let_through(self, place: Place) -> None:
        place.is_sending, place.refusals = True, self._refusals
        self._sending += 1

    def _advance(self) -> None:
        """Let through who may be sent, and send away who cannot wait for long enough."""
        closed_for = self._closed_for()
        while not closed_for and self._waiting and self._sending < self._room:
            place = self._waiting.pop(0)
            self._let_through(place)
            _wake(place)
        if self._busy is not None:
            for place in tuple(self._waiting):
                self._tell_busy(place, self._busy, closed_for)
        if closed_for and self._waiting and self._opening is None:
            self._opening = asyncio.create_task(self._open_after(closed_for))

    def _tell_busy(self, place: Place, busy: BusyError, closed_for: float) -> None:
        if place.refusal is None:
            place.report(f"{busy.happened} Trying again.")
        place.refusal = busy.anew()
        if not place.busy_deadline.allows(closed_for):
            self._waiting.remove(place)
            _wake(place)
        elif place.scope is not None:
            place.scope.deadline = min(place.scope.deadline, anyio.current_time() + place.busy_deadline.left())

    async def _open_after(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._opening = None
        self._advance()

    def _stop_opening(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None


def _wake(place: Place) -> None:
    if place.turn is not None and not place.turn.done():
        place.turn.set_result(None)
