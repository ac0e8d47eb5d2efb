"""Connections through a SOCKS5 proxy (RFC 1928, RFC 1929): a way out for the HTTP library.

That library has one of its own, which takes whatever has come for a whole answer and leaves refused connections open.
"""

from collections.abc import Iterable
from typing import Any

import anyio
import httpcore

from kolors_mcp.egress.proxies import SOCKS_REFUSED, Proxy

_SHORT_ANSWER_BYTES = 2
_ADDRESS_BYTES = {1: 4, 4: 16}
"""How long the address in an answer is, by its kind; a name (3) begins with its length."""
_NAME_KIND = 3
_AROUND_ADDRESS_BYTES = 6

_NO_SOCKS = "does not answer as a SOCKS5 proxy does"


class SocksBackend(httpcore.AsyncNetworkBackend):
    """Connects to each host by asking a proxy for it; names are resolved there.

    Args:
        proxy: Whom to ask.
        way: How the proxy itself is reached.
    """

    def __init__(self, proxy: Proxy, way: httpcore.AsyncNetworkBackend) -> None:
        self._proxy = proxy
        self._way = way

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  (the library's signature)
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the proxy, and have it connect to the host.

        Raises:
            httpcore.ProxyError: It does not; the text is how, as the end of a sentence.
            httpcore.ConnectError: It cannot be reached.
        """
        proxy = self._proxy
        stream = await self._way.connect_tcp(proxy.host, proxy.port, timeout, local_address, socket_options)
        try:
            await _ask(stream, host, port, proxy.credentials, timeout)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await stream.aclose()
            raise
        return stream

    async def sleep(self, seconds: float) -> None:
        """Wait between the pool's own attempts."""
        await anyio.sleep(seconds)


async def _ask(
    stream: httpcore.AsyncNetworkStream,
    host: str,
    port: int,
    credentials: tuple[str, str] | None,
    seconds: float | None,
) -> None:
    from socksio import socks5  # noqa: PLC0415  (only where a proxy speaks it)

    speaking: Any = socks5.SOCKS5Connection()
    # Anonymous is offered besides: many take it, whatever name is written in front of them.
    methods = [socks5.SOCKS5AuthMethod.NO_AUTH_REQUIRED]
    methods += [socks5.SOCKS5AuthMethod.USERNAME_PASSWORD] if credentials else []
    speaking.send(socks5.SOCKS5AuthMethodsRequest(methods))
    await _send(stream, speaking, seconds)
    chosen = await _answer(stream, speaking, seconds)
    if chosen.method == socks5.SOCKS5AuthMethod.USERNAME_PASSWORD and credentials:
        name, password = credentials
        speaking.send(socks5.SOCKS5UsernamePasswordRequest(name.encode(), password.encode()))
        await _send(stream, speaking, seconds)
        if not (await _answer(stream, speaking, seconds)).success:
            raise httpcore.ProxyError("does not accept the name and password")
    elif chosen.method != socks5.SOCKS5AuthMethod.NO_AUTH_REQUIRED:
        raise httpcore.ProxyError(
            "does not accept the name and password" if credentials else "wants a name and password"
        )
    speaking.send(socks5.SOCKS5CommandRequest.from_address(socks5.SOCKS5Command.CONNECT, (host, port)))
    await _send(stream, speaking, seconds)
    outcome = (await _answer(stream, speaking, seconds, long=True)).reply_code
    if outcome != socks5.SOCKS5ReplyCode.SUCCEEDED:
        raise httpcore.ProxyError(SOCKS_REFUSED.format(outcome.name.lower().replace("_", " ")))


async def _send(stream: httpcore.AsyncNetworkStream, speaking: Any, seconds: float | None) -> None:
    await stream.write(speaking.data_to_send(), seconds)


async def _answer(
    stream: httpcore.AsyncNetworkStream, speaking: Any, seconds: float | None, *, long: bool = False
) -> Any:
    """Read one whole answer, in however many pieces it comes, and return the library's reply."""
    from socksio.exceptions import SOCKSError  # noqa: PLC0415  (see `_ask`)

    data = b""
    while len(data) < (size := _size(data) if long else _SHORT_ANSWER_BYTES):
        piece = await stream.read(size - len(data), seconds)
        data += piece
        if not piece:
            raise httpcore.ProxyError(_NO_SOCKS)
    if len(data) > size:
        # Neither side has anything to say before it is spoken to.
        raise httpcore.ProxyError(_NO_SOCKS)
    try:
        return speaking.receive_data(data)
    except (SOCKSError, ValueError) as error:
        raise httpcore.ProxyError(_NO_SOCKS) from error


def _size(data: bytes) -> int:
    """Return how long an answer to a connection is, as far as its beginning tells."""
    if len(data) <= _AROUND_ADDRESS_BYTES - 2:
        return _AROUND_ADDRESS_BYTES - 1
    if data[3] == _NAME_KIND:
        return _AROUND_ADDRESS_BYTES + 1 + data[4]
    if data[3] not in _ADDRESS_BYTES:
        raise httpcore.ProxyError(_NO_SOCKS)
    return _AROUND_ADDRESS_BYTES + _ADDRESS_BYTES[data[3]]
