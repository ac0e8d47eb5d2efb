"""Who may go on and who waits: so many at once over all, and only a few of them for the same name or address."""

import ipaddress
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import lru_cache

import anyio

from kolors_mcp.egress.allowed import RECENT
from kolors_mcp.images.sources.addresses import behind_prefix

_IPV6_NETWORK_BITS = 64
"""What one customer of a provider has at least: all its addresses count as one."""


class Lines:
    """A line for each key, in which only a few go on at once; an empty line takes no room."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._lines: dict[str, tuple[anyio.Semaphore, int]] = {}

    def __len__(self) -> int:
        """Return how many lines there are at the moment."""
        return len(self._lines)

    @asynccontextmanager
    async def place(self, key: str) -> AsyncGenerator[None]:
        """Wait for a place in the line of `key`, and hold it."""
        semaphore, users = self._lines.get(key) or (anyio.Semaphore(self._at_once), 0)
        self._lines[key] = (semaphore, users + 1)
        try:
            async with semaphore:
                yield
        finally:
            semaphore, users = self._lines.pop(key)
            if users > 1:
                self._lines[key] = (semaphore, users - 1)


class Places:
    """Places for connections. A fetch that waits for a slow address holds none that another could use.

    Args:
        at_once: Most connections over all.
        per_address: Most connections to one address, however many names it has.
    """

    def __init__(self, at_once: int, per_address: int) -> None:
        self._all = anyio.Semaphore(at_once)
        self._addresses = Lines(per_address)

    @asynccontextmanager
    async def place(self, address: str) -> AsyncGenerator[None]:
        """Wait for a place to dial an IP address, and hold it."""
        async with self._addresses.place(_neighbourhood(address)), self._all:
            yield


@lru_cache(maxsize=RECENT)
def _neighbourhood(address: str) -> str:
    """Return what counts as one: an IPv4 address, however it is written, or an IPv6 network of one owner."""
    parsed = ipaddress.ip_address(behind_prefix(address) or address)
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    return str(ipaddress.ip_network((int(parsed), _IPV6_NETWORK_BITS), strict=False))
