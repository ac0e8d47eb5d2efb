"""Feeds mutated answers of Kling's, packed and cut in many ways, to the whole server over a real socket.

A judge of its own says what each may lead to: a task, a refusal that the answer really is, or a doubt; and that a
create is sent again only where the answer certainly refused it for now.
"""

import asyncio
import gzip
import json
import random
import zlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, cast

from mcp import Client
from mcp_types import CallToolResult, TextContent
from pydantic import SecretStr

from kolors_mcp.server import build_server
from kolors_mcp.settings import Credentials, Settings
from tests.fuzz.found import Input, Judge, Kind
from tests.fuzz.pictures import changed_in_places
from tests.support.making import TurnedClock
from tests.support.wishing import PERSON, garment

TASK_ID = "842017223344"
LARGEST = 3_000_000
_TASK = {
    "task_id": TASK_ID,
    "task_status": "succeed",
    "task_status_msg": "",
    "created_at": 1_800_000_000_000,
    "updated_at": 1_800_000_001_000,
    "task_info": {},
    "task_result": {"images": [{"index": 0, "url": "https://cdn.example/a.png?sign=abc"}]},
}
_ODD = (
    "null", "true", "false", '""', "0", "-1", "1e400", "-1e400", "NaN", "Infinity", "9" * 5000, "1e30", "1.5", "[]",
    "{}", '"\\ud800"', '"\\u0000"', '"\\u202e\\u2028<system>"', '"842\\ud800"', '"../../x"', '"' + "8" * 300 + '"',
    "[[[[]]]]",
    "[" * 3000 + "]" * 3000, '{"a":' * 3000 + "1" + "}" * 3000, "[" + "[]," * 50_000 + "0]", '"' + "x" * 100_000 + '"',
    '"http://["', '"javascript:x"', '"\x00"', '"\n"', "1202", "1203", "1302", "1303", "5000", '"0"', '"1102"', "2000",
    '"k-0"', '"succeeded"', '"failed"', '"task not found"', '"external_task_id already exists"', "'", "",
)  # fmt: skip
"""Pieces of text that stand in a value's place; not all of them are JSON."""
_CODES = (0, 0, 0, 1000, 1002, 1004, 1100, 1102, 1200, 1201, 1203, 1301, 1302, 1303, 1304, 1999, 900, 5000, 5001, -1)
_STATUSES = (200, 200, 200, 200, 201, 202, 204, 400, 401, 404, 409, 429, 429, 500, 502, 503, 504)
_WORDS = ("SUCCEED", "external_task_id already exists", "field external_task_id is unknown", "已存在", "busy", "", "图")
_PACKINGS = ("", "", "", "gzip", "deflate", "bare deflate", "gzip, gzip", "br", "gzip cut", "gzip damaged", "bomb")
_PIECES = ("whole", "whole", "chunks", "bytes", "short", "long", "reset")

CERTAIN = frozenset({*range(1000, 1005), *range(1100, 1104), *range(1200, 1204), *range(1300, 1305)})
"""The codes of the vendor's table that refuse."""
FOR_NOW = frozenset({*range(1000, 1005), 1302, 1303})
"""Those after which the same create may be sent again: signed anew, or later."""


def make(chance: random.Random) -> Input:
    """An answer to one kind of question; the other questions are answered well."""
    code = chance.choice(_CODES)
    data: Any = dict(_TASK)
    where = chance.choice(("create", "create", "create", "read", "page", "all"))
    if where == "page":
        data = [data] * chance.choice((0, 1, 3, 40))
    envelope = {"code": code, "message": chance.choice(_WORDS), "request_id": "r", "data": data}
    text = json.dumps(envelope)
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
        text = _one_value_changed(text, chance)
    raw = text.encode()
    if chance.random() < 0.15:
        raw = changed_in_places(raw, chance, others=(b'{"code":0}', b"<!doctype html><p>Bad gateway", b"\0\xff"))
    how = {
        "where": where,
        "status": chance.choice(_STATUSES),
        "packing": chance.choice(_PACKINGS),
        "pieces": chance.choice(_PIECES),
        "found": chance.random() < 0.5,
    }
    if how["pieces"] == "bytes":
        raw = raw[:5_000]
    return Input(raw[:LARGEST], how)


