"""One line in the log for each request, and the number under which it is found there, which the answer carries."""

import hashlib
import logging
import secrets
from typing import TYPE_CHECKING, Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult

from kolors_mcp.clock import Clock
from kolors_mcp.server import sdk
from kolors_mcp.server.http.guard import PROBE_PATHS
from kolors_mcp.server.http.logs import FIELDS, REQUEST, REQUESTS, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp.server.context import ServerMiddleware
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from kolors_mcp.server.caller import Caller
    from kolors_mcp.server.handlers import TryOnServer

logger = logging.getLogger(REQUESTS)

REQUEST_ID_HEADER = b"x-request-id"
UNKNOWN = "unknown"
_FAILED = 400
"""From which status on an answer is a refusal or a failure."""


def mark_of(user: str) -> str:
    """Return what tells a user from others, in logs and names of files, without naming them."""
    return hashlib.sha256(b"kolors-mcp user\0" + user.encode("utf-8", "surrogatepass")).hexdigest()[:16]


class RequestLog:
    """An ASGI application before another one, which tells of each request when it has ended."""

    def __init__(self, application: "ASGIApp", clock: Clock, paths: frozenset[str]) -> None:
        """Stand before `application`.

        Args:
            application: Answers the requests.
            clock: Says how long that took.
            paths: Which may be named in a log; others may have secrets in them.
        """
        self._application = application
        self._clock = clock
        self._paths = paths

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Have a request answered."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        path = scope["path"] if scope["path"] in self._paths else "other"
        request = Request(secrets.token_hex(8), path)
        began, ended = self._clock.monotonic(), False

        async def send_with_id(message: "Message") -> None:
            nonlocal ended
            if message["type"] == "http.response.start":
                request.status = message["status"]
                message["headers"] = [*message.get("headers", ()), (REQUEST_ID_HEADER, request.id.encode())]
            await send(message)
            ended = message["type"] == "http.response.body" and not message.get("more_body", False)

        token = REQUEST.set(request)
        try:
            await self._application(scope, receive, send_with_id)
        finally:
            self._tell(request, self._clock.monotonic() - began, ended=ended)
            REQUEST.reset(token)

    def _tell(self, request: Request, seconds: float, *, ended: bool) -> None:
        outcome = request.outcome
        if not ended:
            outcome = "left"
        elif outcome is None:
            outcome = "ok" if (request.status or 0) < _FAILED else "refused"
        # Whoever looks after this process asks every few seconds whether it is there.
        is_probe = request.path in PROBE_PATHS and outcome == "ok"
        fields = {
            "path": request.path,
            "method": request.method,
            "tool": request.tool,
            "user": request.user,
            "status": request.status,
            "outcome": outcome,
            "ms": round(seconds * 1000),
            **request.more,
        }
        told = {name: value for name, value in fields.items() if value is not None}
        logger.log(logging.DEBUG if is_probe else logging.INFO, "request", extra={FIELDS: told})


def named(application: "ASGIApp", caller: "Callable[[], Caller]") -> "ASGIApp":
    """Return an ASGI application before another one, which notes whose a request is."""

    async def name(scope: "Scope", receive: "Receive", send: "Send") -> None:
        if (request := REQUEST.get()) is not None:
            request.user = mark_of(caller().user)
        await application(scope, receive, send)

    return name


def observing(server: "TryOnServer") -> "ServerMiddleware[Any]":
    """Return what notes which method and tool a message is for, and what became of it."""

    async def observe(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        request = REQUEST.get()
        if request is None:
            return await call_next(ctx)
        request.method, request.tool = names_of(server, ctx)
        request.outcome = "failed"
        try:
            result = await call_next(ctx)
        except MCPError as error:
            request.outcome = f"error {error.error.code}"
            raise
        request.outcome = "tool error" if is_tool_error(result) else "ok"
        return result

    return observe


def names_of(server: "TryOnServer", ctx: ServerRequestContext[Any, Any]) -> tuple[str, str | None]:
    """Return the method of a message and the tool that it calls, if it calls one.

    A client may make up any number of names; all that are none of this server's are `unknown`.
    """
    method = ctx.method if _is_known(server, ctx.method) else UNKNOWN
    if ctx.method != "tools/call":
        return method, None
    tool: object = (ctx.params or {}).get("name")
    return method, tool if isinstance(tool, str) and sdk.has_tool(server, tool) else UNKNOWN


def is_tool_error(result: HandlerResult) -> bool:
    """Whether a tool has answered that it could not do what it was asked."""
    match result:
        case CallToolResult(is_error=True) | {"isError": True}:
            return True
        case _:
            return False


def _is_known(server: "TryOnServer", method: str) -> bool:
    if method.startswith("notifications/"):
        return method in _NOTIFICATIONS
    return method == "initialize" or sdk.protocol_server(server).get_request_handler(method) is not None


_NOTIFICATIONS = frozenset({"notifications/initialized", "notifications/cancelled", "notifications/progress"})
