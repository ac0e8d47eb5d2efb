"""What an answer of Kling's holds: its bytes, unpacked and bounded, and the JSON that they are.

Reading stops at 2 MB, at more pieces than such an answer can have, and at the first byte that is not JSON. However
small the pieces are, other tasks of the event loop run between them.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import httpx

from kolors_mcp.bounds import linear
from kolors_mcp.packing import PackingError, packing_of, unpack

MAX_ANSWER_BYTES = 2_000_000
"""Of an answer, packed and also unpacked; a page of 500 try-ons has less than one million."""
MAX_ANSWER_PARTS = 50_000
"""Lists and objects of an answer; a page of 500 try-ons has some 3,000. Reading more would hold up all other calls."""
PARSED_ASIDE_BYTES = 200_000
"""From this size on, an answer is read in a thread."""
FREE_PIECES, BYTES_A_PIECE = 2_000, 32
"""The pieces of any size that an answer may come in, and the bytes that each further one must bring on the average."""
PIECES_A_TURN = 32
"""After each of this many pieces other tasks of the event loop run."""

T = TypeVar("T")


class ContentError(Exception):
    """An answer that cannot be read; the text says with what Kling answered, as the end of a sentence."""


async def content_of(response: httpx.Response) -> bytes:
    """Return the body of an answer whose headers have come, unpacked.

    Raises:
        ContentError: It is too large, comes in too many pieces, or is packed in a way that was not asked for.
    """
    try:
        packing = packing_of(response.headers.get("content-encoding", ""))
    except PackingError as error:
        raise ContentError(f"an answer that {error}") from None
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
    try:
        return bytes(await aside(lambda data: unpack(data, packing, MAX_ANSWER_BYTES), bytes(content)))
    except PackingError as error:
        raise ContentError(f"an answer that {error}") from None


async def aside(read: Callable[[bytes], T], content: bytes) -> T:
    """Read a large answer off the event loop, a small one at once."""
    if len(content) > PARSED_ASIDE_BYTES:
        return await asyncio.to_thread(read, content)
    return read(content)


@linear(
    b"[],", b"{},", b'{"a":1,"a":2},', b'"\\ud800",', b"123456789,", b"NaN,", b"1e999,", opening=b"[", closing=b"0]"
)
def json_of(content: bytes) -> Any:
    """Return the JSON; a name that an object has twice with different values is left out, and NaN is None.

    Raises:
        ContentError: It is no JSON, has too many parts, is nested too deep, or has a number of no use.
    """
    if content.count(b"[") + content.count(b"{") > MAX_ANSWER_PARTS:
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
