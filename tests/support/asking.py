"""A ledger as tests ask it: on a SQLite file, in memory and on a real PostgreSQL, with a clock that a test turns."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any, Literal

import pytest
from anyio.lowlevel import checkpoint

from kolors_mcp.clock import Clock
from kolors_mcp.ledger.job import Job, NewJob, Refusals, Reservation
from kolors_mcp.ledger.ledger import Ledger

NOON = 1_760_097_600.0
"""2025-10-10, 12:00:00 UTC."""
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


@dataclass
class Hand:
    """The hand of a clock, which a test turns."""

    now: float = NOON
    passed: float = 0.0
    """Seconds that went by, whatever the hand shows."""
    account: str | None = "an-account"
    kling: "float | Literal['agrees'] | None" = "agrees"
    """What Kling's clock shows."""
    looked_at: Callable[[], object] = lambda: None
    in_pauses: Callable[[], Awaitable[object]] = checkpoint
    """What others do while the removal of old rows lets them."""

    @property
    def clock(self) -> Clock:
        return Clock(wall=self.look, monotonic=lambda: self.passed, tick=self.pause)

    async def pause(self, _seconds: float) -> None:
        await self.in_pauses()

    def told(self) -> float | None:
        return self.now if self.kling == "agrees" else self.kling

    def look(self) -> float:
        self.looked_at()
        return self.now


@dataclass
class Asking:
    """A ledger that is asked for wishes which differ only where a test says so."""

    ledger: Ledger
    hand: Hand
    numbers: "count[int]" = field(default_factory=lambda: count(1))

    async def wish(
        self, *, daily_limit: int | None = None, refusals: Refusals | None = None, **differing: Any
    ) -> Reservation:
        wish = NewJob(f"k-{next(self.numbers)}", "local", "f-1", None, ("me.jpg", "shop.example"))
        return await self.ledger.reserve(replace(wish, **differing), daily_limit=daily_limit, refusals=refusals)

    async def reserved(self, **differing: Any) -> str:
        """Make a wish that is new, and return its reference."""
        made = await self.wish(**differing)
        assert made.is_new, made
        return made.job.reference

    async def joined(self, **differing: Any) -> str:
        """Make a wish that was made before, and return the reference of that one."""
        made = await self.wish(**differing)
        assert not made.is_new, made
        return made.job.reference

    async def pruned(self) -> None:
        """Wait for the removal of old rows, if one is under way."""
        if self.ledger.pruning is not None:
            await asyncio.wait((self.ledger.pruning,))

    async def job(self, name: str, user: str = "local") -> Job:
        found = await self.ledger.find(user, name)
        assert found is not None
        return found


@pytest.fixture(params=["file", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The place of a new ledger, in turn on SQLite and PostgreSQL: for what a statement, a lock or a clock does there.

    Statements are the same in a file and in memory, where they need no thread. Where a test is about what is done with
    a ledger, the database makes no difference, and costs up to four times as much: the tests in `jobs` have one in
    memory, and say by a mark if they need others.
    """
    return place_of(request, tmp_path)


ON_EACH_DATABASE = pytest.mark.parametrize("url", ["file", "memory", "postgres"], indirect=True)
"""For a test of `jobs` under which statements or wake-ups lie that no test in `ledger` has."""
WITH_SEVERAL_PROCESSES = pytest.mark.parametrize("url", ["file"], indirect=True)
"""For a test with more than one process, which cannot share what is in memory."""
ON_EACH_WITH_SEVERAL_PROCESSES = pytest.mark.parametrize("url", ["file", "postgres"], indirect=True)
"""For such a test in which one process hears of the other, or is in its way, by what the database does."""


def place_of(request: pytest.FixtureRequest, folder: Path) -> str:
    """Return the place of the ledger that the parameter of a fixture names."""
    match request.param:
        case "file":
            return f"sqlite:///{folder / 'state' / 'ledger.sqlite3'}"
        case "memory":
            return "sqlite://"
        case "postgres":
            return request.getfixturevalue("postgres_url")
        case other:
            raise ValueError(f"no place of a ledger is called {other!r}")


@asynccontextmanager
async def opened(url: str, hand: Hand) -> AsyncGenerator[Asking]:
    ledger = await Ledger.open(
        url, clock=hand.clock, account=lambda: hand.account, kling_time=hand.told, server_time=hand.look
    )
    try:
        yield Asking(ledger, hand)
    finally:
        await ledger.aclose()


@pytest.fixture
async def asking(url: str) -> AsyncIterator[Asking]:
    async with opened(url, Hand()) as asking:
        yield asking


LEDGERS = Path(__file__).parents[1] / "ledger" / "layouts"
"""Real ones, written by the version that had the layout."""
