"""However many calls ask where their wishes stand, the ledger is asked once in a while."""

import asyncio
from dataclasses import dataclass, field
from typing import cast

import pytest

from kolors_mcp.jobs.places import FRESH_SECONDS, Places
from kolors_mcp.ledger.line import LedgerLine
from kolors_mcp.ledger.slots import Place
from tests.support.making import TurnedClock

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
    places = Places(standing.line, time.clock())
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
    places = Places(standing.line, TurnedClock().clock())
    first = asyncio.create_task(places.of(["k-1"]))
    await asyncio.sleep(0)
    standing.names.append("k-2")
    second = asyncio.create_task(places.of(["k-2"]))
    standing.let.set()
    assert (await first, await second) == ({"k-1": Place(0, 0.0)}, {"k-2": Place(1, 0.0)})
    assert await places.of(["k-2", "k-3"]) == {"k-2": Place(1, 0.0)}
