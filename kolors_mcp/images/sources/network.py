"""Connects to what was checked: the name is resolved, every answer judged, and the judged address itself dialled.

Checking a name and leaving the client to resolve it again would ask twice, and a hostile name server answers twice.
Certificates and SNI still go by the name, since only the dialling is changed.
"""

import math
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from copy import copy
from ipaddress import ip_address
from itertools import chain, zip_longest
from typing import Self, cast

import anyio
import httpcore

from kolors_mcp.egress.allowed import FAKE_IP_RANGES, AllowedHosts
from kolors_mcp.images import limits
from kolors_mcp.images.sources.addresses import (
    behind_prefix,
    is_inside_name,
    is_metadata_name,
    is_odd_number,
    is_only_by_name,
    is_public,
    literal,
)
from kolors_mcp.images.sources.lookups import Lookups, Resolver
from kolors_mcp.images.sources.pace import PacedStream
from kolors_mcp.images.sources.places import Places
from kolors_mcp.images.sources.waits import SLOW_SECONDS, Waits

Connect = Callable[[str, int, float | None], Awaitable[httpcore.AsyncNetworkStream]]
"""Dials an IP address and port within so many seconds. Raises `httpcore.ConnectError` or `ConnectTimeout`."""

WEB_PORTS = (80, 443)
"""What may be fetched from without an entry for the host."""
_CONNECT_SECONDS = float(SLOW_SECONDS)
"""What dialling all addresses of a name may take, each of them the same part of it."""
_MAX_ADDRESSES = 4


class NotResolvedError(Exception):
    """The name has no address, or no server says which."""


class NotPublicError(Exception):
    """The host does not lead to a public address, or not only to such. Which one is not told.

    Attributes:
        fake_ranges: The ranges which the addresses lie in, if that is where networks with "fake IP" put every name.
    """

    def __init__(self, fake_ranges: Sequence[str] = ()) -> None:
        super().__init__()
        self.fake_ranges = tuple(fake_ranges)


async def system_connect(address: str, port: int, seconds: float | None) -> httpcore.AsyncNetworkStream:
    """Open a TCP connection."""
    backend = cast("type[httpcore.AsyncNetworkBackend]", httpcore.AnyIOBackend)()
    return await backend.connect_tcp(address, port, timeout=seconds)


class PinnedBackend(httpcore.AsyncNetworkBackend):
    """The only way out: what this refuses is not dialled, whichever link, redirect or page led there."""

    def __init__(
        self,
        allowed_hosts: Iterable[str],
        resolver: Resolver | None = None,
        connect: Connect = system_connect,
        judge: Callable[[str], bool] = is_public,
        places: Places | None = None,
    ) -> None:
        self._allowed = AllowedHosts(allowed_hosts)
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

    def instead(self, other: "PinnedBackend") -> "PinnedBackend":
        """Return another way out, for the same fetch."""
        return other.within(self._waits)

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
            NotResolvedError: There is no answer.
            NotPublicError: Any answer is not public.
            TooSlowError: The fetch has waited for too long.
        """
        addresses = _by_turns(await self.addresses(host, port))[:_MAX_ADDRESSES]
        seconds = min(_CONNECT_SECONDS, math.inf if timeout is None else timeout) / len(addresses)
        failure: Exception = NotResolvedError()
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

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """Return the addresses of a host, all of which may be dialled.

        Raises:
            NotResolvedError: There is none.
            NotPublicError: Any of them may not be dialled.
            TooSlowError: The fetch has waited for too long.
        """
        named, covered = self._allowed.name(host, port), self._allowed.cover(host)
        self.judge_host(host, port)
        address = literal(host)
        if address is not None:
            return (address,)
        addresses = await self.resolve(host, port)
        # One bad answer is enough to refuse the name: no honest name mixes them.
        bad = [] if named else [one for one in addresses if not self._is_open(one, port, covered=covered)]
        if bad:
            raise NotPublicError(_fake_ranges(bad) if port in WEB_PORTS else ())
        return addresses

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Return the addresses of a name, whatever they are.

        Raises:
            NotResolvedError: There is none.
            TooSlowError: The fetch has waited for too long.
        """
        try:
            with self._waits.for_server():
                addresses = await self._resolver(host, port)
        except (OSError, UnicodeError) as error:
            raise NotResolvedError from error
        if not addresses:
            raise NotResolvedError
        return addresses

    def judge_host(self, host: str, port: int) -> None:
        """Judge what needs no question to a name server: addresses, and names of the inside.

        Raises:
            NotPublicError: It may not be dialled, whatever it leads to.
        """
        if self._allowed.name(host, port) and not is_odd_number(host):
            return
        address = literal(host)
        if address is not None:
            is_bad = not self._judge(address)
        else:
            is_bad = is_odd_number(host) or (is_inside_name(host) and not self._is_covered_inside(host))
        if is_bad:
            raise NotPublicError

    def _is_covered_inside(self, host: str) -> bool:
        """Whether `*.host` opens a name of the inside; it does not open those that tell machines their credentials."""
        return self._allowed.cover(host) and not is_metadata_name(host)

    def _is_open(self, address: str, port: int, *, covered: bool) -> bool:
        """Whether a name may lead to this address: by itself, or by an entry for more than one host."""
        if self._judge(address):
            return True
        if is_only_by_name(address):
            return False
        held = self._allowed.hold(ip_address(behind_prefix(address) or address))
        return covered or (held and port in WEB_PORTS)


def _fake_ranges(addresses: Sequence[str]) -> Sequence[str]:
    """Return the ranges of "fake IP" that the addresses lie in; none if one of them lies elsewhere."""
    found = [next((held for held in FAKE_IP_RANGES if ip_address(one) in held), None) for one in addresses]
    return list(dict.fromkeys(str(held) for held in found)) if all(found) else ()


def _by_turns(addresses: Sequence[str]) -> Sequence[str]:
    """Return the addresses of both families by turns: where one of them leads nowhere, the other is tried soon."""
    first = [address for address in addresses if (":" in address) == (":" in addresses[0])]
    second = [address for address in addresses if address not in first]
    return [address for address in chain(*zip_longest(first, second)) if address is not None]
