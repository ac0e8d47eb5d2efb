"""A create or a get as cheap as it gets: raw sockets, no checks. What the floor does, and the bare server."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pybase64

HOST = b"Host: 127.0.0.1\r\n"
PATH = b"/v1/images/kolors-virtual-try-on"


class Raw:
    """Kling's part of a call such as `{"files": [a, b]}`, `{"paths": [...]}`, `{"base64": [...]}` or `{"get": id}`."""

    def __init__(self, port: int) -> None:
        """Speak with the cheap Kling at a port of this machine."""
        self._port = port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def work(self, call: dict[str, Any]) -> None:
        """Do it."""
        if "files" in call:
            await self._create([_encoded(Path(name).read_bytes()) for name in call["files"]])
        elif "paths" in call:
            requests = [b"GET %b HTTP/1.1\r\n%b\r\n" % (path.encode(), HOST) for path in call["paths"]]
            await self._create(list(map(_encoded, await asyncio.gather(*map(self._exchange, requests)))))
        elif "base64" in call:
            await self._create([text.encode() for text in call["base64"]])
        else:
            json.loads(await self._exchange(b"GET %b/%b HTTP/1.1\r\n%b\r\n" % (PATH, call["get"].encode(), HOST)))

    async def _create(self, encoded: list[bytes]) -> None:
        frame = (b'{"human_image":"', encoded[0], b'","cloth_image":"', encoded[1], b'"}')
        head = b"POST %b HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n" % (PATH, HOST, sum(map(len, frame)))
        json.loads(await self._exchange(head, *frame))

    async def _exchange(self, *parts: bytes) -> bytes:
        idle = self._idle
        reader, writer = idle.pop() if idle else await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20)
        for part in parts:
            writer.write(part)
            await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
        idle.append((reader, writer))
        return body


def _encoded(picture: bytes) -> bytes:
    return pybase64.b64encode(picture)
