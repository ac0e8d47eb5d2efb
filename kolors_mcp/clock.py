"""Time and chance as one argument, so that a test can turn the clock and a wait can be exact."""

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio


@dataclass(frozen=True)
class Clock:
    """Where the time comes from, how one waits, and what spreads retries."""

    wall: Callable[[], float] = time.time
    """Seconds since 1970; what tokens are signed with."""
    monotonic: Callable[[], float] = time.monotonic
    """Seconds that never jump; what deadlines are counted in."""
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    jitter: Callable[[], float] = random.random
    """A number from 0 up to 1, to spread waits."""
