"""Makes PNGs that no library of the tests writes: of every depth, in passes, with clear colours, as animations."""

import struct
import zlib
from collections.abc import Iterator
from functools import lru_cache

from PIL import Image

from tests.support.images_support import chunk, png

END = chunk(b"IEND", b"")
GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
_COLOURS = {"L": GREY, "RGB": RGB, "LA": GREY_ALPHA, "RGBA": RGB_ALPHA}


def packed_png(image: Image.Image, depth: int, *chunks: bytes) -> bytes:
    """A PNG with so many bits a channel, and chunks before its data. Of 16 bits the lower ones say nothing."""
    return _png(image.size, _COLOURS[image.mode], depth, rows_of(image, depth), *chunks)


def palette_png(image: Image.Image, depth: int, *, alpha: bool = False) -> bytes:
    """A PNG with as many colours as the depth has, from clear to opaque if there is alpha."""
    few = image.quantize(1 << depth, dither=Image.Dither.NONE)
    raised = bytes(index << 8 - depth & 0xFF for index in range(256))
    rows = [packed(row.translate(raised), depth) for row in rows_of(few, 8)]
    colours = chunk(b"PLTE", bytes(few.getpalette() or ())[: 3 << depth])
    clear = [chunk(b"tRNS", bytes(range(0, 256, 256 >> depth)))] if alpha else []
    return _png(image.size, PALETTE, depth, rows, colours, *clear)


def interlaced_png(image: Image.Image) -> bytes:
    """The picture in seven passes (PNG, third edition, 8.2)."""
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    (width, height), channels, data = image.size, len(image.getbands()), image.tobytes()
    rows: list[bytes] = []
    for left, top, right, down in passes:
        for y in range(top, height, down):
            row = data[y * width * channels : (y + 1) * width * channels]
            every = [row[channel + left * channels :: right * channels] for channel in range(channels)]
            rows.append(interwoven(*every))
    return _png(image.size, _COLOURS[image.mode], 8, rows, interlaced=True)


def animated_png(still: bytes, frame: bytes, left: int = 0, top: int = 0) -> bytes:
    """A PNG whose still picture is not part of its animation of one frame, which is given as a PNG."""
    parts = dict(_chunks(frame))
    width, height = struct.unpack(">II", parts[b"IHDR"][:8])
    control = struct.pack(">IIIIIHHBB", 0, width, height, left, top, 1, 1, 0, 0)
    data = struct.pack(">I", 1) + parts[b"IDAT"]
    counted = chunk(b"acTL", struct.pack(">II", 1, 0))
    return still[:33] + counted + still[33:-12] + chunk(b"fcTL", control) + chunk(b"fdAT", data) + END


def plain_animated_png(image: Image.Image) -> bytes:
    """A PNG whose still picture is the first of two frames."""
    return png(image, save_all=True, append_images=[image.transpose(Image.Transpose.ROTATE_180)])


def rows_of(image: Image.Image, depth: int) -> list[bytes]:
    """The rows of a picture with so many bits a channel."""
    width, data = len(image.getbands()) * image.width, image.tobytes()
    rows = [data[at : at + width] for at in range(0, len(data), width)]
    return [packed(row, depth) for row in rows]


@lru_cache(maxsize=8)  # many rows are like the one above
def packed(row: bytes, depth: int) -> bytes:
    """Values by so many of their highest bits, several to a byte; of 16 bits the lower ones say nothing."""
    if depth == 16:
        return interwoven(row, b"\x7f" * len(row))
    if depth == 8:
        return row
    each = 8 // depth
    row = row.ljust(-(-len(row) // each) * each, b"\0")
    shifts = range(8 - depth, -1, -depth)
    columns = [row[at::each] for at in range(each)]
    return bytes(
        sum((value >> 8 - depth) << shift for value, shift in zip(group, shifts, strict=True))
        for group in zip(*columns, strict=True)
    )


def interwoven(*all_alike: bytes) -> bytes:
    """The first bytes of all, then the second ones, and so on."""
    woven = bytearray(sum(map(len, all_alike)))
    for at, one in enumerate(all_alike):
        woven[at :: len(all_alike)] = one
    return bytes(woven)


def _png(
    size: tuple[int, int], colour: int, depth: int, rows: list[bytes], *chunks: bytes, interlaced: bool = False
) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, interlaced))
    data = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + data + END


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length
