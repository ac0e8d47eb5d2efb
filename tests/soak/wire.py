"""Kling's socket: HTTP by hand, so that an answer can be lost, late, cut, packed or nonsense at any byte."""

import asyncio
import gzip
import socket
import struct
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.support.holding import UNREAD_BYTES, narrow_listener

from .kling import API_KEY, PATH, Kling, Refused, Task, envelope, refusal
from .plan import FAULTS, Fault, answered, better, chance

CUT_SHARE, READ_FAULT_SHARE = 0.02, 0.08
"""Of the creates, that are reset before they are whole; of the reads, that go wrong."""
BEGINNING_BYTES = 8192
HELD_SECONDS = 0.2
"""For which a large create that is begun is not read: until its server has been stopped or killed."""
HTML = b"<html><head><title>502</title></head><body>upstream</body></html>"
ODD_IDS = ("", None, "..", "null", "0", "a b", "x" * 9000)

Answer = tuple[int, bytes]
UNREAD: dict[str, Answer] = {
    "failed": (500, refusal(5000, "internal error")),
    "busy": (429, refusal(1302, "too many requests")),
    "html": (502, HTML),
}
"""What a read is answered that goes wrong."""


class _Lost(Exception):  # noqa: N818  (what is meant to happen)
    """The connection ends without an answer."""

    def __init__(self, *, reset: bool) -> None:
        super().__init__()
        self.reset = reset


