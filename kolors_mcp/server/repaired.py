r"""Lines that are JSON but not to the SDK's strict reader: read after all, so that whoever asked gets an answer.

A host that cuts text between the two halves of a character writes half of it ("\ud83d"), which JSON allows. The SDK's
reader takes neither that nor deep nesting, drops the line in silence, and the host would wait for ever.
"""

import json
from types import TracebackType
from typing import Any, Self

from mcp.shared._stream_protocols import ReadStream
from mcp.shared.message import SessionMessage
from mcp_types.jsonrpc import jsonrpc_message_adapter
from pydantic import ValidationError

from kolors_mcp.bounds import linear
from kolors_mcp.server.encodable import encodable


class RepairedStream:
    """A stream of messages, with those that only the strict reader refuses."""

    def __init__(self, stream: ReadStream[SessionMessage | Exception]) -> None:
        """Stand behind the stream."""
        self._stream = stream

    async def receive(self) -> SessionMessage | Exception:
        """Return the next message, or why there is none."""
        item = await self._stream.receive()
        return _repaired(item) if isinstance(item, ValidationError) else item

    def __aiter__(self) -> ReadStream[SessionMessage | Exception]:
        """Go through the messages."""
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        """Return the next message, or why there is none."""
        item = await self._stream.__anext__()
        return _repaired(item) if isinstance(item, ValidationError) else item

    async def aclose(self) -> None:
        """Close the stream."""
        await self._stream.aclose()

    async def __aenter__(self) -> Self:
        """Enter the stream."""
        await self._stream.__aenter__()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> bool | None:
        """Leave the stream."""
        return await self._stream.__aexit__(exc_type, exc_val, exc_tb)


def _repaired(refused: ValidationError) -> SessionMessage | Exception:
    details = refused.errors(include_url=False)[0]
    line: Any = details["input"]
    if details["type"] != "json_invalid" or not isinstance(line, str):
        return refused
    return _read(line) or refused


@linear(b"[", b'"\\ud800",', b"[],", b'{"a":', b"1e9,", opening=b"[", closing=b"0]")
def _read(line: str) -> SessionMessage | None:
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_python(encodable(json.loads(line)), by_name=False))
    except (ValueError, RecursionError):  # a ValidationError is a ValueError
        return None
