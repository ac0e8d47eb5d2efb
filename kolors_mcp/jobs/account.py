"""What is left on the account, asked at most once a second for all who want to know."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kolors_mcp import errors
from kolors_mcp.clock import Clock, Deadline
from kolors_mcp.jobs.in_flight import InFlight
from kolors_mcp.kling.account import units_left
from kolors_mcp.observer import UNOBSERVED, Observer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kolors_mcp.kling.account import Pack
    from kolors_mcp.kling.client import KlingClient

ASKED_EVERY_SECONDS = 1.0
"""Kling answers this question once a second (vendor)."""
MAX_PACKS_SECONDS = 15.0


@dataclass(frozen=True)
class PacksRead:
    """The account's packs, and when Kling was asked for them."""

    packs: "Sequence[Pack]"
    at: float
    """Seconds since 1970."""


class AccountReader:
    """Asks once for all who want to know at the same time, and gives those of the same second the same answer."""

    def __init__(self, kling: "KlingClient", clock: Clock, observer: Observer = UNOBSERVED) -> None:
        """Know nothing yet."""
        self._observer = observer
        self._kling = kling
        self._clock = clock
        self._asking: InFlight[PacksRead] = InFlight()
        self._last: tuple[str | None, float, PacksRead] | None = None
        self._next_at = 0.0

    async def aclose(self) -> None:
        """Ask no more."""
        await self._asking.aclose()

    async def packs(self, deadline: Deadline) -> PacksRead:
        """Return the packs.

        Raises:
            KlingError: They cannot be had.
        """
        account, now = self._kling.account(), self._clock.monotonic()
        if self._last is not None and self._last[0] == account and now - self._last[1] < ASKED_EVERY_SECONDS:
            return self._last[2]
        asking = self._asking.join(account or "", lambda: self._ask(account))
        with deadline.scope():
            await asyncio.wait((asking,))
        if not asking.done():
            raise errors.UnreachableError("Kling has not told in time what is left on the account", "Try again later.")
        try:
            return asking.result()
        except errors.KolorsError as error:
            raise error.anew() if isinstance(error, errors.KlingError) else error from error

    async def _ask(self, account: str | None) -> PacksRead:
        # No other caller gets a refusal as its answer, but the next question waits for its second like any other.
        if (early := self._next_at - self._clock.monotonic()) > 0:
            await self._clock.sleep(early)
        try:
            packs = await self._kling.packs(self._clock.deadline(MAX_PACKS_SECONDS))
        finally:
            self._next_at = self._clock.monotonic() + ASKED_EVERY_SECONDS
        if (units := units_left(packs)) is not None:
            self._observer.units_read(units)
        read = PacksRead(packs, self._clock.wall())
        self._last = (account, self._clock.monotonic(), read)
        return read
