"""The first frame of an animated PNG whose still picture is none of its frames.

Such a still picture is for programs that know no animations; a browser shows the first frame.
"""

import struct
import zlib
from collections.abc import Iterator

from kolors_mcp.bounds import linear
from kolors_mcp.images.formats.content import Content, MemoryContent
from kolors_mcp.images.formats.structure import BrokenError, steps

_SIGNATURE_BYTES = 8
_SIZE = struct.Struct(">II")
_CONTROL = struct.Struct(">IIIIIHHBB")
"""Number, width, height, left, top, delay, how it is put away and how it is laid over what was there."""
_MAX_CHUNK_BYTES = 8_000_000
"""Of a chunk that is kept and is not data; profiles are the largest."""
_KEPT = frozenset((b"IHDR", b"PLTE", b"tRNS", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"cICP", b"eXIf"))
_END = b"\0\0\0\0IEND\xaeB`\x82"
_START = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\1\x90\0\0\1\x90\x08\2\0\0\0" + bytes(4) + b"\0\0\0\x08acTL" + bytes(12)


@linear(
    b"\0\0\0\0IDAT" + bytes(4), b"\0\0\0\0tEXt" + bytes(4), b"\0\0\0\0PLTE" + bytes(4), b"\0\0\0\x05fdAT" + bytes(9),
    opening=_START, closing=_END,
)  # fmt: skip
def first_frame(content: Content) -> MemoryContent | None:
    """Return the first frame as a PNG of its own; None if every program shows the still picture.

    That is so too where the animation cannot be shown, or where its first frame covers only a part of the picture.
    """
    try:
        chunks = _chunks(content)
        parts = _parts_before_data(content, chunks)
        data = [] if parts is None else _frame_data(content, chunks)
    except BrokenError:
        return None
    return MemoryContent(b"".join((*parts, *map(_data_chunk, data), _END))) if parts and any(data) else None


def _chunks(content: Content) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name of each chunk, where it begins, and the length of what it holds."""
    position, budget = _SIGNATURE_BYTES, steps()
    while True:
        budget.take()
        head = content.read(position, 8)
        length = int.from_bytes(head[:4], "big")
        if len(head) < 8 or position + 12 + length > content.size:  # noqa: PLR2004  (length and name)
            raise BrokenError("a chunk is longer than the file")
        yield head[4:], position, length
        if head[4:] == b"IEND":
            return
        position += 12 + length


def _parts_before_data(content: Content, chunks: Iterator[tuple[bytes, int, int]]) -> list[bytes] | None:
    """Return what decides how data is read; None if there is no animation, or its first frame is the still picture."""
    parts, is_animated = [content.read(0, _SIGNATURE_BYTES)], False
    for name, start, length in chunks:
        if name == b"fcTL" or (name == b"IDAT" and not is_animated):
            return None
        if name == b"IDAT":
            return parts
        is_animated = is_animated or name == b"acTL"
        if name in _KEPT and length <= _MAX_CHUNK_BYTES:
            parts.append(content.read(start, 12 + length))
    return None


def _frame_data(content: Content, chunks: Iterator[tuple[bytes, int, int]]) -> list[bytes]:
    """Return the data of the first frame, if that covers the picture."""
    data: list[bytes] = []
    is_in_frame = False
    for name, start, length in chunks:
        if name == b"fcTL":
            if is_in_frame or not covers_all(content, start):
                break
            is_in_frame = True
        elif name == b"fdAT" and is_in_frame:
            data.append(content.read(start + 12, length - 4))  # without its number
    return data


@linear(b"\0\0\1\x90", opening=_START)
def covers_all(content: Content, position: int = 0) -> bool:
    """Return whether the frame whose control chunk stands at `position` is as large as the picture."""
    control = content.read(position + 8, _CONTROL.size)
    if len(control) < _CONTROL.size:
        return False
    _, width, height, left, top, *_ = _CONTROL.unpack(control)
    return _SIZE.pack(width, height) == content.read(16, _SIZE.size) and not (left or top)


def _data_chunk(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + b"IDAT" + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(b"IDAT")))
