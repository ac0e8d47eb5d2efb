"""Time and chance as one argument, so that a test can turn the clock and a wait can be exact."""

import math
import random
import time
import weakref
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

import anyio


@dataclass(frozen=True)
class Clock:
    """Where the time comes from, how one waits, and what spreads retries."""

    wall: Callable[[], float] = time.time
    """Seconds since 1970; what tokens are signed with."""
    monotonic: Callable[[], float] = time.monotonic
    """Seconds that never jump; what deadlines are counted in."""
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    tick: Callable[[float], Awaitable[None]] = anyio.sleep
    """Sleeps between two rounds of something that goes on in the background, and so never turns a test's clock."""
    jitter: Callable[[], float] = random.random
    """A number from 0 up to 1, to spread waits."""

    def deadline(self, seconds: float | None, *, min_step: float = 0.0) -> "Deadline":
        """Return the deadline this many seconds away; None is one that never comes. For `min_step` see `Deadline`."""
        return Deadline(math.inf if seconds is None else self.monotonic() + seconds, self, min_step)


class Ending:
    """The moment, not known before, in which a process begins to end; deadlines that know of it come then."""

    def __init__(self) -> None:
        """It has not come."""
        self.has_begun = False
        self._scopes: weakref.WeakSet[anyio.CancelScope] = weakref.WeakSet()
        self._earlier: weakref.WeakSet[Ending] = weakref.WeakSet()

    def begin(self) -> None:
        """Let it come. To be called in the event loop whose work it ends."""
        self.has_begun = True
        for scope in list(self._scopes):
            scope.cancel()
        for ending in list(self._earlier):
            ending.begin()

    def at_the_latest(self, earlier: "Ending") -> "Ending":
        """Let another ending, which may come earlier, come with this one; return it."""
        self._earlier.add(earlier)
        if self.has_begun:
            earlier.begin()
        return earlier

    def bound(self, scope: anyio.CancelScope) -> anyio.CancelScope:
        """Let a scope's body be left at this moment."""
        self._scopes.add(scope)
        return scope


class Deadline(NamedTuple):
    """The moment until which something may last."""

    at: float
    """By the clock's monotonic time."""
    clock: Clock
    min_step: float = 0.0
    """What `left` gives at least, although the moment is near or past."""
    ending: Ending | None = None
    """With which it comes, if that is earlier."""

    def left(self) -> float:
        """Return the seconds that are left, infinitely many where there is no end."""
        if self.ending is not None and self.ending.has_begun:
            return self.min_step
        return max(self.min_step, self.at - self.clock.monotonic())

    def allows(self, seconds: float) -> bool:
        """Whether the deadline is at least this many seconds away."""
        if self.ending is not None and self.ending.has_begun:
            return False
        return self.clock.monotonic() + seconds <= self.at

    def earlier(self, seconds: float) -> "Deadline":
        """Return the deadline that comes this many seconds before this one."""
        return self._replace(at=self.at - seconds)

    def ended_by(self, ending: Ending | None) -> "Deadline":
        """Return the deadline that comes with this ending, if that is earlier."""
        return self._replace(ending=ending)

    def within(self, seconds: float) -> "Deadline":
        """Return the earlier of this deadline and the one that is this many seconds away, without `min_step`."""
        return self.clock.deadline(min(seconds, self.left())).ended_by(self.ending)

    def scope(self) -> anyio.CancelScope:
        """Return a scope whose body is left at the deadline; what follows the body tells that it was not in time."""
        scope = anyio.move_on_after(self.left())
        return scope if self.ending is None else self.ending.bound(scope)


class Backoff(NamedTuple):
    """How long to wait before each next try: longer and longer, and not all at the same moment."""

    initial_seconds: float
    max_seconds: float
    factor: float = 2.0
    jitter: tuple[float, float] = (0.0, 1.0)
    """Between which shares of its length chance makes a wait; from 0 to 1 is known as full jitter."""

    def seconds(self, number: int, clock: Clock, *, at_least: float = 0.0) -> float:
        """Return the wait after this many earlier ones; chance only lengthens what it is `at_least`."""
        # Any sensible maximum is reached long before the power is too large for a float.
        length = min(self.initial_seconds * self.factor ** min(number, 64), self.max_seconds)
        low, high = self.jitter
        chance = clock.jitter()
        return at_least + length * (low * (1 - chance) + high * chance)
