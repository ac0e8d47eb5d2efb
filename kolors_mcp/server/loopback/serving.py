"""What is served on this machine: the server over HTTP, and the pages around the fitting room, each with its policy.

The pages lie at 127.0.0.1 and what they show at localhost, because a host and what it shows need two origins.
"""

import asyncio
import errno
import socket
from contextlib import contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import uvicorn
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import Response

from kolors_mcp.server.loopback.guard import Addresses, Connection, Guard

if TYPE_CHECKING:
    from collections.abc import Generator

    from mcp.server.mcpserver import MCPServer
    from starlette.applications import Starlette
    from starlette.types import ASGIApp


MEDIA_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "mjs": "text/javascript"}
VIEW_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "media-src 'self' data:; connect-src 'none'; frame-src 'none'; object-src 'none'; base-uri 'none'; "
    "form-action 'none'"
)
"""What the specification has a host enforce on a view that declares no origin; the view inherits it from the proxy."""
PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""A host page's: what it loads and calls is its own."""
MAX_BODY_BYTES = 16 * 1024 * 1024
"""Of a request: three photos in base64."""
MAX_SESSIONS = 50
"""Pages that are open at once, or were within the last half hour."""
_FREE_PORTS_TRIED = 20
_CLOSING_SECONDS = 1


def listen(port: int) -> list[socket.socket]:
    """Listen at 127.0.0.1 and, where there is one, at ::1: `localhost` can mean either, and must be ours.

    Args:
        port: 0 takes a free one.

    Raises:
        OSError: Another program has the port.
    """
    for left in reversed(range(1 if port else _FREE_PORTS_TRIED)):
        first = socket.create_server(("127.0.0.1", port))
        try:
            return [first, socket.create_server(("::1", first.getsockname()[1]), family=socket.AF_INET6)]
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return [first]  # This machine has no IPv6.
            first.close()
            if not left:
                raise
    raise AssertionError


def application_of(server: "MCPServer[Any]", addresses: Addresses) -> "Starlette":
    """Return the server over HTTP, for one address."""
    application = server.streamable_http_app(
        json_response=True,
        max_request_body_size=MAX_BODY_BYTES,
        max_sessions=MAX_SESSIONS,
        transport_security=TransportSecuritySettings(
            allowed_hosts=[addresses.host], allowed_origins=[addresses.origin]
        ),
    )
    application.router.redirect_slashes = False
    return application


def configured(application: "ASGIApp", addresses: Addresses) -> uvicorn.Config:
    """Return how an application is served behind the guard; nothing of it is logged, for links have keys in them."""
    # Neither proxies nor servers of others stand before it: the addresses in a request are the caller's own.
    return uvicorn.Config(
        Guard(application, addresses),
        http=Connection,
        log_config=None,
        log_level="error",
        access_log=False,
        ws="none",
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=_CLOSING_SECONDS,
    )


class QuietServer(uvicorn.Server):
    """A web server inside a program that answers interrupts itself, and that wakes for requests alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ended = asyncio.Event()

    def end(self) -> None:
        """Let the serving end: what is under way has a moment to be answered."""
        self.should_exit = True
        self._ended.set()

    async def main_loop(self) -> None:
        """Wait for the end; by itself it would look ten times a second."""
        await self._ended.wait()

    @contextmanager
    def capture_signals(self) -> "Generator[None]":
        """Leave them alone."""
        yield


def text_of(name: str) -> str | None:
    """Return a page, style or script that every host page here needs; None if there is none of this name."""
    file = next((each for each in files(__package__ or "").joinpath("pages").iterdir() if each.name == name), None)
    return None if file is None else file.read_text(encoding="utf-8")


def part_of_page(name: str, text: str, addresses: Addresses) -> Response:
    """Answer with a style, a script, or the page between a host and what it shows."""
    headers: dict[str, str] = {}
    if name == "sandbox.html":
        headers["content-security-policy"] = f"{VIEW_POLICY}; frame-ancestors {addresses.origin}"
    return Response(text, headers=headers, media_type=MEDIA_TYPES[name.rpartition(".")[2]])


def host_page(text: str, addresses: Addresses, scripts: str = "'self'") -> Response:
    """Answer with a host page, which gets the token of this run."""
    frame = f"frame-src {addresses.sandbox_origin}/sandbox.html"
    policy = f"{PAGE_POLICY}; script-src {scripts}; {frame}"
    text = text.replace("{{token}}", addresses.token)
    return Response(text, headers={"content-security-policy": policy}, media_type=MEDIA_TYPES["html"])


def nothing_here(words: str = "There is nothing here.") -> Response:
    """Answer that there is nothing."""
    return Response(words, 404, media_type="text/plain")
