"""Connections to a picture's server through a proxy, which resolves the name and decides what can be reached.

What needs no name server is judged here all the same, before the proxy is asked: addresses, and names of the inside.
"""

import ssl

import httpcore

from kolors_mcp.egress.proxies import Proxy
from kolors_mcp.egress.socks import SocksBackend
from kolors_mcp.images.sources.network import PinnedBackend

Connection = httpcore.AsyncHTTPConnection | httpcore.AsyncConnectionPool
"""What a request is sent over, and closed with."""


def connection_through(
    proxy: Proxy,
    origin: httpcore.Origin,
    way: PinnedBackend,
    context: ssl.SSLContext | None,
    proxy_context: ssl.SSLContext | None,
) -> Connection:
    """Return an unopened connection to `origin` that goes through `proxy`.

    Args:
        proxy: The proxy.
        origin: The picture's server.
        way: How the proxy itself is reached.
        context: Which certificates the server is checked with, for https.
        proxy_context: Which certificates an encrypted proxy is checked with.
    """
    if proxy.is_socks:
        return httpcore.AsyncHTTPConnection(origin, context, network_backend=SocksBackend(proxy, way))
    name, password = proxy.credentials or ("", "")
    return httpcore.AsyncHTTPProxy(
        httpcore.URL(scheme=proxy.scheme, host=proxy.host, port=proxy.port, target="/"),
        proxy_auth=(name.encode(), password.encode()) if proxy.credentials else None,
        ssl_context=context,
        proxy_ssl_context=proxy_context,
        max_connections=1,
        network_backend=way,
    )
