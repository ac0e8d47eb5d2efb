"""Opens what a call needs at the first call, and closes it with the server: listing tools needs none of it."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kolors_mcp.clock import Clock
from kolors_mcp.jobs.call import MIN_STEP_SECONDS, Call, Report, ignore
from kolors_mcp.settings import Credentials, Settings

if TYPE_CHECKING:
    from kolors_mcp.ledger.ledger import Ledger
    from kolors_mcp.try_ons.domain import TryOns


@dataclass(frozen=True)
class Upstream:
    """A Kling to talk to."""

    api_base: str
    credentials: Callable[[], Credentials | None]
    allowed_hosts: frozenset[str] = frozenset()
    """Hosts of its result links that are neither public nor in the settings: a Kling on this machine."""


IN_MEMORY = "sqlite://"
USER = "local"
"""The one user of a server on somebody's own machine."""

OpenUpstream = Callable[[], AbstractAsyncContextManager[Upstream]]


class Service:
    """One account's try-ons, made on first use."""

    def __init__(self, settings: Settings, open_upstream: OpenUpstream, clock: Clock) -> None:
        """Remember how to open; open nothing."""
        self._settings = settings
        self._clock = clock
        self._open_upstream = open_upstream
        self._resources = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._try_ons: TryOns | None = None

    @property
    def opened(self) -> "TryOns | None":
        """The try-ons, if anything has needed them yet."""
        return self._try_ons

    async def try_ons(self) -> "TryOns":
        """Return the try-ons, opening the client and, where one is embedded, the simulated Kling."""
        async with self._opening:
            if self._try_ons is None:
                self._try_ons = await self._opened()
            return self._try_ons

    def call(self, seconds: float | None = None, *, wait: float = 0.0, report: Report = ignore) -> Call:
        """Return a call that begins now.

        Args:
            seconds: Until when it has to be answered; None if nothing cuts it.
            wait: For how many seconds it waits for a result.
            report: Hears what is going on.
        """
        return Call(USER, self._clock.deadline(seconds, min_step=MIN_STEP_SECONDS), wait, report)

    async def _opened(self) -> "TryOns":
        # Imported here, and off the event loop: the HTTP client takes longer to load than the tools take to be listed.
        client, pictures, domain = await asyncio.to_thread(_heavy_modules)
        upstream = await self._resources.enter_async_context(self._open_upstream())
        made = domain.TryOns(
            client.KlingClient(upstream.api_base, upstream.credentials, clock=self._clock),
            pictures.Pictures(
                folders=self._settings.image_dirs,
                allowed_hosts=self._settings.allowed_hosts | upstream.allowed_hosts,
                sleep=self._clock.sleep,
            ),
            self._settings,
            self._open_ledger,
            clock=self._clock,
        )
        self._resources.push_async_callback(made.aclose)
        return made

    async def _open_ledger(self) -> "Ledger":
        from kolors_mcp.ledger.ledger import Ledger  # noqa: PLC0415  (the database is loaded with the first create)

        # The embedded Kling forgets everything when the process ends; what is written about it must too.
        url = IN_MEMORY if self._settings.sandbox else self._settings.ledger or IN_MEMORY
        return await Ledger.open(url, clock=self._clock)

    async def aclose(self) -> None:
        """Close what was opened."""
        await self._resources.aclose()


def _heavy_modules():  # noqa: ANN202  (three modules; pyright infers which)
    from kolors_mcp.images import pictures  # noqa: PLC0415  (see `_opened`)
    from kolors_mcp.kling import client  # noqa: PLC0415
    from kolors_mcp.try_ons import domain  # noqa: PLC0415

    return client, pictures, domain
