"""Where those stand that wait in the line: looked up for all of them at once, however many calls ask."""

from typing import TYPE_CHECKING

from kolors_mcp.clock import Clock
from kolors_mcp.jobs.in_flight import InFlight, ends
from kolors_mcp.ledger.slots import Place

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from kolors_mcp.ledger.line import LedgerLine

FRESH_SECONDS = 1.0
"""For which what was read is told again. A call asks some times a minute, and there may be a thousand of them."""


class Places:
    """The places of one account's line."""

    def __init__(self, line: "Callable[[], Awaitable[LedgerLine]]", clock: Clock) -> None:
        """Know none yet."""
        self._line = line
        self._clock = clock
        self._read_at = -FRESH_SECONDS
        self._places: dict[str, Place] = {}
        self._reading: InFlight[None] = InFlight()

    async def of(self, references: "Sequence[str]") -> dict[str, Place]:
        """Return where wishes stand, without those that wait no more. Raises `LedgerError` if that cannot be read."""
        wanted = set(references)
        is_fresh = self._clock.monotonic() - self._read_at < FRESH_SECONDS
        if not (is_fresh and wanted <= self._places.keys()):
            # What was being read already may be from before they came.
            for _ in range(2):
                reading = self._reading.join("places", self._read)
                await ends(reading, self._clock.deadline(None))
                reading.result()
                if wanted <= self._places.keys():
                    break
        return {name: self._places[name] for name in wanted & self._places.keys()}

    async def _read(self) -> None:
        places = await (await self._line()).places()
        self._places, self._read_at = places, self._clock.monotonic()
