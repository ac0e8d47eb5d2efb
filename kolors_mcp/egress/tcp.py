"""TCP and TLS connections for the HTTP library, straight on asyncio's transports.

The library's own ones go through another layer, which takes turns of the event loop and a scope for time-outs for each
piece: a third of what a read from Kling costs, and a sixth of sending two pictures of 1 MB.
"""

import asyncio
import ssl
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any

import httpcore

HELD_BYTES = 256 * 1024
"""What has come and is not asked for; while there is more, nothing is taken in."""
_NEXT_ADDRESS_SECONDS = 0.25
"""After which the next address of a name is tried beside the one before (RFC 8305)."""


class TcpBackend(httpcore.AsyncNetworkBackend):
    """Connects to a host by the first of its addresses that answers."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  (the library's signature)
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect.

        Raises:
            httpcore.ConnectError, httpcore.ConnectTimeout: It cannot be reached, or not in time.
        """
        with _raised_as(httpcore.ConnectTimeout, httpcore.ConnectError):
            async with asyncio.timeout(timeout):
                transport, connection = await asyncio.get_running_loop().create_connection(
                    _Connection,
                    host,
                    port,
                    local_addr=None if local_address is None else (local_address, 0),
                    happy_eyeballs_delay=None if _is_address(host) else _NEXT_ADDRESS_SECONDS,
                )
            for option in socket_options or ():
                transport.get_extra_info("socket").setsockopt(*option)
        return TcpStream(connection)

    async def sleep(self, seconds: float) -> None:
        """Wait between the pool's own attempts."""
        await asyncio.sleep(seconds)


class TcpStream(httpcore.AsyncNetworkStream):
    """One connection, plain or encrypted."""

    def __init__(self, connection: "_Connection") -> None:
        self._connection = connection

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  (see above)
        """Return what has come; nothing at the end.

        Raises:
            httpcore.ReadError, httpcore.ReadTimeout: The connection was broken off, or nothing came in time.
        """
        with _raised_as(httpcore.ReadTimeout, httpcore.ReadError):
            await _set_in_time(self._connection.arrived, timeout)
            return self._connection.take(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109  (see above)
        """Send some bytes, and wait until the system has taken all of them.

        Raises:
            httpcore.WriteError, httpcore.WriteTimeout: The connection is gone, or they were not taken in time.
        """
        with _raised_as(httpcore.WriteTimeout, httpcore.WriteError):
            self._connection.send(buffer)
            # Also where the system takes everything at once: other calls have their turn between two pieces.
            await asyncio.sleep(0)
            await _set_in_time(self._connection.drained, timeout)
            self._connection.require_whole()

    async def aclose(self) -> None:
        """Close it at once; what the system has not taken is not sent any more."""
        self._connection.transport.abort()
        await asyncio.sleep(0)  # in which the socket is closed

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  (see above)
    ) -> httpcore.AsyncNetworkStream:
        """Encrypt what follows.

        Raises:
            httpcore.ConnectError, httpcore.ConnectTimeout: The other end, or its certificate, did not agree to it.
        """
        connection = self._connection
        try:
            with _raised_as(httpcore.ConnectTimeout, httpcore.ConnectError):
                async with asyncio.timeout(timeout):
                    encrypted = await asyncio.get_running_loop().start_tls(
                        connection.transport, connection, ssl_context, server_hostname=server_hostname
                    )
        except BaseException:
            connection.transport.abort()
            raise
        if encrypted is None:
            raise httpcore.ConnectError("the connection was closed")
        connection.connection_made(encrypted)
        return self

    def get_extra_info(self, info: str) -> Any:
        """Return what the library asks for, as it names it; None for what is not known."""
        transport = self._connection.transport
        if info == "is_readable":
            return self._connection.arrived.is_set()
        names = {"client_addr": "sockname", "server_addr": "peername"}
        return transport.get_extra_info(names.get(info, info))


class _Connection(asyncio.Protocol):
    """What a transport tells: what has come, whether there is room for more, and how it ended."""

    def __init__(self) -> None:
        self.arrived = asyncio.Event()
        """Set while there is something to take, be it the end."""
        self.drained = asyncio.Event()
        """Set while nothing waits to be sent, and when nothing can be any more."""
        self.drained.set()
        self._held = bytearray()
        self._has_ended = False
        self._is_lost = False
        self._error: Exception | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.set_write_buffer_limits(1)  # with 0, an encrypted one would never be ready

    def data_received(self, data: bytes) -> None:
        self._held += data
        self.arrived.set()
        if len(self._held) > HELD_BYTES:
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        self._has_ended = True
        self.arrived.set()
        # A plain connection may still send when nothing more comes; an encrypted one cannot.
        return self.transport.get_extra_info("ssl_object") is None

    def connection_lost(self, exc: Exception | None) -> None:
        self._has_ended = self._is_lost = True
        self._error = exc
        self.arrived.set()
        self.drained.set()

    def pause_writing(self) -> None:
        self.drained.clear()

    def resume_writing(self) -> None:
        self.drained.set()

    def send(self, data: bytes) -> None:
        """Hand some bytes to the system, as far as it takes them now."""
        self.require_whole()
        self.transport.write(data)

    def require_whole(self) -> None:
        """Raise `OSError` if nothing can be sent any more."""
        if self._is_lost or self.transport.is_closing():
            raise ConnectionResetError("the connection was closed") from self._error

    def take(self, max_bytes: int) -> bytes:
        """Return what has come, before what has gone wrong is raised."""
        taken = bytes(self._held[:max_bytes])
        del self._held[:max_bytes]
        if not taken and self._error is not None:
            raise ConnectionResetError(str(self._error)) from self._error
        if not self._held and not self._has_ended:
            self.arrived.clear()
        if len(self._held) <= HELD_BYTES and not self._is_lost:
            self.transport.resume_reading()
        return taken


def _is_address(host: str) -> bool:
    """Whether a host is written as its address, so that there is no race to begin between several.

    A race that is cancelled leaves its socket to the garbage collector, as asyncio does it.
    """
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


async def _set_in_time(event: asyncio.Event, seconds: float | None) -> None:
    """Wait for an event; nearly always it is set already, and no clock is wound up for it."""
    if not event.is_set():
        async with asyncio.timeout(seconds):
            await event.wait()


@contextmanager
def _raised_as(too_late: type[Exception], broken: type[Exception]) -> Generator[None]:
    """Raise what goes wrong as the library names it."""
    try:
        yield
    except TimeoutError as error:
        raise too_late(str(error)) from error
    except OSError as error:
        raise broken(str(error)) from error
