"""Rows of a PNG, unpacked as they are asked for: of the whole picture only what is packed is ever held.

Every row is told by its difference from the one above. So before the rows of a band stands the last one of the band
before, as it is, and Pillow's own decoder does the rest.
"""

import zlib
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import IO, cast

from PIL import Image, PngImagePlugin

from kolors_mcp.images.formats.content import SLICE
from kolors_mcp.images.pixels.rows import Info, described, unpacked

_WIDTHS = {"RGB": 3, "RGBA": 4, "LA": 2, "RGB;16B": 6, "RGBA;16B": 8}
"""Bytes of a pixel, by Pillow's word for how it is packed. The others take no more memory whole, or are rare."""
_LOWER = {"RGB;16B": "RGB;16L", "RGBA;16B": "RGBA;16L"}
"""Where a number takes two bytes: how to unpack the second of them instead of the first."""
_UNFILTERED = b"\0"
_HEAD = 8
"""Bytes of a chunk's length and name."""


class PngRows:
    """Reads a PNG of which it is known that all its rows are there.

    Args:
        image: As Pillow has opened it, not loaded.
        file: What it was opened from.
    """

    def __init__(self, image: PngImagePlugin.PngImageFile, file: IO[bytes]) -> None:
        self.size = image.size
        self.mode = image.mode
        self._format, self._info = image.format, cast("Info", image.info)
        tile = image.tile[0]
        self._packed_mode = str(tile.args)
        self._row_bytes = self.size[0] * _WIDTHS[self._packed_mode]
        self._rows = _divided(_inflated(_idat(file, tile.offset - _HEAD)), self._row_bytes + len(_UNFILTERED))
        self._above = bytes(self._row_bytes)
        """The row before the next one that is read."""
        self._band = Image.new(self.mode, (self.size[0], 0))
        """The rows that were cut last, of which the next call wants some again."""
        self._first = 0
        """The first of these."""

    @staticmethod
    def reads(image: PngImagePlugin.PngImageFile) -> bool:
        """Return whether the rows of a picture can be had one after the other."""
        return (
            not image.info.get("interlace")
            and not image.is_animated
            and len(image.tile) == 1
            and image.tile[0].args in _WIDTHS
        )

    def cut(self, first: int, last: int) -> Image.Image:
        """Unpack the rows that were not unpacked yet, below those that were."""
        before, read = self._band, self._first + self._band.height
        band = Image.new(self.mode, (self.size[0], last - first))
        band.paste(before, (0, self._first - first))
        if read < last:
            # With the row above on top, which is in its place then.
            band.paste(self._unpacked(last - read), (0, read - first - 1))
        self._band, self._first = band, first
        return described(band, self._format, self._info)

    def _unpacked(self, count: int) -> Image.Image:
        """Return the next rows, below the one above them."""
        packed = zlib.compress(b"".join((_UNFILTERED, self._above, *islice(self._rows, count))), 0)
        size, last = (self.size[0], count + 1), (0, count, self.size[0], count + 1)
        band = unpacked(self.mode, size, packed, "zip", self._packed_mode)
        above = band.crop(last).tobytes()
        if self._packed_mode in _LOWER:
            lower = unpacked(self.mode, size, packed, "zip", _LOWER[self._packed_mode]).crop(last).tobytes()
            both = bytearray(self._row_bytes)
            both[::2], both[1::2] = above, lower
            above = bytes(both)
        self._above = above
        return band


def _idat(file: IO[bytes], position: int) -> Iterator[bytes]:
    """Yield the data of the chunks from `position` on that have the picture."""
    while True:
        file.seek(position)
        head = file.read(_HEAD)
        if head[4:] != b"IDAT":
            return
        left = int.from_bytes(head[:4], "big")
        position += _HEAD + left + 4
        while left and (piece := file.read(min(left, SLICE))):
            left -= len(piece)
            yield piece


def _inflated(pieces: Iterable[bytes]) -> Iterator[bytes]:
    inflater = zlib.decompressobj()
    for piece in pieces:
        data = piece
        while data:
            yield inflater.decompress(data, SLICE)
            data = inflater.unconsumed_tail
    yield inflater.flush()  # the little that is not told to be left


def _divided(pieces: Iterable[bytes], row_bytes: int) -> Iterator[bytes]:
    """Yield one row after the other."""
    rest = b""
    for piece in pieces:
        rest += piece
        whole = len(rest) // row_bytes * row_bytes
        for start in range(0, whole, row_bytes):
            yield rest[start : start + row_bytes]
        rest = rest[whole:]
