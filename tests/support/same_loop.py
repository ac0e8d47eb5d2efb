"""A simulated Kling that is asked without sockets, in the event loop of the test.

What it does to a connection reaches our client as the errors that the HTTP library makes of it on a socket, which
`tests/test_same_loop.py` compares. An exchange over a socket costs five times as much.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass
from typing import Any, Self

import anyio
import httpx
import pytest

from kolors_mcp.kling import http
from kolors_mcp.sandbox.answers import TRANSPORT
from kolors_mcp.sandbox.application import KlingApplication
from kolors_mcp.sandbox.kling import SandboxKling
from tests.support.still_time import SMALL_BUFFER


@contextmanager
def asked_in_the_same_loop(kling: SandboxKling) -> Generator[None]:
    """Let whoever asks this Kling from this process do so without sockets. Result links are still fetched over them."""
    wire, really_open = Wire(kling), http.open_connections

    def open_connections(api_base: str, transport: httpx.AsyncBaseTransport | None, on_answer: Any) -> Any:
        chosen = wire if transport is None and api_base == kling.origin else transport
        return really_open(api_base, chosen, on_answer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http, "open_connections", open_connections)
        yield


class Wire(httpx.AsyncBaseTransport):
    """Carries requests to one simulated Kling. Like a server, it goes on with what it has, though the caller leaves."""

    def __init__(self, kling: SandboxKling) -> None:
        self._application = KlingApplication(kling)
        self._serving: set[asyncio.Task[None]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        connection = _Connection(request.extensions["timeout"])
        await request.extensions["trace"]("http11.send_request_headers.started", {"request": _Begun(request)})
        # In a context of its own: what the caller has set there is not known at the other end.
        serving = asyncio.get_running_loop().create_task(self._serve(request, connection), context=Context())
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)
        try:
            await connection.send_body(request)
            status, headers = await connection.head()
        except BaseException:
            connection.close()
            raise
        return httpx.Response(status, headers=headers, stream=connection)

    async def _serve(self, request: httpx.Request, connection: "_Connection") -> None:
        url = request.url
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": url.raw_path.partition(b"?")[0],
            "query_string": url.query,
            "root_path": "",
            "server": (url.host, url.port),
            "client": ("127.0.0.1", 1),
            TRANSPORT: connection,
        }
        try:
            await self._application(scope, connection.receive, connection.send)
        except Exception as error:  # noqa: BLE001  (whatever it is, the test that asked has to see it)
            connection.break_off(error)


@dataclass(frozen=True)
class _Begun:
    """What a trace tells of the request."""

    request: httpx.Request

    @property
    def method(self) -> bytes:
        return self.request.method.encode()


class _Connection(httpx.AsyncByteStream):
    """One connection for one exchange: what our client reads at one end, and the sandbox's transport at the other."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds = seconds
        self._moved = asyncio.Event()
        """Something has come at either end, or was taken there."""
        self._asked, self._asked_all = deque[bytes](), False
        self._answered, self._answered_all = deque[bytes](), False
        self._head: tuple[int, list[tuple[bytes, bytes]]] | None = None
        self._fault: Exception | None = None
        self._left = False

    async def _until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            self._moved.clear()
            await self._moved.wait()

    async def _within(self, piece: str, late: type[httpx.TimeoutException], is_so: Callable[[], bool]) -> None:
        if not is_so():
            try:
                with anyio.fail_after(self._seconds[piece]):
                    await self._until(is_so)
            except TimeoutError:
                raise late("") from None

    # --- our client's end

    async def send_body(self, request: httpx.Request) -> None:
        """Hand over the body; what the system's buffers would not hold has to be taken before there is more."""
        assert isinstance(request.stream, httpx.AsyncByteStream)
        async for piece in request.stream:
            self._asked.append(piece)
            self._moved.set()
            await self._within("write", httpx.WriteTimeout, self._has_room)
            if self.is_closing():
                return  # an answer may have come all the same
        self._asked_all = True
        self._moved.set()

    def _has_room(self) -> bool:
        return self.is_closing() or sum(map(len, self._asked)) <= SMALL_BUFFER

    async def head(self) -> tuple[int, list[tuple[bytes, bytes]]]:
        """Return the status and the headers of the answer."""
        await self._within("read", httpx.ReadTimeout, lambda: self._head is not None or self._fault is not None)
        if self._head is None:
            assert self._fault is not None
            raise self._fault
        return self._head

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            await self._within("read", httpx.ReadTimeout, self._has_more_to_tell)
            if self._answered:
                yield self._answered.popleft()
            elif self._answered_all:
                return
            else:
                assert self._fault is not None
                raise self._fault

    def _has_more_to_tell(self) -> bool:
        return bool(self._answered) or self._answered_all or self._fault is not None

    async def aclose(self) -> None:
        self.close()

    # --- the sandbox's end

    async def receive(self) -> dict[str, Any]:
        await self._until(lambda: bool(self._asked) or self._asked_all or self.is_closing())
        if self._asked:
            piece = self._asked.popleft()
            self._moved.set()
            return {"type": "http.request", "body": piece, "more_body": True}
        if self._asked_all and not self.is_closing():
            self._asked_all = False
            return {"type": "http.request", "body": b"", "more_body": False}
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self._head = message["status"], message["headers"]
        else:
            if message["body"]:
                self._answered.append(message["body"])
            self._answered_all = not message.get("more_body", False)
        self._moved.set()

    def break_off(self, fault: Exception) -> None:
        self._fault = self._fault or fault
        self._moved.set()

    def write_eof(self) -> None:
        self.break_off(httpx.RemoteProtocolError("the server has closed the connection"))

    def abort(self) -> None:
        self._answered.clear()
        self.break_off(httpx.ReadError(""))
        self.close()

    def close(self) -> None:
        """Close it, at either end."""
        self._left = True
        self._moved.set()

    def is_closing(self) -> bool:
        return self._left

    def get_extra_info(self, _name: str) -> Self:
        return self

    def setsockopt(self, *_option: object) -> None:
        """Take note of nothing: `abort` resets."""
