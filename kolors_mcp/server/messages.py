r"""From a line of the host to a message, or to the error that answers it.

The SDK's own reader drops what it cannot read, and the host would wait for ever. And JSON is read in one go, during
which nothing else happens in this process: so what would take long is refused before it is read. A picture in base64
does not: 50 MB of it are read in less time than 1 MB of brackets.
"""

import json
import re
from typing import Any, cast

from mcp.shared.message import SessionMessage
from mcp_types.jsonrpc import (
    INVALID_REQUEST,
    ErrorData,
    JSONRPCError,
    JSONRPCNotification,
    JSONRPCRequest,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError

from kolors_mcp.bounds import linear
from kolors_mcp.server.encodable import encodable
from kolors_mcp.server.lifting import MIN_CHARACTERS, Lifted, lift

MAX_MESSAGE_PARTS = 20_000
"""Brackets, braces and commas of a message, those in its texts included; the dearest take some 30 ms to read."""
MAX_MIXED_BYTES = 4_000_000
"""A longer line must be what is read fast: base64, with a backslash before each `/` at most."""
_BYTES_FOR_ESCAPE = 16
"""Bytes that each backslash of a long line must bring: base64 has one in 64, and two for each line's end."""

_HEAD_BYTES, _TAIL_BYTES = 1_000, 600
"""Bytes at both ends of a line that are searched for the request's number."""
_ID = rb'"id"\s{0,9}:\s{0,9}(?P<id>-?[0-9]{1,18}|"[^"\\\x00-\x1f]{1,200}")\s{0,9}'
_OTHER = rb'"(?:jsonrpc|method)"\s{0,9}:\s{0,9}"[^"\\\x00-\x1f]{0,200}"\s{0,9}'
_AT_THE_HEAD = re.compile(rb"\s{0,9}\{\s{0,9}(?:" + _OTHER + rb",\s{0,9}){0,2}" + _ID + rb"[,}]")
_AT_THE_TAIL = re.compile(
    rb",\s{0,9}(?:" + _OTHER + rb",\s{0,9}){0,2}" + _ID + rb"(?:,\s{0,9}" + _OTHER + rb"){0,2}\}\s{0,9}\Z"
)

Read = SessionMessage | JSONRPCError
"""What a line is: a message for the server, or the answer to one that cannot be read."""


@linear(
    b"[", b'"\\ud800",', b"[],", b'{"a":', b"1e9,", b"1", b"\xff",
    opening=b'{"jsonrpc":"2.0","id":1,"method":"a","params":{"a":[', closing=b"0]}}",
)  # fmt: skip
def message_of(line: bytes | bytearray) -> Read | None:
    """Return what a line says, or an error with the number of the request; None for what takes no answer."""
    lifted = lift(line) if len(line) > MIN_CHARACTERS else None
    if lifted is None:
        return _read(line, line)
    read = _read(lifted.rest, line)
    if isinstance(read, SessionMessage):
        _put_back(read, lifted)
    return read


def _put_back(read: SessionMessage, lifted: Lifted) -> None:
    params = read.message.params if isinstance(read.message, JSONRPCRequest | JSONRPCNotification) else None
    if params is not None:
        params["arguments"] = lifted.put_back(params["arguments"])


def _read(message: bytes | bytearray, line: bytes | bytearray) -> Read | None:
    """Read a message; where it cannot be, its number is looked for in the line that came."""
    if (complaint := complaint_about(message)) is not None:
        return refusal_of(line[:_HEAD_BYTES], line[-_TAIL_BYTES:], complaint)
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(message, by_name=False))
    except ValidationError as refused:
        strictly = refused.errors(include_url=False, include_input=False)[0]["type"] == "json_invalid"
    is_short = len(message) <= MAX_MIXED_BYTES
    return (_repaired(message) if strictly and is_short else None) or refusal_of(
        line[:_HEAD_BYTES],
        line[-_TAIL_BYTES:],
        "is not JSON that can be read, is nested too deep, or is no message of JSON-RPC",
    )


def complaint_about(message: bytes | bytearray) -> str | None:
    """Return why a message would take too long to read, as the end of a sentence; None if it would not."""
    is_slow = len(message) > MAX_MIXED_BYTES and not (
        message.isascii() and message.count(b"\\") <= len(message) // _BYTES_FOR_ESCAPE
    )
    if is_slow or _has_more_parts(message, MAX_MESSAGE_PARTS):
        return "is too large for anything but pictures in base64; give files or links"
    return None


def _has_more_parts(message: bytes | bytearray, most: int) -> bool:
    """Whether a message has more parts than so many. Finding skips base64 some 25 times as fast as counting does."""
    for sign in (b"[", b"{", b","):
        place = message.find(sign)
        while place >= 0:
            most -= 1
            if most < 0:
                return True
            place = message.find(sign, place + 1)
    return False


def refusal_of(head: bytes | bytearray, tail: bytes | bytearray, why: str) -> JSONRPCError | None:
    """Return the answer to a request that is not read; None if its number cannot be told.

    Args:
        head: The first bytes of its line, by most SDKs written with the number before the parameters.
        tail: The last ones, by the others with the number behind them.
        why: The end of the sentence whose subject is the message.
    """
    found = _AT_THE_HEAD.match(head) or _AT_THE_TAIL.search(tail)
    if found is None or not (b'"method"' in head or b'"method"' in tail):
        return None
    number = cast("int | str", json.loads(found["id"].decode("utf-8", "replace")))
    return JSONRPCError(
        jsonrpc="2.0", id=number, error=ErrorData(code=INVALID_REQUEST, message=f"The message {why}. Nothing was done.")
    )


def _repaired(line: bytes | bytearray) -> SessionMessage | None:
    r"""Return a message that only the strict reader refuses: with half a character ("\ud83d"), or nested deep."""
    try:
        value: Any = json.loads(line.decode("utf-8", "replace"))
        return SessionMessage(jsonrpc_message_adapter.validate_python(encodable(value), by_name=False))
    except (ValueError, RecursionError):  # a ValidationError is a ValueError
        return None
