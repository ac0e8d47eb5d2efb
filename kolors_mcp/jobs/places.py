"""Where those stand that wait in the line: looked up for all of them at once, however many calls ask."""

from typing import TYPE_CHECKING

from kolors_mcp.clock import Clock
from kolors_mcp.jobs.in_flight import InFlight, ends
from kolors_mcp.ledger.slots import Place

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from kolors_mcp.ledger.line import LedgerLine
    from kolors_mcp.ledger.wakes import Wakes

FRESH_SECONDS = 1.0
"""For which what was read is told again. A call asks some times a minute, and there may be a thousand of them."""


class Places:
    """The places of one account's line."""

    def __init__(self, line: "Callable[[], Awaitable[LedgerLine]]", wakes: "Wakes", clock: Clock) -> None:
        """Know none yet; `wakes` tells which are not to be believed any more."""
        self._line = line
        self._clock = clock
        self._read_at = -FRESH_SECONDS
        self._places: dict[str, Place] = {}
        self._moved: set[str | None] = set()
        """Told of since the latest reading began; with None in it, any may be meant."""
        self._reading: InFlight[None] = InFlight()
        wakes.also(self._forget)

    async def of(self, references: "Sequence[str]", *, again: bool = False) -> dict[str, Place]:
        """Return where wishes stand, without those that wait no more.

        Args:
            references: Of the wishes.
            again: Only of those which the latest reading has, and which are not said to have moved since; for others
                nothing is read.

        Raises:
            LedgerError: It cannot be read.
        """
        wanted = set(references)
        if again:
            wanted &= self._places.keys()
        is_fresh = self._clock.monotonic() - self._read_at < FRESH_SECONDS
        if wanted and not (is_fresh and wanted <= self._places.keys()):
            # What was being read already may be from before they came.
            for _ in range(1 if again else 2):
                reading = self._reading.join("places", self._read)
                await ends(reading, self._clock.deadline(None))
                reading.result()
                if wanted <= self._places.keys():
                    break
        return {name: self._places[name] for name in wanted & self._places.keys()}

    async def _read(self) -> None:
        self._moved.clear()
        places = await (await self._line()).places()
        kept = {} if None in self._moved else {name: places[name] for name in places.keys() - self._moved}
        self._places, self._read_at = kept, self._clock.monotonic()

    def _forget(self, name: str | None) -> None:
        self._moved.add(name)
        if name is None:
            self._places.clear()
        else:
            self._places.pop(name, None)
