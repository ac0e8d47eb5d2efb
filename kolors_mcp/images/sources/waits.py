"""How long a server may keep a fetch waiting: a few seconds in all, whichever way it spends them.

Names for which no server answers, connections that are not taken up, heads byte by byte, redirects that each take long
and bodies that drip are one thing to the caller who waits. So they share one account, which lasts for a whole fetch.
"""

from types import TracebackType

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

    def for_server(self) -> "_Wait":
        """Return what a server is waited for inside of, as a context.

        Leaving it raises `TooSlowError` where this has taken too long, together with what was waited before.
        """
        return _Wait(self)

    @property
    def left(self) -> float:
        """The seconds that the next wait may take."""
        good = int(self._came >= MIN_BYTES_A_SECOND)
        return self._slow_seconds - self._slow + good - self._begun

    def waited(self, seconds: float) -> bool:
        """Take note that a server was waited for; return whether that was too long by now."""
        self._begun += seconds
        while self._begun >= 1:
            self._begun -= 1
            self._slow += self._came < MIN_BYTES_A_SECOND
            self._came = 0
        return self._slow >= self._slow_seconds

    def came(self, size: int) -> None:
        """Take note of so many bytes of a body."""
        self._came += size


class _Wait:
    """One wait for a server. Each piece of an answer is one, so it is no generator: that would double its cost."""

    def __init__(self, waits: Waits) -> None:
        self._waits = waits
        self._since = anyio.current_time()
        self._scope = anyio.CancelScope(deadline=self._since + waits.left)

    def __enter__(self) -> None:
        self._scope.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        is_too_long = self._waits.waited(anyio.current_time() - self._since)
        is_held = self._scope.__exit__(kind, error, trace)
        if self._scope.cancelled_caught or (is_too_long and error is None):
            raise TooSlowError
        return is_held
