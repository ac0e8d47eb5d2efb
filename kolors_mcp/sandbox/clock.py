"""The sandbox's time: the wall clock plus an offset that tests turn."""

import asyncio
import threading
import time
from collections.abc import Callable

_MAX_NAP_SECONDS = 3600.0  # An event loop cannot sleep for ever in one go.
_MAX_TIME_SECONDS = 2.0**36  # In the year 4147; far beyond, a date has no text any more.


class SandboxClock:
    """Decides task progress, token checks, link expiry and the `Date` header; in seconds since the epoch.

    It may be read and turned from any thread. Whatever waits for a moment wakes up when the clock is turned past it.
    """

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._offset = 0.0
        self._lock = threading.Condition()
        self._sleepers: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    def now(self) -> float:
        """Return the sandbox's time in seconds since the epoch."""
        return self._wall() + self._offset

    def advance(self, seconds: float) -> None:
        """Turn the clock forward (or back, with a negative number).

        Raises:
            ValueError: To before 1970, to beyond the year 4000, or to no time at all.
        """
        with self._lock:
            # Compared before anything is added: a whole number can be too large for a float, and NaN is nowhere.
            if (
                not -_MAX_TIME_SECONDS <= seconds <= _MAX_TIME_SECONDS
                or not 0 <= self.now() + seconds <= _MAX_TIME_SECONDS
            ):
                raise ValueError("the clock goes from 1970 to the year 4000")
            self._offset += seconds
            for loop, turned in self._sleepers:
                loop.call_soon_threadsafe(turned.set)

    def wait_for_sleepers(self, count: int = 1, timeout: float = 100.0) -> None:
        """Wait, in real seconds, until `count` tasks wait for a moment; then it makes sense to turn the clock.

        Raises:
            TimeoutError: They did not come.
        """
        with self._lock:
            if not self._lock.wait_for(lambda: len(self._sleepers) >= count, timeout):
                raise TimeoutError(f"{len(self._sleepers)} of {count} wait for the clock")

    async def reach(self, moment: float) -> None:
        """Wait until the clock shows `moment`, by time passing or by being turned."""
        turned = asyncio.Event()
        sleeper = (asyncio.get_running_loop(), turned)
        with self._lock:
            self._sleepers.add(sleeper)
            self._lock.notify_all()
        try:
            while (left := moment - self.now()) > 0:
                turned.clear()
                try:
                    async with asyncio.timeout(min(left, _MAX_NAP_SECONDS)):
                        await turned.wait()
                except TimeoutError:
                    continue
        finally:
            # Under the lock, so that no loop is called that is already closed.
            with self._lock:
                self._sleepers.discard(sleeper)
