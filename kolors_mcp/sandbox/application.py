"""The simulated Kling's HTTP face: its paths, and the way of one request through checks and faults."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from kolors_mcp.sandbox import control
from kolors_mcp.sandbox.accounts import Account, authenticate
from kolors_mcp.sandbox.answers import Answer, Delivery, Vanish, vanish
from kolors_mcp.sandbox.bodies import BodyTooLargeError, read_whole
from kolors_mcp.sandbox.clock import SandboxClock
from kolors_mcp.sandbox.codes import Refusal
from kolors_mcp.sandbox.faults import Kind
from kolors_mcp.sandbox.kling import SandboxKling, SeenRequest
from kolors_mcp.sandbox.outfits import failure_of
from kolors_mcp.sandbox.requests import check_create, check_page, check_window

TRY_ONS = "/v1/images/kolors-virtual-try-on"
_MOST_BODY_BYTES = 32 * 1024 * 1024  # Two pictures at the limit, as base64, are 28 MB; some escape each slash.


@dataclass(eq=False)
class SandboxExchange:
    """One request on its way; what a fault is given to spoil."""

    sandbox: SandboxKling
    request: Request
    seen: SeenRequest
    handle: Callable[["SandboxExchange"], Awaitable[Answer]]
    clock: SandboxClock = field(init=False)
    failure: str | None = None
    _read: bool = False
    _answer: Answer | None = None

    def __post_init__(self) -> None:
        self.clock = self.sandbox.clock

    @property
    def account(self) -> Account:
        """Who asks.

        Raises:
            Refusal: The credentials do not hold.
        """
        return authenticate(self.sandbox.accounts, self.request.headers, self.clock.now())

    async def read_body(self) -> bytes:
        """Take in the body, once, and note it."""
        if not self._read:
            self._read = True
            try:
                self.seen.body = await read_whole(self.request, _MOST_BODY_BYTES)
            except BodyTooLargeError as error:
                raise Refusal(1200, "The request body is too large", status=413) from error
        return self.seen.body

    async def answer(self) -> Answer:
        """Do what was asked, once."""
        if self._answer is None:
            try:
                await self.read_body()
                self._answer = await self.handle(self)
            except Refusal as refusal:
                self._answer = Answer.of_json(refusal.status, refusal.envelope())
        return self._answer


class KlingApplication:
    """The ASGI application of one sandbox. Called in process, it can play everything but closed connections."""

    def __init__(self, sandbox: SandboxKling) -> None:
        self._sandbox = sandbox
        routes = [
            Route(TRY_ONS, self._endpoint("create", _create), methods=["POST"]),
            Route(TRY_ONS, self._endpoint("list", _page), methods=["GET"]),
            Route(TRY_ONS + "/{name}", self._endpoint("read", _read), methods=["GET"]),
            Route("/account/costs", self._endpoint("costs", _costs), methods=["GET"]),
            Route("/results/{task_id}/{index}.png", self._endpoint("result", _result), methods=["GET"]),
            *control.routes(sandbox),
        ]
        handlers = {HTTPException: self._wrong_way, Refusal: self._refused, ClientDisconnect: self._gone}
        self._starlette = Starlette(routes=routes, exception_handlers=handlers)
        self._starlette.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            await self._starlette(scope, receive, send)
        except asyncio.CancelledError:
            # The sandbox stops: callers that still wait lose the connection.
            await vanish(scope, receive, fin=False)

    def _endpoint(self, kind: Kind, handle: Callable[[SandboxExchange], Awaitable[Answer]]) -> Any:
        async def endpoint(request: Request) -> ASGIApp:
            if request.method == "HEAD":  # Starlette adds it to every GET.
                return await self._wrong_way(request, HTTPException(405))
            exchange = SandboxExchange(self._sandbox, request, self._note(request), handle)
            fault = self._sandbox.faults.take(kind)
            outcome = await (exchange.answer() if fault is None else fault.play(exchange))
            return Delivery(outcome, self._sandbox.clock)

        return endpoint

    async def _wrong_way(self, request: Request, _error: Exception) -> Any:
        async def nothing(_exchange: SandboxExchange) -> Answer:
            raise Refusal(1202)

        exchange = SandboxExchange(self._sandbox, request, self._note(request), nothing)
        return Delivery(await exchange.answer(), self._sandbox.clock)

    async def _refused(self, _request: Request, refusal: Exception) -> Any:
        assert isinstance(refusal, Refusal)
        return Delivery(Answer.of_json(refusal.status, refusal.envelope()), self._sandbox.clock)

    async def _gone(self, _request: Request, _error: Exception) -> Any:
        return Delivery(Vanish(), self._sandbox.clock)

    def _note(self, request: Request) -> SeenRequest:
        seen = SeenRequest(
            method=request.method,
            path=request.scope.get("raw_path", request.url.path.encode()).decode("ascii"),
            raw_query=request.url.query,
            query=request.query_params,
            headers=request.headers,
            at=self._sandbox.clock.now(),
        )
        self._sandbox.record(seen)
        return seen


async def _create(exchange: SandboxExchange) -> Answer:
    sandbox, account = exchange.sandbox, exchange.account
    content_type = exchange.request.headers.get("content-type", "")
    # Decoding two large pictures takes a while; the other requests go on meanwhile.
    checked = await asyncio.to_thread(check_create, content_type, exchange.seen.body, sandbox.rules, sandbox.own_result)
    failure = exchange.failure or await asyncio.to_thread(failure_of, checked)
    return Answer.of_json(200, sandbox.create(account, checked, failure))


async def _read(exchange: SandboxExchange) -> Answer:
    return Answer.of_json(200, exchange.sandbox.read(exchange.account, exchange.request.path_params["name"]))


async def _page(exchange: SandboxExchange) -> Answer:
    account = exchange.account
    number, size = check_page(exchange.request.query_params)
    return Answer.of_json(200, exchange.sandbox.page(account, number, size))


async def _costs(exchange: SandboxExchange) -> Answer:
    account = exchange.account
    start, end = check_window(exchange.request.query_params)
    return Answer.of_json(200, exchange.sandbox.costs(account, start, end))


async def _result(exchange: SandboxExchange) -> Answer:
    sandbox, request = exchange.sandbox, exchange.request
    if "authorization" in request.headers:
        return Answer(400, b"A result is fetched by its link alone; send no credentials.", "text/plain")
    task_id, index = request.path_params["task_id"], request.path_params["index"]
    if not re.fullmatch("[0-9]{1,3}", index):
        return Answer(404, b"", "text/plain")
    status = sandbox.links.check(task_id, int(index), request.query_params, sandbox.clock.now())
    task = sandbox.tasks.by_id(task_id)
    if status != Response().status_code or task is None:
        return Answer(404 if task is None else status, b"", "text/plain")
    picture = await sandbox.picture(task)
    return Answer(200, picture, "image/png" if picture.startswith(b"\x89PNG") else "image/jpeg")
