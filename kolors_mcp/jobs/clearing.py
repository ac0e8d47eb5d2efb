"""Clears the shelf of pictures that wait for nothing any more: those of ended creates, and those that nobody knows."""

import logging

from kolors_mcp.clock import Clock
from kolors_mcp.jobs.line_parts import LineParts
from kolors_mcp.jobs.parcel import FOLDER
from kolors_mcp.ledger.line import CLEARED_AT_ONCE
from kolors_mcp.shelf.shelf import ShelfError

logger = logging.getLogger(__name__)

CLEARED_EVERY_SECONDS = 3.0
SWEPT_EVERY_SECONDS = 300.0
"""Between two looks for what no row of the ledger names: a process died before it wrote down that it lies there."""
LISTED_AT_ONCE, SWEPT_AT_ONCE = 10_000, 500
"""What one such look reads and removes at most; the rest is left for the next ones."""
STALE_SECONDS = 86400.0
"""After which nothing waits any more, whichever ledger it belongs to; older versions knew no ledgers in its name."""
STALE_EVERY_SECONDS = 3600.0
SHELF_AGAIN_SECONDS = 15.0
"""After the shelf failed."""


class Clearing:
    """One process's share of it. It is done beside everything else, since a shelf may be slow."""

    def __init__(self, parts: LineParts, clock: Clock) -> None:
        """Clear nothing yet."""
        self._line = parts
        self._clock = clock
        self._unknown: set[str] = set()
        """What the latest look found that no row names. Only what the next one finds again is removed: in between there
        was time to write it down, by whichever clock."""
        self._swept_at: float | None = None
        self._stale_at: float | None = None

    async def round(self) -> float:
        """Clear what there is to clear; return in how many seconds to come again.

        Raises:
            LedgerError: The ledger cannot be asked.
        """
        try:
            count = await self._clear_ended()
            now = self._clock.monotonic()
            if self._swept_at is None or now >= self._swept_at + SWEPT_EVERY_SECONDS:
                self._swept_at = now
                await self._sweep()
            if self._stale_at is None or now >= self._stale_at + STALE_EVERY_SECONDS:
                self._stale_at = now
                await self._line.shelf.delete_older(FOLDER, STALE_SECONDS)
        except ShelfError as error:
            logger.warning("the shelf is not cleared: %s", error)
            return SHELF_AGAIN_SECONDS
        return 0.0 if count >= CLEARED_AT_ONCE else CLEARED_EVERY_SECONDS

    async def _clear_ended(self) -> int:
        """Remove pictures of creates that have ended; return how many."""
        line = await self._line.line()
        names = await line.unneeded()
        if names:
            await self._line.shelf.delete(names)
            await line.cleared(names)
        return len(names)

    async def _sweep(self) -> None:
        """Remove what no row has named for two looks."""
        line = await self._line.line()
        lying = await self._line.shelf.listed(self._line.folder_of(line), LISTED_AT_ONCE)
        # The rows after the shelf: what is written down meanwhile is known.
        unknown = {one.name for one in lying} - await line.shelved()
        swept = sorted(unknown & self._unknown)[:SWEPT_AT_ONCE]
        self._unknown = unknown
        await self._line.shelf.delete(swept)
        self._unknown -= set(swept)
