"""How long a server may keep a fetch waiting: a few seconds in all, whichever way it spends them.

Names for which no server answers, connections that are not taken up, heads byte by byte, redirects that each take long
and bodies that drip are one thing to the caller who waits. So they share one account, which lasts for a whole fetch.
"""

from collections.abc import Generator
from contextlib import contextmanager

import anyio

SLOW_SECONDS = 4
"""Seconds of a fetch, not only those in a row, in which a server may bring next to nothing."""
MIN_BYTES_A_SECOND = 1_000
"""Bytes of a body that make a second a good one. The slowest networks of phones bring ten times as many."""


class TooSlowError(Exception):
    """The server has kept the fetch waiting for longer than it may."""


class Waits:
    """The account of one fetch: only time in which it waits for a server counts, and only bytes of bodies do.

    Args:
        slow_seconds: How many seconds may bring next to nothing; any number if it is infinite.
    """

    def __init__(self, slow_seconds: float = SLOW_SECONDS) -> None:
        self._slow_seconds = slow_seconds
        self._slow = 0
        self._begun = 0.0
        """What has passed of the second that is being counted."""
        self._came = 0

    @contextmanager
    def for_server(self) -> Generator[None]:
        """Wait for a server inside of this.

        Raises:
            TooSlowError: This has taken too long, together with what was waited before.
        """
        good = int(self._came >= MIN_BYTES_A_SECOND)
        since = anyio.current_time()
        with anyio.move_on_after(self._slow_seconds - self._slow + good - self._begun) as scope:
            try:
                yield
            finally:
                self._pass(anyio.current_time() - since)
        if scope.cancelled_caught or self._slow >= self._slow_seconds:
            raise TooSlowError

    def came(self, size: int) -> None:
        """Take note of so many bytes of a body."""
        self._came += size

    def _pass(self, seconds: float) -> None:
        self._begun += seconds
        while self._begun >= 1:
            self._begun -= 1
            self._slow += self._came < MIN_BYTES_A_SECOND
            self._came = 0
