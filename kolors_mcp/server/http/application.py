"""The ASGI application: the server at `/mcp` and its health beside it, each behind what has to be passed first.

A request for `/mcp` passes, in this order: the log, the names of the service, the end of the service, who is calling,
how often they call, how much they send. What is refused by one of them costs nothing of what follows.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Route

from kolors_mcp.clock import Clock
from kolors_mcp.server import sdk
from kolors_mcp.server.http.bodies import Bodies
from kolors_mcp.server.http.bounds import Bounds
from kolors_mcp.server.http.guard import PROBE_PATHS, Addresses, Guard
from kolors_mcp.server.http.health import Health, Probe
from kolors_mcp.server.http.rates import Rates, rated
from kolors_mcp.server.http.refusals import refusal
from kolors_mcp.server.http.request_log import RequestLog, named, observing
from kolors_mcp.server.service import Service

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from kolors_mcp.server.caller import Caller
    from kolors_mcp.server.handlers import TryOnServer
    from kolors_mcp.server.http.draining import Draining

MCP_PATH = "/mcp"
"""Where the server is."""

Layer = Callable[["ASGIApp"], "ASGIApp"]
"""Puts an ASGI application before another one."""
Routes = Callable[[Callable[[], Service]], Sequence[BaseRoute]]
"""From what gives the service, while it runs, to where more is served."""


def application_of(
    server: "TryOnServer",
    addresses: Addresses,
    draining: "Draining",
    *,
    clock: Clock,
    bounds: Bounds,
    rates: Rates,
    caller: "Callable[[], Caller]",
    authenticate: Layer | None = None,
    routes: Routes = lambda _service: (),
    probes: Sequence[Probe] = (),
) -> "ASGIApp":
    """Return the service.

    Args:
        server: Answers at `/mcp`.
        addresses: Where the service is.
        draining: Whether it is ending.
        clock: Times what is waited for.
        bounds: How much is taken in at once.
        rates: How often a user may call.
        caller: Says whose a call is, once `authenticate` has found out.
        authenticate: Finds out who calls `/mcp`, and refuses who may not; None: whoever gets here may.
        routes: What else is served; none of it asks who is calling, unless it does so itself.
        probes: Ask whether what is needed is there, beside the ledger and the account's keys; `/readyz` says so.
    """
    manager = sdk.http_manager(server)

    async def can_create() -> bool:
        return await _service_of(manager).is_ready()

    health = Health([can_create, *probes], draining, clock)
    server.middleware.append(observing(server))
    called: ASGIApp = Bodies(
        sdk.answer_of(manager),
        bounds,
        draining.ending,
        clock,
        whose=lambda: caller().user,
        has_loaded=lambda: _service_of(manager).is_open,
    )
    called = named(rated(_only_posts(called), rates, caller), caller)
    if authenticate is not None:
        called = authenticate(called)

    @asynccontextmanager
    async def lifespan(_application: Starlette) -> AsyncGenerator[None]:
        async with manager.run():
            draining.at_begin(_service_of(manager).ending.begin)
            draining.at_begin(server.end_subscriptions)
            watching = asyncio.create_task(health.watch())
            try:
                yield
            finally:
                watching.cancel()
                await asyncio.wait((watching,))

    application = Starlette(
        routes=[
            Route(MCP_PATH, _Endpoint(draining.counted(called, bounds.requests))),
            Route("/healthz", health.live, methods=["GET"]),
            Route("/readyz", health.ready, methods=["GET"]),
            *routes(lambda: _service_of(manager)),
        ],
        exception_handlers={404: _nothing_here, 405: _wrong_method},
        lifespan=lifespan,
    )
    application.router.redirect_slashes = False
    return RequestLog(Guard(application, addresses), clock, PROBE_PATHS | {MCP_PATH})


def _service_of(manager: "StreamableHTTPSessionManager") -> Service:
    service = sdk.service_of(manager)
    assert isinstance(service, Service)
    return service


class _Endpoint:
    """An ASGI application as a route takes it: an instance, for a function would be called with a request."""

    def __init__(self, application: "ASGIApp") -> None:
        self._application = application

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        await self._application(scope, receive, send)


def _only_posts(application: "ASGIApp") -> "ASGIApp":
    """Refuse what older protocols do beside posting: without sessions there is nothing to listen to, or to end."""

    async def only_posts(scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["method"] == "POST":
            await application(scope, receive, send)
            return
        words = "This service keeps no sessions: send each message of the protocol with POST."
        await refusal(405, words, allow="POST")(scope, receive, send)

    return only_posts


def _nothing_here(_request: "Request", _error: Exception) -> "Response":
    return refusal(404, f"There is nothing here. The MCP server is at {MCP_PATH}.")


def _wrong_method(_request: "Request", error: Exception) -> "Response":
    assert isinstance(error, HTTPException)
    allowed = (error.headers or {}).get("Allow", "GET")
    return refusal(405, "Nothing is done here with this method.", allow=allowed)
