"""Connects to what was checked: the name is resolved, every answer judged, and the judged address itself dialled.

Checking a name and leaving the client to resolve it again would ask twice, and a hostile name server answers twice.
Certificates and SNI still go by the name, since only the dialling is changed.
"""

import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from socket import SOCK_STREAM
from typing import Any, cast

import anyio
import httpcore

from kolors_mcp.images.addresses import is_odd_number, is_public, literal

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""From a host and port to all its IP addresses. Raises `OSError` if there are none."""
Connect = Callable[[str, int, float | None], Awaitable[httpcore.AsyncNetworkStream]]
"""Dials an IP address and port within so many seconds. Raises `httpcore.ConnectError` or `ConnectTimeout`."""

_SECONDS_PER_ADDRESS = 5.0
_MAX_ADDRESSES = 4
_READ_AT_ONCE = 256 * 1024


class NotPublicError(Exception):
    """The name does not lead to a public address: it has none, or not only such. Which one is told to nobody."""


async def system_resolver(host: str, port: int) -> Sequence[str]:
    """Ask the operating system."""
    answers = await anyio.getaddrinfo(host, port, type=SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in answers))


async def system_connect(address: str, port: int, seconds: float | None) -> httpcore.AsyncNetworkStream:
    """Open a TCP connection."""
    backend = cast("type[httpcore.AsyncNetworkBackend]", httpcore.AnyIOBackend)()
    return WideStream(await backend.connect_tcp(address, port, timeout=seconds))


def is_excepted(host: str, port: int, allowed_hosts: frozenset[str]) -> bool:
    """Return whether the user's setting lets `host` be dialled wherever it is."""
    host = host.lower().strip("[]").rstrip(".")
    written = f"[{host}]" if ":" in host else host
    return not allowed_hosts.isdisjoint((host, written, f"{written}:{port}"))


class WideStream(httpcore.AsyncNetworkStream):
    """A connection that takes in more at once than the library asks for: a turn costs as much as its bytes."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        """Stand before an open connection."""
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  (the library's)
        """Return what has come, up to a quarter of a megabyte."""
        return await self._stream.read(max(max_bytes, _READ_AT_ONCE), timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109  (the library's)
        """Send."""
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Hang up."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  (the library's)
    ) -> httpcore.AsyncNetworkStream:
        """Go on encrypted."""
        return WideStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """Tell what the connection knows."""
        return self._stream.get_extra_info(info)


class PinnedBackend(httpcore.AsyncNetworkBackend):
    """The only way out: what this refuses is not dialled, whichever link, redirect or page led there."""

    def __init__(
        self,
        allowed_hosts: frozenset[str],
        resolver: Resolver = system_resolver,
        connect: Connect = system_connect,
        judge: Callable[[str], bool] = is_public,
    ) -> None:
        self._allowed_hosts = allowed_hosts
        self._resolver = resolver
        self._connect = connect
        self._judge = judge

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  (the library's signature)
        local_address: str | None = None,  # noqa: ARG002  (the library's signature)
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002  (the library's signature)
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, judge, dial.

        Raises:
            NotPublicError: Any answer is not public, or there is none.
        """
        addresses = await self._addresses(host, port)
        seconds = _SECONDS_PER_ADDRESS if timeout is None else min(timeout, _SECONDS_PER_ADDRESS)
        failure: Exception = NotPublicError()
        for address in addresses[:_MAX_ADDRESSES]:
            try:
                return await self._connect(address, port, seconds)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
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
