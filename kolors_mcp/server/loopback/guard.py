"""Who may speak with the pages and the server on this machine: the page at 127.0.0.1, by name, port and token, alone.

Any web page can send requests to this machine, frame what it serves, or rebind a name of its own to 127.0.0.1. So every
answer, also a refusal, has a policy with which nothing can be made of it, and every request is held against the exact
addresses. Browsers let no page write `Host`, `Origin` or `Sec-Fetch-Site`.
"""

import hmac
import secrets
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MCP_PATH = "/mcp"
"""Where the server is."""
SANDBOX_PATHS = ("/sandbox.html", "/sandbox.js", "/sandbox.css")
"""What the sandbox's own origin serves, and nothing else there."""
TOKEN_HEADER = "kolors-page-token"  # noqa: S105  (the name of a header)
"""The header with which the host page shows that it is the one we served."""
DENY_ALL_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
"""The policy of all that is not meant to be a page: it is shown in no frame, and has no origin."""
_FIXED_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_DEFAULT_PORT = 80


class Addresses:
    """Where the host page and its sandbox are, and what proves the page."""

    def __init__(self, port: int) -> None:
        """Draw the token of this run."""
        suffix = "" if port == _DEFAULT_PORT else f":{port}"  # As browsers write it.
        self.host = f"127.0.0.1{suffix}"
        self.sandbox_host = f"localhost{suffix}"
        self.origin = f"http://{self.host}"
        self.sandbox_origin = f"http://{self.sandbox_host}"
        self.token = secrets.token_urlsafe(32)


class Guard:
    """An ASGI application before another one: refuses who is not meant, and puts a policy on every answer."""

    def __init__(self, application: "ASGIApp", addresses: Addresses) -> None:
        """Stand before `application`."""
        self._application = application
        self._addresses = addresses

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer one request, or hand it on."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return

        async def send_with_policy(message: "Message") -> None:
            if message["type"] == "http.response.start":
                own = list(message.get("headers", ()))
                named = {name.lower() for name, _ in own}
                message["headers"] = own + [header for header in _headers() if header[0] not in named]
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._application)(scope, receive, send_with_policy)

    def _refusal(self, scope: "Scope") -> PlainTextResponse | None:
        headers, where = Headers(scope=scope), self._addresses
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if scope["path"] in SANDBOX_PATHS:
            expected, origin = where.sandbox_host, where.sandbox_origin
        else:
            expected, origin = where.host, where.origin
        if hosts != [expected]:
            return PlainTextResponse(f"This is at {expected} only.", 421)
        if origins not in ([], [origin]):
            return PlainTextResponse("Other pages have no access.", 403)
        if scope["path"] == MCP_PATH or scope["path"].startswith(MCP_PATH + "/"):
            site = headers.get("sec-fetch-site", "same-origin")
            token = headers.get(TOKEN_HEADER, "").encode()
            if site != "same-origin" or not hmac.compare_digest(token, where.token.encode()):
                return PlainTextResponse("Only the page that was served here has access.", 403)
        return None


class Connection(H11Protocol):
    """A connection whose answers to what is no HTTP have the policy too: a link that is too long gets there."""

    def send_400_response(self, msg: str) -> None:
        """Answer and hang up."""
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close"), *_headers()]
        lines = b"".join(b"%s: %s\r\n" % header for header in headers)
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\n%s\r\n%s" % (lines, msg.encode("ascii")))
        self.transport.close()


def _headers() -> list[tuple[bytes, bytes]]:
    return [(b"content-security-policy", DENY_ALL_POLICY.encode()), *_FIXED_HEADERS]
