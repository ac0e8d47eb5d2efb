"""Rows of a TIFF in strips: those that have the rows which are asked for are decoded as a TIFF of their own."""

import io
from itertools import accumulate
from typing import IO, Any, cast

from PIL import Image, TiffImagePlugin

from kolors_mcp.images.pixels.costs import BAND_PIXELS
from kolors_mcp.images.pixels.rows import Info, described

_HEIGHT, _STRIP_OFFSETS, _STRIP_ROWS, _STRIP_BYTES, _PLANES = 257, 273, 278, 279, 284
_COMPRESSION, _ORIENTATION = 259, 274
_OLD_JPEG = 6
"""A compression whose strips lean on data elsewhere in the file."""
_COPIED = (256, 258, _COMPRESSION, 262, 266, 277, _PLANES, 317, 320, 338, 339, 347, 529, 530, 532)
"""What tells how a strip is packed (TIFF 6.0): size, bits, colours, predictor, tables."""


class TiffRows:
    """Reads a TIFF in strips.

    Args:
        image: As Pillow has opened it, not loaded.
        file: What it was opened from.
    """

    def __init__(self, image: TiffImagePlugin.TiffImageFile, file: IO[bytes]) -> None:
        self.size = image.size
        self.mode = image.mode
        self._format, self._info = image.format, cast("Info", image.info)
        self._file = file
        self._tags = image.tag_v2
        self._strip_rows, self._strips = _strips(image)

    @staticmethod
    def reads(image: TiffImagePlugin.TiffImageFile, file_bytes: int) -> bool:
        """Return whether a picture is upright and lies in strips, each with all of its rows' colours and on its own."""
        tags = cast("dict[int, Any]", image.tag_v2)
        rows, strips = _strips(image)
        return (
            len(strips) == -(-image.size[1] // rows) > 1
            and rows * image.size[0] <= BAND_PIXELS
            and all(isinstance(number, int) and number >= 0 for strip in strips for number in strip)
            and sum(size for _, size in strips) <= file_bytes  # or the same bytes could be read for ever
            and image.mode != "F"  # whose brightest pixel decides about all
            and tags.get(_PLANES, 1) == 1
            and tags.get(_ORIENTATION, 1) == 1
            and tags.get(_COMPRESSION, 1) != _OLD_JPEG
        )

    def cut(self, first: int, last: int) -> Image.Image:
        """Decode the strips that have these rows."""
        begin, end = first // self._strip_rows, -(-last // self._strip_rows)
        top = begin * self._strip_rows
        height = min(end * self._strip_rows, self.size[1]) - top
        with TiffImagePlugin.TiffImageFile(io.BytesIO(self._alone(begin, end, height))) as part:
            band = part.crop((0, first - top, self.size[0], last - top))
        return described(band, self._format, self._info)

    def _alone(self, begin: int, end: int, height: int) -> bytes:
        """Return a TIFF of some strips."""
        pieces: list[bytes] = []
        for offset, size in self._strips[begin:end]:
            self._file.seek(offset)
            pieces.append(self._file.read(size))
        sizes = tuple(map(len, pieces))
        told = TiffImagePlugin.ImageFileDirectory_v2(prefix=self._tags.prefix)
        for tag in _COPIED:
            if tag in self._tags:
                told[tag] = self._tags[tag]
        told[_HEIGHT], told[_STRIP_ROWS] = height, self._strip_rows
        told[_STRIP_OFFSETS], told[_STRIP_BYTES] = tuple(accumulate(sizes, initial=0))[:-1], sizes
        out = io.BytesIO()
        told.save(out)  # which counts the offsets from the end of what it writes
        return out.getvalue() + b"".join(pieces)


def _strips(image: TiffImagePlugin.TiffImageFile) -> tuple[int, list[tuple[Any, ...]]]:
    """Return the rows of a strip, and where each stands with its bytes; none if that is not told as it should be."""
    tags = cast("dict[int, Any]", image.tag_v2)
    rows, offsets, sizes = (tags.get(tag) for tag in (_STRIP_ROWS, _STRIP_OFFSETS, _STRIP_BYTES))
    if not isinstance(rows, int) or not rows or not isinstance(offsets, tuple) or not isinstance(sizes, tuple):
        return 1, []
    pairs = cast("tuple[tuple[Any, ...], tuple[Any, ...]]", (offsets, sizes))
    return rows, list(zip(*pairs, strict=False)) if len(pairs[0]) == len(pairs[1]) else []
