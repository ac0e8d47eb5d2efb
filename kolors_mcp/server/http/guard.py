"""Under which names this service answers, and pages of which origins may call it: exactly these and no others.

A page of a stranger's can lead a name of its own to this machine; its browser then sends that name as `Host`, and the
page's as `Origin`, and lets no page write either. So this is looked at before anything else, also before the body.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from kolors_mcp.server.http.refusals import refusal

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

PROBE_PATHS = frozenset({"/healthz", "/readyz"})
"""What says nothing but whether this process serves; whoever asks for it often knows only where the process listens."""
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
_USUAL_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Addresses:
    """Where the service is."""

    origin: str
    """As the world reaches it, without a path."""
    hosts: frozenset[str]
    """Every `Host` that means it, in lower case."""
    origins: frozenset[str]
    """Origins of pages that may call it."""
    loopback_hosts: frozenset[str]
    """Every `Host` that means this very process to other programs on this machine."""


def addresses_of(public_url: str | None, port: int) -> Addresses:
    """Return the addresses of a service that listens at a port.

    Args:
        public_url: Its origin for the world, as `ServiceSettings` has it; None: it is for this machine alone.
        port: Where it listens.
    """
    loopback = [f"http://{name}" + ("" if port == _USUAL_PORTS["http"] else f":{port}") for name in LOOPBACK_NAMES]
    origins = loopback if public_url is None else [public_url]
    return Addresses(origins[0], _hosts(origins), frozenset(origins), _hosts(loopback))


class Guard:
    """An ASGI application before another one, which sees only what is meant for it."""

    def __init__(self, application: "ASGIApp", addresses: Addresses) -> None:
        """Stand before `application`."""
        self._application = application
        self._addresses = addresses

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Refuse a request, or hand it on."""
        refused = self._refusal(scope) if scope["type"] == "http" else None
        await (refused or self._application)(scope, receive, send)

    def _refusal(self, scope: "Scope") -> "Response | None":
        headers, where = Headers(scope=scope), self._addresses
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        meant = where.hosts
        if scope["path"] in PROBE_PATHS:
            meant |= where.loopback_hosts | _listening_at(scope)
        if len(hosts) != 1 or hosts[0].lower() not in meant:
            return refusal(
                421, f"This service is at {where.origin}. Call it by that name; a proxy must pass the Host header on."
            )
        if origins and (len(origins) > 1 or origins[0] not in where.origins):
            return refusal(403, "Pages of other origins may not call this service.")
        return None


def _hosts(origins: list[str]) -> frozenset[str]:
    """Return what may stand as `Host` in a request to one of these: also with the port that goes without saying."""
    found: set[str] = set()
    for origin in origins:
        parts = urlsplit(origin)
        found.add(parts.netloc)
        if parts.port is None:
            found.add(f"{parts.netloc}:{_USUAL_PORTS[parts.scheme]}")
    return frozenset(found)


def _listening_at(scope: "Scope") -> frozenset[str]:
    """Return the address, never a name, at which a request came in: that is how orchestrators ask each replica."""
    address, port = scope["server"]
    return frozenset({f"[{address}]:{port}" if ":" in address else f"{address}:{port}"})
