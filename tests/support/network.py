"""A network that exists only in the test: its names, what was dialled, and a server that answers with given bytes."""

from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import anyio
import httpcore

from kolors_mcp.images.sources.network import system_connect
from tests.support.still_time import LONGER_THAN_ANY, turn

PUBLIC = "93.184.216.34"


@dataclass
class Network:
    """Names, and what was dialled. Whatever is dialled ends at `port` of this machine, or at a scripted stream."""

    port: int = 0
    names: dict[str, list[Sequence[str]]] = field(default_factory=dict[str, list[Sequence[str]]])
    """Answers for a name, one after the other; the last one stays. Other names are public."""
    scripts: dict[str, bytes] = field(default_factory=dict[str, bytes])
    """What is answered from an address instead of `port`."""
    dialled: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    asked: list[str] = field(default_factory=list[str])

    async def resolver(self, host: str, port: int) -> Sequence[str]:
        del port
        self.asked.append(host)
        answers = self.names.get(host, [[PUBLIC]])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async def connect(self, address: str, port: int, seconds: float | None) -> httpcore.AsyncNetworkStream:
        self.dialled.append((address, port))
        if address in self.scripts:
            return httpcore.AsyncMockStream([self.scripts[address]])
        return await system_connect("127.0.0.1", self.port, seconds)


class Server:
    """A web server on this machine that answers each path with exactly the bytes it was given."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes | list[bytes]] = {}
        self.requests: list[bytes] = []
        self.stalls = anyio.Event()
        """Never set: an answer that ends with `STALL` waits for it, so that the connection stays open."""
        self.seconds = LONGER_THAN_ANY
        """Seconds that pass at once when an answer stalls."""

    STALL = b"<stall>"

    async def serve(self, stream: anyio.abc.ByteStream) -> None:
        # What a client does that has had enough, which is what many of these tests are about.
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream):
            await self.behave(stream)

    def behave(self, stream: anyio.abc.ByteStream, /) -> Awaitable[None]:
        """Answer one request; a test may put something else in its place."""
        return self._answer(stream)

    async def _answer(self, stream: anyio.abc.ByteStream) -> None:
        async with stream:
            request = b""
            while b"\r\n\r\n" not in request:
                request += await stream.receive()
            self.requests.append(request)
            answer = self.answers[request.split(b" ", 2)[1].decode()]
            for piece in [answer] if isinstance(answer, bytes) else answer:
                if piece == self.STALL:
                    turn(self.seconds)
                    await self.stalls.wait()
                await stream.send(piece)


def response(body: bytes, *, kind: str = "image/png", status: str = "200 OK", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def redirect(location: str, status: str = "302 Found") -> bytes:
    return f"HTTP/1.1 {status}\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()