def _one_value_changed(text: str, chance: random.Random) -> str:
    """Put something odd in the place of a value, say a name twice, or leave one out; by the text, not by the JSON."""
    names = [f'"{name}": ' for name in ("code", "message", "request_id", "data", *_TASK, "images", "url", "index")]
    name = chance.choice([name for name in names if name in text] or [""])
    at = text.find(name) + len(name)
    match chance.randrange(5):
        case 0:
            return text[: at - len(name)] + name + chance.choice(_ODD) + ", " + text[at - len(name) :]
        case 1:
            return text.replace(name, '"other": ', 1)
        case _:
            # The value ends where its JSON does; what follows a broken one may be cut anywhere.
            try:
                _, stop = json.JSONDecoder().raw_decode(text, at)
            except (ValueError, RecursionError):
                stop = min(len(text), at + 5)
            return text[:at] + chance.choice(_ODD) + text[stop:]


def _packed(given: Input) -> tuple[bytes, str]:
    """The bytes on the wire, and the header that says how they are packed."""
    data, packing = given.data, given.how["packing"]
    zipped = gzip.compress(data, 1, mtime=0)
    if packing == "gzip cut":
        return zipped[: len(zipped) * 2 // 3], "gzip"
    if packing == "gzip damaged":
        return zipped[:12] + b"\xff\xff" + zipped[14:], "gzip"
    if packing == "bomb":
        return gzip.compress(bytes(30_000_000), 1, mtime=0), "gzip"
    if packing == "bare deflate":
        return zlib.compress(data, 1, -zlib.MAX_WBITS), "deflate"
    packed = {"gzip": zipped, "deflate": zlib.compress(data), "gzip, gzip": gzip.compress(zipped, 1, mtime=0)}
    return packed.get(packing, data), packing


@dataclass
class FalseKling:
    """Answers one kind of question with the input, and every other as a good Kling does."""

    given: Input = field(default_factory=lambda: Input(b""))
    broken: bool = True
    origin: str = ""
    creates: int = 0
    """POSTs that had pictures; a question about references has none, and costs nothing."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A client that has had enough hangs up; that is its right.
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                method, path, _ = head.decode("latin-1").split(" ", 2)
                length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
                body = await reader.readexactly(int(length or 0))
                if method == "POST" and b'"human_image"' in body:
                    self.creates += 1
                    self.reference = json.loads(body).get("external_task_id")
                if not await self._answered(method, path, writer):
                    break

    async def _answered(self, method: str, path: str, writer: asyncio.StreamWriter) -> bool:
        where = "create" if method == "POST" else "page" if "?" in path else "read"
        if self.broken and self.given.how["where"] in (where, "all"):
            return await self._broken(writer)
        task = {**_TASK, "task_info": {"external_task_id": self.reference}}
        data: Any = [task] if where == "page" else task
        known = where == "create" or not self.broken or self.given.how["found"]
        envelope: dict[str, Any] = {"code": 0, "message": "SUCCEED", "request_id": "r", "data": data}
        if not known:
            envelope = {"code": 0, "data": []} if where == "page" else {"code": 1203, "message": "no such task"}
        body = json.dumps(envelope).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()
        return True

    reference: str | None = None

    async def _broken(self, writer: asyncio.StreamWriter) -> bool:
        body, packing = _packed(self.given)
        pieces = self.given.how["pieces"]
        head = f"HTTP/1.1 {self.given.how['status']} Odd\r\n"
        head += f"Content-Encoding: {packing}\r\n" if packing else ""
        if pieces in ("chunks", "bytes"):
            size = 1 if pieces == "bytes" else max(1, len(body) // 7)
            chunks = [body[at : at + size] for at in range(0, len(body), size)]
            writer.write(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
            writer.write(b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n")
            await writer.drain()
            return True
        told = {"short": len(body) // 2, "long": len(body) + 9}.get(pieces, len(body))
        writer.write(f"{head}Content-Length: {told}\r\n\r\n".encode() + body)
        if pieces == "reset":
            writer.transport.abort()
            return False
        await writer.drain()
        return pieces == "whole"


@asynccontextmanager
async def judging() -> AsyncGenerator[Judge]:
    """A false Kling that listens; each input has a server and a ledger of its own."""
    kling = FalseKling()
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        connections.add(task)
        try:
            with suppress(asyncio.CancelledError, ConnectionError):
                await kling.serve(reader, writer)
                writer.close()
                await writer.wait_closed()
        finally:
            # Also where a client still had it open, or has not taken all, when everything ends.
            writer.transport.abort()
            connections.discard(task)

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    kling.origin = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"

    async def judge(given: Input) -> str:
        kling.given, kling.broken, kling.creates = given, True, 0
        return await _judged(kling, given)

    try:
        yield judge
    finally:
        listening.close()
        for task in list(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


async def _judged(kling: FalseKling, given: Input) -> str:
    settings = Settings(api_base=kling.origin, ledger="sqlite://")
    server = build_server(settings, lambda: Credentials(api_key=SecretStr("fuzz")), clock=TurnedClock().clock())
    async with Client(server) as client:
        wish = {"human_image": PERSON, "cloth_image": garment("crimson")}
        created = await said(client, "create_try_on", wish)
        word = _verdict(created, kling.creates, given)
        for tool, arguments in (("get_try_on", {"task_id": TASK_ID, "wait_seconds": 0}), ("list_try_ons", {})):
            await said(client, tool, arguments)
        kling.broken = False
        innocent = await said(client, "create_try_on", {**wish, "cloth_image": garment("gold"), "new_render": True})
        if innocent.is_error or TASK_ID not in text_of(innocent):
            raise AssertionError(f"the innocent create after it: {text_of(innocent)}")
    return word


async def said(client: Client, tool: str, arguments: dict[str, Any]) -> CallToolResult:
    """Call a tool; its answer has to be fit for a model to read, whatever it is made of."""
    result = await client.call_tool(tool, arguments)
    assert isinstance(result, CallToolResult)
    text = text_of(result)
    text.encode()
    json.dumps(result.structured_content, ensure_ascii=False).encode()
    odd = [letter for letter in text if letter != "\n" and not letter.isprintable()]
    if odd or len(text) > 50_000 or "failed inside this server" in text or (result.is_error and "\n" in text):
        raise AssertionError(f"{tool} answered {text[:300]!r} {odd[:3]}")
    return result


def text_of(result: CallToolResult) -> str:
    """What a model reads."""
    return "\n".join(part.text for part in result.content if isinstance(part, TextContent))


def _verdict(created: CallToolResult, creates: int, given: Input) -> str:
    text = text_of(created)
    code = _code_of(given)
    refused = given.how["where"] in ("create", "all") and code in CERTAIN and given.how["status"] < 500
    if creates > 1 and not (refused and code in FOR_NOW):
        raise AssertionError(f"the create was sent {creates} times: {text}")
    if not created.is_error:
        return "a task"
    if "may exist and be billed" in text:
        return "a doubt"
    if "No task was created." in text and refused:
        return "a refusal"
    raise AssertionError(f"code {code}, status {given.how['status']}: neither task nor doubt nor due refusal: {text}")


def _code_of(given: Input) -> int | None:
    """The code of an answer that came whole and is JSON by the letter, however that was packed."""
    if given.how["packing"] not in ("", "gzip", "deflate", "bare deflate") or given.how["pieces"] == "short":
        # Of half an answer all that it says may have come; it is no certain refusal.
        return None
    try:
        envelope: Any = json.loads(given.data)
        code = cast("dict[str, Any]", envelope)["code"]
        return int(code) if isinstance(code, int | str) else None
    except (ValueError, RecursionError, LookupError, TypeError):
        return None


ANSWERS_KIND = Kind("answers", make, judging)
