"""The service's web server in the loop of a test, whose time the test turns, and clients that say what it writes."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from kolors_mcp.server.http.bounds import Bounds
from kolors_mcp.server.http.serving import web_of
from tests.support.still_time import idle, turn, until


async def settled() -> None:
    """Wait until what was sent over connections within this loop has come, and what follows from it."""
    for _ in range(10):  # each time what has come meanwhile is read
        await idle()


@dataclass
class Client:
    """One connection to it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, data: bytes) -> None:
        """Send something, and wait until nothing more comes of it by itself."""
        self.writer.write(data)
        await settled()

    async def begin(self, length: int | None, *, path: str = "/") -> None:
        """Send the head of a POST; without a length its body comes in chunks."""
        how = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
        await self.say(f"POST {path} HTTP/1.1\r\nHost: x\r\n{how}\r\n\r\n".encode())

    async def answer(self) -> tuple[int, dict[str, str], str]:
        """Return the next answer: its status, headers and text."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
        text = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return int(head[0].split()[1]), headers, text.decode()

    async def ended(self) -> bool:
        """Whether the other side has ended the connection, now that nothing happens any more."""
        await settled()
        return self.reader.at_eof() or self.reader.exception() is not None


@asynccontextmanager
async def served(application: ASGIApp, bounds: Bounds) -> AsyncGenerator[Callable[[], Awaitable[Client]]]:
    """Serve an application while the body runs, which is given how one connects."""
    listener = socket.create_server(("127.0.0.1", 0))
    port: int = listener.getsockname()[1]

    async def with_a_life(scope: Scope, receive: Receive, send: Send) -> None:
        await (_live if scope["type"] == "lifespan" else application)(scope, receive, send)

    web = web_of(with_a_life, bounds)
    serving = asyncio.create_task(web.serve([listener]))
    clients: list[Client] = []

    async def connect() -> Client:
        clients.append(Client(*await asyncio.open_connection("127.0.0.1", port)))
        await settled()
        return clients[-1]

    await until(lambda: web.started)
    try:
        yield connect
    finally:
        for client in clients:
            client.writer.close()
        web.should_exit = True
        while not serving.done():
            turn()
            await asyncio.sleep(0)
        await serving


async def _live(_scope: Scope, receive: Receive, send: Send) -> None:
    for step in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{step}.complete"})


async def lengths(_scope: Scope, receive: Receive, send: Send) -> None:
    """An application that answers how long a body is."""
    body, message = b"", {"more_body": True}
    while message.get("more_body"):
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message["body"]
    text = str(len(body)).encode()
    headers = [(b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": text})