class Wire:
    """Serves one Kling on a free port of loopback."""

    def __init__(self, kling: Kling, place: tuple[object, ...]) -> None:
        self.kling = kling
        self._place = place
        self._luck: Random = chance(*place, "reads")
        self._serving: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[None]:
        """Listen until the body ends; sets the Kling's origin."""
        listener = narrow_listener()
        server = await asyncio.start_server(self._serve, sock=listener, limit=UNREAD_BYTES)
        self.kling.origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            yield
        finally:
            server.close()
            for task in list(self._serving):
                task.cancel()
            await asyncio.gather(*self._serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            # Whoever is killed or has given up hangs up.
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while await self._one(reader, writer):
                    pass
        except _Lost as lost:
            if lost.reset:
                _reset(writer)
        finally:
            self._serving.discard(task)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve one request; return whether another may follow on the connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *lines = head.split("\r\n")[:-2]
        method, target, _version = line.split(" ")
        fields = {name.lower(): value.strip() for name, _colon, value in (entry.partition(":") for entry in lines)}
        length = int(fields.get("content-length", "0"))
        if method == "POST" and not self.kling.calm and self._luck.random() < CUT_SHARE:
            await reader.readexactly(length // 2)
            raise _Lost(reset=True)
        body = await self._body(reader, length)
        if fields.get("authorization") != f"Bearer {API_KEY}":
            await _write(writer, 401, refusal(1002, "authorization is invalid"))
            return True
        url = urlsplit(target)
        if method == "POST" and url.path == PATH:
            await self._create(writer, body)
        elif method == "GET":
            await self._read(writer, url.path, dict(parse_qsl(url.query)))
        else:
            await _write(writer, 404, refusal(1202, "no such method"))
        return True

    async def _body(self, reader: asyncio.StreamReader, length: int) -> bytes:
        """Read the body of a request; one that belongs to a wish which is to be interrupted now is held up."""
        beginning = await reader.readexactly(min(length, BEGINNING_BYTES))
        wish = self.kling.pictures.begun(beginning)
        if wish is not None:
            self.kling.on_stage(wish, "begun")
            await asyncio.sleep(HELD_SECONDS)
        return beginning + await reader.readexactly(length - len(beginning))

    async def _create(self, writer: asyncio.StreamWriter, body: bytes) -> None:
        kling = self.kling
        try:
            wish, reference = kling.wish_in(body)
        except Refused as no:
            await _write(writer, no.status, refusal(no.code, no.message))
            return
        kling.on_stage(wish, "body")
        name = kling.fault_for(wish)
        fault, luck = FAULTS[name], chance(*self._place, wish, len(kling.posts[wish]))
        says = luck.choice(fault.says) if fault.says else None
        task: Task | None = None
        answer: Answer | None = None
        if fault.accepted:
            try:
                task = kling.accept(wish, reference)
                if fault.twice:
                    task = kling.accept(wish, reference)
            except Refused as no:
                answer = no.status, refusal(no.code, no.message)
            kling.on_stage(wish, "accepted")
        if task is not None:
            task.answered = better(task.answered, "other" if answer else answered(fault, says))
        await asyncio.sleep(luck.uniform(0, fault.pause) if fault.coding != "drips" else 0)
        if fault.ends != "answered":
            raise _Lost(reset=fault.ends == "reset")
        await _write(writer, *(answer or self._answer(fault, says, task, luck)), coding=fault.coding, over=fault.pause)
        kling.on_stage(wish, "answered")

    def _answer(self, fault: Fault, says: tuple[int, int] | None, task: Task | None, luck: Random) -> Answer:
        status, code = says or (200, 0)
        if fault.body == "html":
            return status, HTML
        if code:
            return status, refusal(code, "unknown external_task_id" if code == 1201 else "no")
        assert task is not None
        row = self.kling.row(task, time.monotonic())
        row = {name: row[name] for name in ("task_id", "task_status", "created_at", "updated_at")}
        if fault.body == "odd id":
            row["task_id"] = luck.choice(ODD_IDS)
        whole = envelope(row)
        return 200, whole[: len(whole) // 2] if fault.body == "cut short" else whole

    async def _read(self, writer: asyncio.StreamWriter, path: str, query: dict[str, str]) -> None:
        fault = "none"
        if not self.kling.calm and self._luck.random() < READ_FAULT_SHARE:
            fault = self._luck.choice(("reset", "closed", "failed", "busy", "html", "gzip", "drips", "late"))
        if fault in ("reset", "closed"):
            raise _Lost(reset=fault == "reset")
        if fault in UNREAD:
            await _write(writer, *UNREAD[fault])
            return
        await asyncio.sleep(self._luck.uniform(0.5, 4.0) if fault == "late" else 0)
        try:
            answer = 200, envelope(self._shown(path, query))
        except Refused as no:
            answer = no.status, refusal(no.code, no.message)
        await _write(writer, *answer, coding=fault, over=1.0)

    def _shown(self, path: str, query: dict[str, str]) -> Any:
        if path == PATH:
            try:
                number, size = (int(query.get(name, default)) for name, default in (("pageNum", 1), ("pageSize", 30)))
            except ValueError:
                raise Refused(400, 1201, "pageNum or pageSize is not a number") from None
            return self.kling.page(number, size)
        if path.startswith(f"{PATH}/"):
            return self.kling.read(unquote(path.removeprefix(f"{PATH}/")), self._luck.random())
        raise Refused(404, 1202, "no such path")


async def _write(
    writer: asyncio.StreamWriter, status: int, body: bytes, *, coding: str = "", over: float = 0.0
) -> None:
    """Write a whole answer, packed or in pieces over so many seconds where that is wanted."""
    packed = gzip.compress(body, 1) if coding == "gzip" else body
    lines = [f"HTTP/1.1 {status} .", f"Content-Length: {len(packed)}", "Content-Type: application/json"]
    if coding == "gzip":
        lines.append("Content-Encoding: gzip")
    whole = "\r\n".join([*lines, "", ""]).encode() + packed
    if coding == "drips":
        for start in range(0, len(whole), len(whole) // 4 + 1):
            writer.write(whole[start : start + len(whole) // 4 + 1])
            await writer.drain()
            await asyncio.sleep(over / 4)
        return
    writer.write(whole)
    await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with RST, as a middlebox or a crash does."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
