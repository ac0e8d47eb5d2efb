"""Pictures that are built of many pieces: of each kind as many as are asked for, all of them with a picture inside.

The tests grow them to see what they cost; a fuzzer may start from them.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache, lru_cache

from kolors_mcp.images.formats import examine
from kolors_mcp.images.formats.content import MemoryContent
from tests.support.images_support import chunk, jpeg, png, quarters, with_chunk

SIDE = 320
END = chunk(b"IEND", b"")


@cache
def photo() -> bytes:
    """A small JPEG."""
    return jpeg(quarters((SIDE, SIDE)))


@cache
def progressive() -> bytes:
    """A small JPEG in several scans."""
    return jpeg(quarters((SIDE, SIDE)), progressive=True)


@cache
def drawing() -> bytes:
    """A small PNG."""
    return png(quarters((SIDE, SIDE)))


@lru_cache(maxsize=8)
def _packed(rows: bytes) -> bytes:
    return zlib.compress(rows)


def png_of(rows: bytes, *pieces: bytes, colour: int = 2, width: int = SIDE, height: int = SIDE) -> bytes:
    """A PNG whose data is `rows`, in one chunk or as it is given in pieces."""
    data = pieces or (_packed(rows),)
    return png_around(b"".join(chunk(b"IDAT", one) for one in data), colour=colour, width=width, height=height)


def png_around(chunks: bytes, *, colour: int = 2, width: int = SIDE, height: int = SIDE) -> bytes:
    """A PNG with these chunks between its header and its end."""
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunks + END


def rows_of(height: int = SIDE, *, filters: bytes = b"\0", width: int = SIDE) -> bytes:
    """Rows of mid grey, their filters in turn from `filters`."""
    return b"".join(filters[row % len(filters)].to_bytes(1, "big") + b"\x80" * 3 * width for row in range(height))


def with_empty_data(count: int) -> bytes:
    """A PNG with data chunks that hold nothing, before, between and behind those that do."""
    packed = zlib.compress(rows_of())
    empty = chunk(b"IDAT", b"") * (count // 3)
    return png_around(empty + chunk(b"IDAT", packed[:100]) + empty + chunk(b"IDAT", packed[100:]) + empty)


def with_small_data(count: int) -> bytes:
    """A PNG whose data is cut into so many pieces, or bytes."""
    packed = zlib.compress(rows_of(), 0)
    size = max(1, len(packed) // max(1, count))
    return png_of(b"", *(packed[at : at + size] for at in range(0, len(packed), size)))


def behind_header(piece: bytes) -> Callable[[int], bytes]:
    """A PNG with many chunks before its data."""
    return lambda count: drawing()[:33] + piece * count + drawing()[33:]


def behind_start(*pieces: bytes) -> Callable[[int], bytes]:
    """A JPEG with many segments at its beginning."""
    return lambda count: photo()[:2] + b"".join(pieces) * (count // len(pieces)) + photo()[2:]


def segment(code: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, code, len(payload) + 2) + payload


def with_scans(*between: bytes) -> Callable[[int], bytes]:
    """A progressive JPEG whose last scan comes again and again."""

    def made(count: int) -> bytes:
        data = progressive()
        last = data.rindex(b"\xff\xda")
        return data[:-2] + (b"".join(between) + data[last:-2]) * (count // (1 + len(between))) + b"\xff\xd9"

    return made


_COMMENT = segment(0xFE, b"")
_RESTARTS = segment(0xDD, b"\0\0")

MANY_PIECES: dict[str, Callable[[int], bytes]] = {
    "PNG, empty data": with_empty_data,
    "PNG, data in small pieces": with_small_data,
    "PNG, texts": behind_header(chunk(b"tEXt", b"a\0b")),
    "PNG, packed texts": behind_header(chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1000)))),
    "PNG, damaged orientations": behind_header(struct.pack(">I", 30) + b"eXIf" + bytes(34)),
    "PNG, orientations": behind_header(chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\1" + bytes(16))),
    "PNG, damaged profiles": behind_header(struct.pack(">I", 30) + b"iCCP" + bytes(34)),
    "PNG, frames": behind_header(chunk(b"fcTL", bytes(26)) + chunk(b"fdAT", bytes(8))),
    "JPEG, comments": behind_start(_COMMENT),
    "JPEG, fill bytes": behind_start(b"\xff"),
    "JPEG, fill bytes before comments": behind_start(b"\xff\xff" + _COMMENT),
    "JPEG, restarts and comments": behind_start(_RESTARTS, _COMMENT),
    "JPEG, tables": behind_start(segment(0xDB, bytes(1) + b"\1" * 64)),
    "JPEG, orientations": behind_start(segment(0xE1, b"Exif\0\0MM\0*\0\0\0\x08\0\1" + bytes(12))),
    "JPEG, pieces of a profile": behind_start(segment(0xE2, b"ICC_PROFILE\0\1\1abc")),
    "JPEG, headers": behind_start(segment(0xE0, b"JFIF\0\1\1" + bytes(7)), segment(0xEE, b"Adobe" + bytes(7))),
    "JPEG, scans": with_scans(),
    "JPEG, scans and comments": with_scans(_COMMENT),
}
"""By what there is much of: from a number of pieces to the picture."""


def with_profile(profile: bytes, *, grey: bool = False) -> bytes:
    """A PNG with this profile."""
    image = quarters((SIDE, SIDE))
    return with_chunk(png(image.convert("L") if grey else image), b"iCCP", b"icc\0\0" + zlib.compress(profile))


def profile_of(*tags: tuple[bytes, int, int], body: bytes = b"", space: bytes = b"RGB ") -> bytes:
    """A profile with these tags, by name, place behind the table, and length."""
    header = bytes(16) + space + b"XYZ " + bytes(12) + b"acsp" + bytes(88)
    start = len(header) + 4 + 12 * len(tags)
    table = b"".join(struct.pack(">4sII", name, start + place, length) for name, place, length in tags)
    return header + struct.pack(">I", len(tags)) + table + body


class Counted(MemoryContent):
    """Bytes that know how many of them were read."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.bytes_read = 0
        self.reads = 0

    def read(self, start: int, count: int) -> bytes:
        self.reads += 1
        data = super().read(start, count)
        self.bytes_read += len(data)
        return data

    def slices(self, start: int) -> Iterator[tuple[int, memoryview]]:
        for offset, piece in super().slices(start):
            self.bytes_read += len(piece)
            yield offset, piece


