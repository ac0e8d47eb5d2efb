"""Text that can always be written to standard output: what has no place in UTF-8 is replaced, wherever it stands.

A lone half of a pair of surrogates can come from a file's name, from a client or from Kling. The SDK's writer fails on
one, and the whole server ends with it. So every message passes here on its way out, whatever made it. An error of the
protocol is cut besides: the SDK repeats in it whatever it does not know, such as a method's name, whole.
"""

from types import TracebackType
from typing import Any, Self, cast

from mcp.shared.message import SessionMessage
from mcp_types.jsonrpc import ErrorData, JSONRPCError
from pydantic import BaseModel

from kolors_mcp.server.sdk import WriteStream
from kolors_mcp.wording import plain

_MAX_ERROR_CHARACTERS = 2_000
_MAX_NAME_CHARACTERS = 200


class EncodableStream:
    """A stream of messages that hands on each one in a form that can be encoded."""

    def __init__(self, stream: WriteStream[SessionMessage]) -> None:
        """Stand before the stream."""
        self._stream = stream

    async def send(self, item: SessionMessage, /) -> None:
        """Hand on one message."""
        message = item.message
        if isinstance(message, JSONRPCError):
            message = message.model_copy(update={"error": _short(message.error)})
            item = SessionMessage(message=message, metadata=item.metadata)
        changed = {name: sound for name, value in message if (sound := encodable(value)) is not value}
        if changed:
            item = SessionMessage(message=message.model_copy(update=changed), metadata=item.metadata)
        await self._stream.send(item)

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


def _short(error: ErrorData) -> ErrorData:
    return ErrorData(code=error.code, message=plain(error.message, _MAX_ERROR_CHARACTERS), data=_short_data(error.data))


def _short_data(value: Any) -> Any:
    """Return what goes along with an error; the SDK and this server put only texts, and lists of them, into it."""
    if isinstance(value, str):
        return plain(value, _MAX_NAME_CHARACTERS)
    if isinstance(value, dict):
        return {name: _short_data(member) for name, member in cast("dict[str, Any]", value).items()}
    return value


def encodable(value: Any) -> Any:
    """Return a value of JSON with nothing in it that cannot be encoded; the very same where nothing has to change."""
    if isinstance(value, str):
        return _encodable_text(value)
    if isinstance(value, dict):
        members = cast("dict[Any, Any]", value)
        pairs = [(encodable(name), encodable(member)) for name, member in members.items()]
        same = all(
            name is old and made is member for (name, made), (old, member) in zip(pairs, members.items(), strict=True)
        )
        return members if same else dict(pairs)
    if isinstance(value, list | tuple):
        items = cast("list[Any] | tuple[Any, ...]", value)
        made = [encodable(item) for item in items]
        return items if all(new is old for new, old in zip(made, items, strict=True)) else made
    if isinstance(value, BaseModel):
        changed = {name: made for name, member in value if (made := encodable(member)) is not member}
        return value.model_copy(update=changed) if changed else value
    return value


def _encodable_text(text: str) -> str:
    if text.isascii():  # known without a look at it
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        # Two halves that stand together are one character, however they came apart.
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
