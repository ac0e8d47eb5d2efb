"""What an answer of Kling's holds: its bytes, unpacked and bounded, and the JSON that they are.

Reading stops at 2 MB, at more pieces than such an answer can have, and at the first byte that is not JSON. However
small the pieces are, other tasks of the event loop run between them.
"""

import asyncio
import json
import zlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import httpx

from kolors_mcp.bounds import linear

MAX_ANSWER_BYTES = 2_000_000
"""Of an answer, packed and also unpacked; a page of 500 try-ons has less than one million."""
MAX_PARTS = 50_000
"""Lists and objects of an answer; a page of 500 try-ons has some 3,000. Reading more would hold up all other calls."""
PARSED_ASIDE_BYTES = 200_000
"""From this size on, an answer is read in a thread."""
FREE_PIECES, BYTES_A_PIECE = 2_000, 32
"""The pieces of any size that an answer may come in, and the bytes that each further one must bring on the average."""
PIECES_A_TURN = 32
"""After each of this many pieces other tasks of the event loop run."""

# Names that servers write into the header although nothing is packed.
_NOT_PACKED = frozenset(
    {
        "",
        "identity",
        "none",
        "utf-8",
        "utf8",
        "us-ascii",
        "iso-8859-1",
        "aws-chunked",
        "chunked",
        "binary",
        "7bit",
        "8bit",
    }
)
MAX_MEMBERS = 100
"""Members of an answer packed with gzip; servers that pack in pieces write a few."""
_MEMBER = b"\x1f\x8b\x08"
"""How a member begins."""
_GZIP, _ZLIB, _BARE = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS

T = TypeVar("T")


class ContentError(Exception):
    """An answer that cannot be read; the text says with what Kling answered, as the end of a sentence."""


async def content_of(response: httpx.Response) -> bytes:
    """Return the body of an answer whose headers have come, unpacked.

    Raises:
        ContentError: It is too large, comes in too many pieces, or is packed in a way that was not asked for.
    """
    packing = packing_of(response.headers.get("content-encoding", ""))
    content = bytearray()
    pieces = 0
    # As it comes from the connection; httpx itself unpacks without a bound.
    assert isinstance(response.stream, httpx.AsyncByteStream)
    async for piece in response.stream:
        content += piece
        pieces += 1
        if len(content) > MAX_ANSWER_BYTES:
            raise ContentError("an answer that is too large")
        if pieces > FREE_PIECES + len(content) // BYTES_A_PIECE:
            raise ContentError("an answer in too many pieces")
        if not pieces % PIECES_A_TURN:
            await asyncio.sleep(0)
    if packing is None:
        return bytes(content)
    unpacked = unpack_gzip if packing == "gzip" else unpack_deflate
    return await aside(unpacked, bytes(content))


async def aside(read: Callable[[bytes], T], content: bytes) -> T:
    """Read a large answer off the event loop, a small one at once."""
    if len(content) > PARSED_ASIDE_BYTES:
        return await asyncio.to_thread(read, content)
    return read(content)


@linear(b"gzip,", b"identity, ", b",", b" ")
def packing_of(header: str) -> str | None:
    """Return how an answer is packed, by its `Content-Encoding`: `gzip` or `deflate`; None if it is not packed.

    Raises:
        ContentError: More than once, or in another way.
    """
    packings = [name for part in header.split(",") if (name := part.strip().lower()) not in _NOT_PACKED]
    if not packings:
        return None
    if len(packings) > 1:
        raise ContentError("an answer that is packed more than once")
    if packings[0] not in ("gzip", "x-gzip", "deflate"):
        raise ContentError("an answer that is packed in a way that was not asked for")
    return packings[0].removeprefix("x-")


@linear(
    b"\0", b"\0\0\0\xff\xff", b"\x1f\x8b\x08\0\0\0\0\0\0\xff\3\0" + bytes(8),
    opening=b"\x1f\x8b\x08\0\0\0\0\0\0\xff",
)  # fmt: skip
def unpack_gzip(data: bytes) -> bytes:
    """Return what was packed with gzip, in one member or, as RFC 9110 has it by RFC 1952, in several.

    Raises:
        ContentError: It is damaged, or too large.
    """
    content = bytearray()
    for _ in range(MAX_MEMBERS):
        member, data = _unpacked(data, _GZIP)
        content += member
        if len(content) > MAX_ANSWER_BYTES:
            raise ContentError("an answer that is too large")
        # Bytes that follow and begin no further member are ignored, as browsers and `gunzip` do.
        if not data.startswith(_MEMBER):
            return bytes(content)
    raise ContentError("an answer in too many pieces")


@linear(b"\0", b"\0\0\0\xff\xff", opening=b"\x78\x9c")
def unpack_deflate(data: bytes) -> bytes:
    """Return what was packed with deflate, in its wrapping or, as some servers send it, without.

    Raises:
        ContentError: It is damaged, or too large.
    """
    try:
        return _unpacked(data, _ZLIB)[0]
    except zlib.error:
        return _unpacked(data, _BARE)[0]


def _unpacked(data: bytes, how: int) -> tuple[bytes, bytes]:
    """Return what was packed, and what follows it."""
    unpacking = zlib.decompressobj(how)
    try:
        content = unpacking.decompress(data, MAX_ANSWER_BYTES + 1)
    except zlib.error:
        if how == _ZLIB:
            raise
        raise ContentError("a packed answer that is damaged") from None
    if len(content) > MAX_ANSWER_BYTES:
        raise ContentError("an answer that is too large")
    if not unpacking.eof:
        raise ContentError("a packed answer that is cut off")
    return content, unpacking.unused_data


@linear(
    b"[],", b"{},", b'{"a":1,"a":2},', b'"\\ud800",', b"123456789,", b"NaN,", b"1e999,", opening=b"[", closing=b"0]"
)
def json_of(content: bytes) -> Any:
    """Return the JSON; a name that an object has twice with different values is left out, and NaN is None.

    Raises:
        ContentError: It is no JSON, has too many parts, is nested too deep, or has a number of no use.
    """
    if content.count(b"[") + content.count(b"{") > MAX_PARTS:
        raise ContentError("an answer of too many parts")
    try:
        return json.loads(content, object_pairs_hook=_object, parse_constant=_nothing)
    except (ValueError, RecursionError):
        raise ContentError("something that is not JSON") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        for name in set(_said_in_two_ways(pairs, made)):
            del made[name]
    return made


def _said_in_two_ways(pairs: list[tuple[str, Any]], last: dict[str, Any]) -> Iterator[str]:
    for name, value in pairs:
        other = last[name]
        # Whether two lists or objects say the same is not worth finding out.
        alike = type(value) is type(other) and not isinstance(value, list | dict) and value == other
        if value is not other and not alike:
            yield name


def _nothing(_constant: str) -> None:
    return None
