"""Connects to what was checked: the name is resolved, every answer judged, and the judged address itself dialled.

Checking a name and leaving the client to resolve it again would ask twice, and a hostile name server answers twice.
Certificates and SNI still go by the name, since only the dialling is changed.
"""

import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import cast

import anyio
import httpcore
from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

from kolors_mcp.images import limits
from kolors_mcp.images.sources.addresses import is_inside_name, is_odd_number, is_public, literal
from kolors_mcp.images.sources.pace import PacedStream
from kolors_mcp.images.sources.places import Places

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""From a host and port to all its IP addresses. Raises `OSError` if there are none."""
Connect = Callable[[str, int, float | None], Awaitable[httpcore.AsyncNetworkStream]]
"""Dials an IP address and port within so many seconds. Raises `httpcore.ConnectError` or `ConnectTimeout`."""

_SECONDS_PER_ADDRESS = 5.0
_MAX_ADDRESSES = 4
_MAX_LOOKUPS = 32
"""Names looked up at once. A name server that never answers holds a thread until the system gives up, so these are
threads of their own: neither other calls nor Kling's name wait for them."""
_lookup_threads: RunVar[CapacityLimiter] = RunVar("lookup threads")


class NotPublicError(Exception):
    """The name does not lead to a public address: it has none, or not only such. Which one is told to nobody."""


async def system_resolver(host: str, port: int) -> Sequence[str]:
    """Ask the operating system. Whoever gives up waiting goes on at once; the question is left behind."""
    limiter = _lookup_threads.get(None)
    if limiter is None:
        limiter = CapacityLimiter(_MAX_LOOKUPS)
        _lookup_threads.set(limiter)
    # Given as bytes, a name is not encoded once more by the standard library.
    ask = partial(socket.getaddrinfo, host.encode("ascii"), port, type=socket.SOCK_STREAM)
    answers = await to_thread.run_sync(ask, abandon_on_cancel=True, limiter=limiter)
    return list(dict.fromkeys(str(address[0]) for *_, address in answers))


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
        resolver: Resolver = system_resolver,
        connect: Connect = system_connect,
        judge: Callable[[str], bool] = is_public,
        places: Places | None = None,
    ) -> None:
        self._allowed_hosts = allowed_hosts
        self._resolver = resolver
        self._connect = connect
        self._judge = judge
        self._places = places or Places(limits.MAX_FETCHES, limits.MAX_FETCHES_PER_HOST)

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
        """
        addresses = await self._addresses(host, port)
        seconds = _SECONDS_PER_ADDRESS if timeout is None else min(timeout, _SECONDS_PER_ADDRESS)
        failure: Exception = NotPublicError()
        for address in addresses[:_MAX_ADDRESSES]:
            async with AsyncExitStack() as held:
                await held.enter_async_context(self._places.place(address))
                try:
                    stream = await self._connect(address, port, seconds)
                except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                    failure = error
                else:
                    return PacedStream(stream, held.pop_all())
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
                addresses = await self._resolver(host, port)
            except (OSError, UnicodeError) as error:
                raise NotPublicError from error
        # One bad answer condemns the name: whoever mixes them is up to something.
        if not addresses or not (excepted or all(self._judge(address) for address in addresses)):
            raise NotPublicError
        return addresses
