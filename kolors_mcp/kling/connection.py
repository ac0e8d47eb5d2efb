"""The connections to one Kling. A proxy or certificates that cannot be used are refused, with the variable's name."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import httpcore
import httpx

from kolors_mcp.egress.certificates import fault_of, trusted_certificates
from kolors_mcp.egress.proxies import Proxy, ProxyRefusal, proxy_for, refusal_of
from kolors_mcp.egress.socks import SocksBackend
from kolors_mcp.errors import NotConfiguredError
from kolors_mcp.kling.unreached import ProxyRefusedError

MAX_CONNECTIONS = 200
"""Open at once, and kept open. The pool counts busy connections among the kept ones, so a smaller number of kept ones
would make many callers connect anew each time."""
TIMEOUT = httpx.Timeout(60.0, connect=10.0).as_dict()
"""Seconds for each piece that is sent or comes, and for connecting."""

_NOTHING_SENT = "Nothing was sent."
HTTPS_PORT = 443


@dataclass(frozen=True)
class Connections:
    """The ways to one Kling.

    The library's transports are used without its client, which would look for cookies, redirects and a login in each
    answer.
    """

    origin: httpx.URL
    kept: httpx.AsyncBaseTransport
    """For what may be asked again: connections stay open and are used again."""
    fresh: httpx.AsyncBaseTransport
    """For creates: a connection that is kept may have been closed at the other end, which shows only when a create has
    left over it, and leaves a doubt."""
    on_answer: Callable[[httpx.Response], None]
    """Told of each answer, when its headers have come."""

    async def send(self, request: httpx.Request, *, creating: bool) -> httpx.Response:
        """Send a request; the answer's content is still to be read, and the answer to be closed.

        Raises:
            httpx.TransportError: It could not be sent, or was not answered.
        """
        request.extensions["timeout"] = TIMEOUT
        response = await (self.fresh if creating else self.kept).handle_async_request(request)
        self.on_answer(response)
        return response

    async def aclose(self) -> None:
        """Close them."""
        await self.kept.aclose()
        await self.fresh.aclose()


def open_connections(
    api_base: str, transport: httpx.AsyncBaseTransport | None, on_answer: Callable[[httpx.Response], None]
) -> Connections:
    """Make the transports; nothing is connected yet.

    Args:
        api_base: Kling's origin.
        transport: What carries the requests; for tests.
        on_answer: As `Connections` has it.

    Raises:
        NotConfiguredError: The origin, a proxy or the certificates cannot be used; the text names the variable.
    """
    try:
        origin = httpx.URL(api_base)
    except (httpx.InvalidURL, ValueError):
        raise NotConfiguredError(
            f"KLING_API_BASE names a host that cannot be written as an address. {_NOTHING_SENT} Correct it."
        ) from None
    if transport is not None:
        return Connections(origin, transport, transport, on_answer)
    proxy, verify = None, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # A proxy of the environment may stand before Kling, never before a server on this machine.
    if origin.scheme == "https":
        verify = trusted_certificates(write_keys=True)
        proxy = proxy_for("https", origin.host, origin.port or HTTPS_PORT)

    def way(kept: int) -> httpx.AsyncBaseTransport:
        most = httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=kept)
        if proxy is not None:
            return ProxiedTransport(proxy, verify, most)
        return httpx.AsyncHTTPTransport(verify=verify, trust_env=False, limits=most)

    return Connections(origin, way(MAX_CONNECTIONS), way(0), on_answer)


class ProxiedTransport(httpx.AsyncHTTPTransport):
    """Carries requests through a proxy, and says in our words what the proxy refuses."""

    def __init__(self, proxy: Proxy, verify: ssl.SSLContext, limits: httpx.Limits) -> None:
        """Prepare the pool; nothing is connected yet."""
        self._proxy = proxy
        if proxy.is_socks:
            self._pool = httpcore.AsyncConnectionPool(
                ssl_context=verify,
                max_connections=limits.max_connections,
                max_keepalive_connections=limits.max_keepalive_connections,
                keepalive_expiry=limits.keepalive_expiry,
                network_backend=SocksBackend(
                    proxy, cast("type[httpcore.AsyncNetworkBackend]", httpcore.AnyIOBackend)()
                ),
            )
            return
        url = httpx.URL(scheme=proxy.scheme, host=proxy.host, port=proxy.port)
        encrypted = verify if proxy.scheme == "https" else None
        through = httpx.Proxy(url, auth=proxy.credentials, ssl_context=encrypted)
        super().__init__(verify=verify, trust_env=False, limits=limits, proxy=through)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request.

        Raises:
            ProxyRefusedError: The proxy cannot be reached, or let nothing through.
            httpx.TransportError: It could not be sent, or was not answered.
        """
        try:
            return await super().handle_async_request(request)
        except Exception as error:
            refusal = refusal_of(self._proxy, error)
            unreached = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            if refusal is None and unreached and not fault_of(error):
                refusal = ProxyRefusal(f"the proxy of {self._proxy.source} cannot be reached", lasts=False)
            if refusal is None:
                raise
            raise ProxyRefusedError(refusal, request) from error
