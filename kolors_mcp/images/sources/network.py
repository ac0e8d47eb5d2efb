"""Connects to what was checked: the name is resolved, every answer judged, and the judged address itself dialled.

Checking a name and leaving the client to resolve it again would ask twice, and a hostile name server answers twice.
Certificates and SNI still go by the name, since only the dialling is changed.
"""

import math
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from copy import copy
from itertools import chain, zip_longest
from typing import Self, cast

import anyio
import httpcore

from kolors_mcp.images import limits
from kolors_mcp.images.sources.addresses import is_inside_name, is_odd_number, is_public, literal
from kolors_mcp.images.sources.lookups import Lookups, Resolver
from kolors_mcp.images.sources.pace import PacedStream
from kolors_mcp.images.sources.places import Places
from kolors_mcp.images.sources.waits import SLOW_SECONDS, Waits

Connect = Callable[[str, int, float | None], Awaitable[httpcore.AsyncNetworkStream]]
"""Dials an IP address and port within so many seconds. Raises `httpcore.ConnectError` or `ConnectTimeout`."""

_CONNECT_SECONDS = float(SLOW_SECONDS)
"""What dialling all addresses of a name may take, each of them the same part of it."""
_MAX_ADDRESSES = 4


class NotPublicError(Exception):
    """The name does not lead to a public address: it has none, or not only such. Which one is told to nobody."""


async def system_connect(address: str, port: int, seconds: float | None) -> httpcore.AsyncNetworkStream:
    """Open a TCP connection."""
    backend = cast("type[httpcore.AsyncNetworkBackend]", httpcore.AnyIOBackend)()
    return await backend.connect_tcp(address, port, timeout=seconds)


def is_excepted(host: str, port: int, allowed_hosts: frozenset[str]) -> bool:
    """Return whether the user's setting lets `host` be dialled wherever it is."""
    host = host.lower().strip("[]").rstrip(".")
    written = f"[{host}]" if ":" in host else host
    return not allowed_hosts.isdisjoint((host, written, f"{written}:{port}"))


class PinnedBackend(httpcore.AsyncNetworkBackend):
    """The only way out: what this refuses is not dialled, whichever link, redirect or page led there."""

    def __init__(
        self,
        allowed_hosts: frozenset[str],
        resolver: Resolver | None = None,
        connect: Connect = system_connect,
        judge: Callable[[str], bool] = is_public,
        places: Places | None = None,
    ) -> None:
        self._allowed_hosts = allowed_hosts
        self._resolver = resolver or Lookups().addresses
        self._connect = connect
        self._judge = judge
        self._places = places or Places(limits.MAX_FETCHES, limits.MAX_FETCHES_PER_HOST)
        self._waits = Waits(math.inf)

    def within(self, waits: Waits) -> Self:
        """Return the same way out, for a fetch that waits for servers only as long as this account lasts."""
        within = copy(self)
        within._waits = waits  # noqa: SLF001  (of the same class)
        return within

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  (the library's signature)
        local_address: str | None = None,  # noqa: ARG002  (the library's signature)
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002  (the library's signature)
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, judge, wait for a place, dial. The connection holds its place until it is closed.

        Raises:
            NotPublicError: Any answer is not public, or there is none.
            TooSlowError: The fetch has waited for too long.
        """
        addresses = _by_turns(await self._addresses(host, port))[:_MAX_ADDRESSES]
        seconds = min(_CONNECT_SECONDS, math.inf if timeout is None else timeout) / len(addresses)
        failure: Exception = NotPublicError()
        for address in addresses:
            async with AsyncExitStack() as held:
                await held.enter_async_context(self._places.place(address))
                try:
                    with self._waits.for_server():
                        stream = await self._connect(address, port, seconds)
                except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                    failure = error
                else:
                    return PacedStream(stream, held.pop_all(), self._waits)
        raise failure

    async def connect_unix_socket(
        self,
        path: str,  # noqa: ARG002  (the library's signature)
        timeout: float | None = None,  # noqa: ARG002, ASYNC109  (the library's signature)
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002  (the library's signature)
    ) -> httpcore.AsyncNetworkStream:
        """Refuse: no link leads to a socket in the file system."""
        raise NotPublicError

    async def sleep(self, seconds: float) -> None:
        """Wait between the pool's own attempts."""
        await anyio.sleep(seconds)

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        excepted = is_excepted(host, port, self._allowed_hosts)
        if is_inside_name(host) and not excepted:
            raise NotPublicError
        address = literal(host)
        if address is not None:
            addresses: Sequence[str] = (address,)
        elif is_odd_number(host):
            raise NotPublicError
        else:
            try:
                with self._waits.for_server():
                    addresses = await self._resolver(host, port)
            except (OSError, UnicodeError) as error:
                raise NotPublicError from error
        # One bad answer condemns the name: whoever mixes them is up to something.
        if not addresses or not (excepted or all(self._judge(address) for address in addresses)):
            raise NotPublicError
        return addresses


def _by_turns(addresses: Sequence[str]) -> Sequence[str]:
    """Return the addresses of both families by turns: where one of them leads nowhere, the other is tried soon."""
    first = [address for address in addresses if (":" in address) == (":" in addresses[0])]
    second = [address for address in addresses if address not in first]
    return [address for address in chain(*zip_longest(first, second)) if address is not None]
