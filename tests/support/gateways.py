"""A gateway on a raw socket before the simulated Kling: it passes requests on, and breaks creates in chosen ways."""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from tests.support.still_time import LONGER_THAN_ANY, SMALL_BUFFER, turn

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Breaks = Callable[["Gateway", bytes, int, Streams], Awaitable[None]]
"""Is given the head of a create (with what came along), the length of its body, and the caller's connection."""


@dataclass
class Gateway:
    """Plays the next of its faults on each create, and passes on everything else."""

    host: str
    port: int
    faults: deque[Breaks] = field(default_factory=deque[Breaks])
    origin: str = ""
    seconds: float = LONGER_THAN_ANY
    """Seconds that pass at once when a fault has done its part and keeps the caller waiting."""
    creates: int = 0

    async def forward(self, request: bytes) -> bytes:
        """Pass a whole request on, over a connection of its own, and return the whole answer."""
        reader, writer = await asyncio.open_connection(self.host, self.port)
        writer.write(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
        answer = await reader.read()
        writer.close()
        return answer


@asynccontextmanager
async def gateway(origin: str) -> AsyncGenerator[Gateway]:
    host, _, port = origin.removeprefix("http://").partition(":")
    made = Gateway(host, int(port))
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            # A cancelled one ends like the others: the streams' own callback would complain.
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await _one(made, reader, writer)
        finally:
            serving.discard(task)
            writer.close()

    listening = socket.create_server(("127.0.0.1", 0))
    # Every connection gets it from here, and no more than this is taken of a body that is not read.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
    server = await asyncio.start_server(serve, sock=listening, limit=2**16)
    made.origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()
        for task in list(serving):
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


async def _one(made: Gateway, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
    length = int(fields.get(b"content-length", b"0"))
    if head.startswith(b"POST"):
        made.creates += 1
        if made.faults:
            await made.faults.popleft()(made, head, length, (reader, writer))
            return
    writer.write(await made.forward(head + await reader.readexactly(length)))
    await writer.drain()


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with a reset."""
    # A linger time of zero turns the close into a reset.
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _stalls(made: Gateway) -> None:
    turn(made.seconds)
    await asyncio.Event().wait()


# --- what goes wrong before Kling has the request


async def reset_before_the_body(_made: Gateway, _head: bytes, _length: int, streams: Streams) -> None:
    reset(streams[1])


async def reset_within_the_body(_made: Gateway, _head: bytes, length: int, streams: Streams) -> None:
    await streams[0].readexactly(length // 3)
    reset(streams[1])


async def end_within_the_body(_made: Gateway, _head: bytes, length: int, streams: Streams) -> None:
    await streams[0].readexactly(length // 3)
    streams[1].close()


async def stall_within_the_body(made: Gateway, _head: bytes, length: int, streams: Streams) -> None:
    await streams[0].readexactly(length // 3)
    await _stalls(made)


async def page_within_the_body(_made: Gateway, _head: bytes, length: int, streams: Streams) -> None:
    """Too large, says a proxy after a third of it, and hangs up."""
    await streams[0].readexactly(length // 3)
    streams[1].write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 9\r\nConnection: close\r\n\r\ntoo large")
    await streams[1].drain()
    streams[1].close()


async def reset_after_the_body(_made: Gateway, _head: bytes, length: int, streams: Streams) -> None:
    await streams[0].readexactly(length)
    reset(streams[1])


# --- what goes wrong when Kling has accepted it


async def _accepted(made: Gateway, head: bytes, length: int, streams: Streams) -> bytes:
    return await made.forward(head + await streams[0].readexactly(length))


async def reset_before_the_answer(made: Gateway, head: bytes, length: int, streams: Streams) -> None:
    await _accepted(made, head, length, streams)
    reset(streams[1])


async def end_before_the_answer(made: Gateway, head: bytes, length: int, streams: Streams) -> None:
    await _accepted(made, head, length, streams)


async def reset_within_the_answer(made: Gateway, head: bytes, length: int, streams: Streams) -> None:
    answer = await _accepted(made, head, length, streams)
    streams[1].write(answer[: len(answer) - 40])
    await streams[1].drain()
    reset(streams[1])


async def stall_before_the_answer(made: Gateway, head: bytes, length: int, streams: Streams) -> None:
    await _accepted(made, head, length, streams)
    await _stalls(made)


async def stall_within_the_answer(made: Gateway, head: bytes, length: int, streams: Streams) -> None:
    answer = await _accepted(made, head, length, streams)
    streams[1].write(answer[: len(answer) - 40])
    await _stalls(made)


async def no_http_for_an_answer(made: Gateway, head: bytes, length: int, streams: Streams) -> None:
    await _accepted(made, head, length, streams)
    streams[1].write(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
    await streams[1].drain()


async def sent_twice(made: Gateway, head: bytes, length: int, streams: Streams) -> None:
    """What a proxy does that tries again on its own: Kling sees the same request twice."""
    request = head + await streams[0].readexactly(length)
    await made.forward(request)
    streams[1].write(await made.forward(request))
    await streams[1].drain()
