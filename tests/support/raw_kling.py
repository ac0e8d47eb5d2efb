"""A server on a raw socket that answers with whatever bytes a test gives it, in Kling's place."""

import asyncio
import gzip
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

ROW = {"task_id": "842", "task_status": "submitted", "task_status_msg": ""}
UNPACKED_BYTES = 24_000_000
BOMB = gzip.compress(bytes(UNPACKED_BYTES), 1)
"""Some 100 KB."""


@dataclass
class RawKling:
    """Answers each request with the next of its answers, and closes the connection."""

    origin: str = ""
    answers: list[bytes] = field(default_factory=list[bytes])
    requests: list[bytes] = field(default_factory=list[bytes])
    """The heads of what was asked."""


def said(data: Any, **more: Any) -> bytes:
    """What Kling says when all is well."""
    return json.dumps({"code": 0, "message": "SUCCEED", "request_id": "r", "data": data, **more}).encode()


SMALL = said(ROW)


def raw_answer(body: bytes, **fields: str) -> bytes:
    """A whole answer around a body."""
    lines = [f"{name}: {value}" for name, value in {"Content-Length": str(len(body)), **fields}.items()]
    return "\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode() + body


def in_crumbs(body: bytes) -> bytes:
    """A whole answer of which every byte is a chunk of its own."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = bytearray(b"1\r\n_\r\n" * len(body))
    chunks[3 :: len(b"1\r\n_\r\n")] = body
    return head + chunks + b"0\r\n\r\n"


@asynccontextmanager
async def raw_kling() -> AsyncGenerator[RawKling]:
    """Listen on a free port of loopback."""
    made = RawKling()
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            # Whoever has read enough hangs up.
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                head = await reader.readuntil(b"\r\n\r\n")
                fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
                await reader.readexactly(int(fields.get(b"content-length", b"0")))
                made.requests.append(head)
                writer.write(made.answers.pop(0))
                await writer.drain()
        finally:
            serving.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    made.origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()
        for task in list(serving):
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
