"""The body of a create: JSON whose pictures are base64-encoded while they are sent, and so are never held whole."""

import json
from collections.abc import Iterator

import pybase64

from kolors_mcp.pictures import PictureBytes

_SLICE = 3 * 64 * 1024
"""Bytes encoded at a time; a multiple of three, so that the slices join without padding."""


class Body:
    """A JSON object whose pictures are base64-encoded while they are sent, so that they are never held whole."""

    def __init__(self, fields: dict[str, str | PictureBytes | None]) -> None:
        """Leave out the fields that are None."""
        self._parts: list[bytes | PictureBytes] = []
        frame = "{"
        for number, (name, value) in enumerate((name, value) for name, value in fields.items() if value is not None):
            frame += ("," if number else "") + json.dumps(name) + ":"
            if isinstance(value, str):
                frame += json.dumps(value)
            else:
                # The base64 alphabet has nothing that JSON would escape.
                self._parts += [(frame + '"').encode(), value]
                frame = '"'
        self._parts.append((frame + "}").encode())
        self.length = sum(len(part) if isinstance(part, bytes) else base64_length(part.size) for part in self._parts)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body in slices; can be called again to start over.

        Short parts come together, since each slice costs some turns of the event loop. What stands behind the last
        picture comes alone: until that is sent, the JSON does not end, and no server can have accepted the request.
        """
        *parts, end = self._parts
        held = b""
        for part in parts:
            for piece in (part,) if isinstance(part, bytes) else base64_slices(part):
                held = held + piece if held else piece
                if len(held) >= _SLICE:
                    yield held
                    held = b""
        if held:
            yield held
        assert isinstance(end, bytes)
        yield end


def base64_length(size: int) -> int:
    """Return how many characters base64 makes of `size` bytes."""
    return (size + 2) // 3 * 4


def base64_slices(picture: PictureBytes) -> Iterator[bytes]:
    """Yield the picture as bare base64: no prefix, no line breaks."""
    rest = b""
    for block in picture.blocks():
        view = memoryview(block)
        if rest:
            missing = 3 - len(rest)
            rest, view = rest + bytes(view[:missing]), view[missing:]
            if len(rest) < 3:  # noqa: PLR2004  (base64 works on groups of three bytes)
                continue
            yield pybase64.b64encode(rest)
            rest = b""
        whole = len(view) - len(view) % 3
        for start in range(0, whole, _SLICE):
            yield pybase64.b64encode(view[start : min(start + _SLICE, whole)])
        rest = bytes(view[whole:])
    if rest:
        yield pybase64.b64encode(rest)
