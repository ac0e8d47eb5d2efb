"""Puts a simulated Kling on a loopback port, in a thread of its own: embedded, in tests, or alone."""

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from kolors_mcp.sandbox.answers import TRANSPORT
from kolors_mcp.sandbox.application import KlingApplication
from kolors_mcp.sandbox.kling import SandboxKling

if TYPE_CHECKING:
    from types import FrameType

DEFAULT_PORT = 8765
_IDLE_SECONDS = 60
_STOP_SECONDS = 5.0


@dataclass(frozen=True)
class RunningSandbox:
    """A sandbox that listens.

    Attributes:
        origin: For example `http://127.0.0.1:41234`.
    """

    sandbox: SandboxKling
    origin: str


class _Connection(H11Protocol):
    """One connection; its requests can find its transport, to break it on purpose."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.access_log = False  # A reader of the log could use the signed links in it.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the base has it
        super().connection_made(transport)
        # asyncio sets it only on sockets made with an explicit protocol; without it each answer waits 40 ms.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        application = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            scope[TRANSPORT] = transport
            await application(scope, receive, send)  # pyright: ignore[reportArgumentType]  # two names of ASGI's types

        self.app = with_transport  # pyright: ignore[reportAttributeAccessIssue]


@contextmanager
def running(sandbox: SandboxKling, port: int = 0, host: str = "127.0.0.1") -> Generator[RunningSandbox]:
    """Serve a sandbox for the length of a `with` block. Port 0 takes a free one.

    It has its own thread and event loop, touches no signal handler, and writes nothing to standard output.
    Entering and leaving take a moment and block; from async code, enter and leave it in a worker thread.

    Raises:
        OSError: The port is taken.
    """
    listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound = listener.getsockname()[1]
    sandbox.origin = f"http://[{host}]:{bound}" if ":" in host else f"http://{host}:{bound}"
    ready = threading.Event()
    handles: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        stop = asyncio.Event()
        handles.append((asyncio.get_running_loop(), stop))
        await _serve(sandbox, listener, ready, stop)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="kolors-sandbox", daemon=True)
    thread.start()
    try:
        ready.wait()
        yield RunningSandbox(sandbox, sandbox.origin)
    finally:
        loop, stop = handles[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join(_STOP_SECONDS)


def serve_forever(
    port: int = DEFAULT_PORT,
    *,
    sandbox: SandboxKling | None = None,
    listening: Callable[[RunningSandbox], None],
) -> None:
    """Serve a sandbox on loopback until SIGINT or SIGTERM. Prints nothing; call it from the main thread.

    Args:
        port: Where to listen; 0 takes a free port.
        sandbox: What to serve; a fresh one if not given.
        listening: Called once, as soon as it can be reached.

    Raises:
        OSError: The port is taken.
    """
    stopped = threading.Event()

    def stop(_number: int, _frame: "FrameType | None") -> None:
        stopped.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        # A few requests are enough outside of tests, which look at them: each may be 28 MB.
        with running(sandbox or SandboxKling(remember=10), port) as place:
            listening(place)
            while not stopped.wait(1.0):  # In steps, because Windows delivers no Ctrl+C into an endless wait.
                pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def _serve(sandbox: SandboxKling, listener: socket.socket, ready: threading.Event, stop: asyncio.Event) -> None:
    config = uvicorn.Config(
        KlingApplication(sandbox),
        http=_Connection,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        proxy_headers=False,
        timeout_keep_alive=_IDLE_SECONDS,
    )
    config.load()
    # uvicorn's own server looks for its stop ten times a second and waits for open connections; the protocol
    # alone, on a listening socket, starts and stops at once. Date and Server headers are then ours to send.
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(config, state, {}, loop), sock=listener)
    ready.set()
    await stop.wait()
    server.close()
    requests = list(state.tasks)
    for request in requests:
        request.cancel()
    await asyncio.gather(*requests, return_exceptions=True)
    for connection in list(state.connections):
        connection.transport.abort()  # pyright: ignore[reportOptionalMemberAccess]
    await sandbox.callbacks.aclose()
    await server.wait_closed()
