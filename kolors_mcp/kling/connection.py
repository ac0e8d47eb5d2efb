"""The HTTP clients for one Kling. A proxy or certificates that cannot be used are refused, with the variable's name."""

import os
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import NamedTuple

import httpx

from kolors_mcp.egress.certificates import trusted_certificates
from kolors_mcp.errors import NotConfiguredError

MAX_CONNECTIONS = 200
"""Open at once, and kept open. The pool counts busy connections among the kept ones, so a smaller number of kept ones
would make many callers connect anew each time."""

_NOTHING_SENT = "Nothing was sent."
_PROXIES = ("HTTPS_PROXY", "ALL_PROXY", "HTTP_PROXY")
_MAX_PORT = 65535


class Connections(NamedTuple):
    """The ways to one Kling."""

    kept: httpx.AsyncClient
    """For what may be asked again: connections stay open and are used again."""
    fresh: httpx.AsyncClient
    """For creates: a connection that is kept may have been closed at the other end, which shows only when a create has
    left over it, and leaves a doubt."""

    async def aclose(self) -> None:
        """Close them."""
        await self.kept.aclose()
        await self.fresh.aclose()


def open_connections(
    api_base: str, transport: httpx.AsyncBaseTransport | None, on_answer: Callable[[httpx.Response], Awaitable[None]]
) -> Connections:
    """Make the clients; nothing is connected yet.

    Args:
        api_base: Kling's origin.
        transport: What carries the requests; for tests.
        on_answer: Told of each answer, when its headers have come.

    Raises:
        NotConfiguredError: The origin, a proxy or the certificates cannot be used; the text names the variable.
    """
    try:
        base_url = httpx.URL(api_base)
    except (httpx.InvalidURL, ValueError):
        raise NotConfiguredError(
            f"KLING_API_BASE names a host that cannot be written as an address. {_NOTHING_SENT} Correct it."
        ) from None
    encrypted = base_url.scheme == "https"
    if encrypted and transport is None and (impossible := _impossible_port()):
        raise NotConfiguredError(_refused_proxy(impossible))
    trusted = encrypted and transport is None
    verify = trusted_certificates(write_keys=True) if trusted else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    def client(kept: int) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=base_url,
            transport=transport,
            verify=verify,
            follow_redirects=False,
            # A proxy of the environment may stand before Kling, never before a server on this machine.
            trust_env=encrypted,
            timeout=httpx.Timeout(60.0, connect=10.0),
            limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=kept),
            event_hooks={"response": [on_answer]},
        )

    try:
        return Connections(client(MAX_CONNECTIONS), client(0))
    # An ImportError is httpx's way to say that a proxy speaks SOCKS, a ValueError that it speaks something else.
    except (httpx.InvalidURL, ImportError, ValueError) as error:
        raise NotConfiguredError(_refused_proxy(next(_unusable(), "NO_PROXY"))) from error


def _refused_proxy(name: str) -> str:
    if name == "NO_PROXY":
        return f"NO_PROXY has an entry that is no host. {_NOTHING_SENT} Correct it, or unset it for this server."
    # The value itself is not shown: it may hold a password.
    return (
        f"{name} names a proxy that cannot be used here. {_NOTHING_SENT} Let it name an HTTP proxy, as "
        f"http://host:port (SOCKS is not supported), or unset {name} for this server."
    )


def _unusable() -> Iterator[str]:
    """Yield the variables whose proxy httpx does not take, as the environment spells them."""
    for name in (spelling for proxy in _PROXIES for spelling in (proxy.lower(), proxy)):
        value = os.environ.get(name, "")
        if value:
            try:
                proxy = httpx.Proxy(value if "://" in value else f"http://{value}")
                httpx.AsyncHTTPTransport(proxy=proxy, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
            except (httpx.InvalidURL, ImportError, ValueError):
                yield name


def _impossible_port() -> str | None:
    """Return the variable whose proxy would be used but has a port that no host has: httpx finds out when it connects.

    Of the two spellings of a variable the small one counts, and the proxy for https before the one for all.
    """
    no_proxy = os.environ.get("no_proxy") or os.environ.get("NO_PROXY", "")
    if "*" in (entry.strip() for entry in no_proxy.split(",")):
        return None
    used = (("https_proxy", "HTTPS_PROXY"), ("all_proxy", "ALL_PROXY"))
    for name in (next((name for name in spellings if os.environ.get(name)), "") for spellings in used):
        value = os.environ.get(name, "")
        with suppress(httpx.InvalidURL, ValueError):
            if ((httpx.URL(value if "://" in value else f"http://{value}").port) or 0) > _MAX_PORT:
                return name
    return None
