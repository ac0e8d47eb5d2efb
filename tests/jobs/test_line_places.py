"""However many calls ask where their wishes stand, the ledger is asked once in a while."""

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from kolors_mcp.jobs.places import FRESH_SECONDS, Places
from kolors_mcp.ledger.line import LedgerLine
from kolors_mcp.ledger.slots import Place
from kolors_mcp.ledger.wakes import Wakes
from tests.support.making import TurnedClock
from tests.support.still_time import until

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio


@dataclass
class Standing:
    """A line that counts how often it is looked at."""

    names: list[str]
    looks: int = 0
    let: asyncio.Event = field(default_factory=asyncio.Event)

    async def line(self) -> LedgerLine:
        return cast("LedgerLine", self)

    async def places(self) -> dict[str, Place]:
        self.looks += 1
        seen = {name: Place(before, 0.0) for before, name in enumerate(self.names)}
        await self.let.wait()
        return seen


async def test_a_thousand_who_ask_at_once_or_within_a_second_are_told_by_one_look() -> None:
    names = [f"k-{number}" for number in range(1000)]
    standing, time = Standing(names), TurnedClock()
    places = Places(standing.line, Wakes("sqlite://", time.clock()), time.clock())
    asked = [asyncio.create_task(places.of([name])) for name in names]
    standing.let.set()
    told = [place.before for places in await asyncio.gather(*asked) for place in places.values()]
    assert told == list(range(1000))
    assert await places.of(["k-7", "k-9"]) == {"k-7": Place(7, 0.0), "k-9": Place(9, 0.0)}
    assert standing.looks == 1
    standing.names.pop(0)
    time.now += FRESH_SECONDS
    assert await places.of(["k-7"]) == {"k-7": Place(6, 0.0)}
    assert standing.looks == 2


async def test_who_has_just_come_is_looked_for_although_others_were_seen_a_moment_ago() -> None:
    standing = Standing(["k-1"])
    clock = TurnedClock().clock()
    places = Places(standing.line, Wakes("sqlite://", clock), clock)
    first = asyncio.create_task(places.of(["k-1"]))
    await asyncio.sleep(0)
    standing.names.append("k-2")
    second = asyncio.create_task(places.of(["k-2"]))
    standing.let.set()
    assert (await first, await second) == ({"k-1": Place(0, 0.0)}, {"k-2": Place(1, 0.0)})
    assert await places.of(["k-2", "k-3"]) == {"k-2": Place(1, 0.0)}


async def test_who_asks_again_is_told_by_looks_of_all_until_it_is_said_to_have_moved() -> None:
    standing, time = Standing(["k-1", "k-2", "k-3"]), TurnedClock()
    wakes = Wakes("sqlite://", time.clock())
    places = Places(standing.line, wakes, time.clock())
    standing.let.set()
    assert await places.of(["k-1"], again=True) == {}
    assert standing.looks == 0
    await places.of(["k-1"])
    wakes.wake("k-1", moves_line=False)
    assert await places.of(["k-1", "k-2"], again=True) == {"k-2": Place(1, 0.0)}
    time.now += FRESH_SECONDS
    standing.names.remove("k-2")
    assert await places.of(["k-2", "k-3"], again=True) == {"k-3": Place(1, 0.0)}
    assert await places.of(["k-2"], again=True) == {}
    assert standing.looks == 2


@pytest.mark.parametrize(("said", "looks", "told_of"), [("k-1", 1, set[str]()), (None, 2, {"k-1"})])
async def test_what_moves_while_it_is_read_is_not_told_by_that_reading(
    said: str | None, looks: int, told_of: set[str]
) -> None:
    standing, time = Standing(["k-1", "k-2"]), TurnedClock()
    told: list[Callable[[str | None], None]] = []
    places = Places(standing.line, cast("Wakes", SimpleNamespace(also=told.append)), time.clock())
    asked = asyncio.create_task(places.of(["k-2"]))
    await until(lambda: standing.looks == 1)
    told[0](said)
    standing.let.set()
    assert await asked == {"k-2": Place(1, 0.0)}
    assert (await places.of(["k-1"], again=True)).keys() == told_of
    assert standing.looks == looks