FRAME = photo().index(b"\xff\xc0")
SCAN = photo().index(b"\xff\xda")
"""Where the small JPEG's frame and scan begin."""


def reencode_reason_of(data: bytes) -> str | None:
    """What keeps a picture from travelling; "broken" if its structure could not be read to its end."""
    structure = examine.look(MemoryContent(data)).structure
    return "broken" if structure is None else structure.reencode_reason


def changed(data: bytes, at: int, *values: int) -> bytes:
    return data[:at] + bytes(values) + data[at + len(values) :]


ADAM7 = ((0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2))
"""First column and step, first row and step of each pass of an interlaced PNG."""


def packed_zeros(count: int) -> bytes:
    """So many zeros as zlib packs them, put together from one packed mebibyte: packing each takes far longer."""
    whole, rest = divmod(count, 1 << 20)
    packer = zlib.compressobj(9, wbits=-15)
    mebibyte = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    packer = zlib.compressobj(9, wbits=-15)
    end = packer.compress(bytes(rest)) + packer.flush()
    # Of zeros, the checksum is their number.
    return b"\x78\xda" + mebibyte * whole + end + struct.pack(">HH", count % 65_521, 1)


def zeros(width: int, height: int, *, colour: int, samples: int, interlaced: bool = False) -> bytes:
    """A PNG of nothing but zeros. An interlaced one cannot be decoded row by row."""
    sizes = [(width, height)]
    if interlaced:
        sizes = [(len(range(x, width, across)), len(range(y, height, down))) for x, across, y, down in ADAM7]
    rows = packed_zeros(sum((1 + columns * samples) * rows for columns, rows in sizes))
    head = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
