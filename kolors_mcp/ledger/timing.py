"""What time it is for the ledger: a clock that jumps opens nothing that is closed, and removes nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

JUMP_SECONDS = 86400.0
"""A clock that is further from the latest time in the ledger is believed only where Kling's agrees."""
AGREES_SECONDS = 300.0
"""By which two clocks that agree may differ."""


def believed(wall: float, mark: float, kling: float | None) -> float:
    """Return the time to go by.

    Args:
        wall: What this machine's clock shows.
        mark: The latest time that was gone by in this ledger. Time never goes back behind it by a clock alone.
        kling: What Kling's clock shows, as far as that is known.
    """
    if abs(wall - mark) <= JUMP_SECONDS:
        return max(wall, mark)
    if kling is None:
        return mark
    if wall > mark:
        return max(mark, min(wall, kling))
    # It is the mark that was wrong: going back joins more and counts more, so it opens nothing.
    return wall if abs(kling - wall) <= AGREES_SECONDS else mark


def midnight_of(now: float) -> datetime:
    """Return when the day of a moment (seconds since 1970) began, in UTC, by which days are counted."""
    return datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)


@dataclass
class LedgerTime:
    """Where the time of one open ledger comes from."""

    wall: Callable[[], float]
    monotonic: Callable[[], float]
    """What time goes on by where the clock is set back."""
    kling: Callable[[], float | None]
    server: Callable[[], float] | None
    """In place of the clock of a database server; for tests."""
    has_server: bool
    mark: float = field(default=0.0)
    """The latest time that was gone by, as this process knows it."""
    _latest: tuple[float, float] | None = None
    """What time it was when that was asked last, and the monotonic time then."""

    def now(self, mark: float, server_now: float | None) -> float:
        """Return the time for a transaction that has read the ledger's mark and its server's clock, if it has one."""
        self.mark = mark
        if server_now is not None:
            return server_now if self.server is None else self.server()
        least = self._least
        now = believed(self.wall(), least, self.kling())
        # A clock that leaps ahead may leap back; only what is written down of it stays.
        in_step = self._latest is None or now - least <= AGREES_SECONDS
        self._latest = now if in_step else least, self.monotonic()
        return now

    @property
    def roughly(self) -> float:
        """The time without a look into the ledger."""
        return self.wall() if self.has_server else believed(self.wall(), self._least, self.kling())

    @property
    def _least(self) -> float:
        """The time behind which it does not go back, and that goes on while the clock is wrong.

        If it stood still, then whatever is dated meanwhile would look that much older when the clock is right again.
        """
        if self._latest is None:
            return self.mark
        time_then, then = self._latest
        return max(self.mark, time_then + self.monotonic() - then)

    @property
    def needs_kling(self) -> bool:
        """Whether the clock has jumped, and only Kling can tell whether it is right."""
        return not self.has_server and self.kling() is None and abs(self.wall() - self._least) > JUMP_SECONDS
