"""Pixels that are handed out some rows at a time, from the top down, so that they need not all be held as Pillow does.

Pillow keeps a coloured pixel in four bytes, beside what a decoder of its own has made of the whole picture.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from PIL import Image

from kolors_mcp.images.bounds import Size

Info = dict[Any, Any]
"""What Pillow tells of a picture beside its pixels; its annotation says as little."""


class Rows(Protocol):
    """A picture that is read from the top down."""

    @property
    def size(self) -> Size:
        """Width and height in pixels."""
        ...

    @property
    def mode(self) -> str:
        """Pillow's word for what a pixel is made of."""
        ...

    def cut(self, first: int, last: int) -> Image.Image:
        """Return rows from `first` up to `last`, with all that tells their colours.

        Each call begins no earlier than the one before, and may begin before that one's end.
        """
        ...


@dataclass(frozen=True)
class LoadedRows:
    """Of a picture that Pillow holds."""

    image: Image.Image

    @property
    def size(self) -> Size:
        """Width and height."""
        return self.image.size

    @property
    def mode(self) -> str:
        """As Pillow says."""
        return self.image.mode

    def cut(self, first: int, last: int) -> Image.Image:
        """Copy some rows."""
        return described(self.image.crop((0, first, self.image.width, last)), self.image.format, self.image.info)


@dataclass(frozen=True)
class PackedRows:
    """As a decoder has handed them over, one after the other."""

    data: bytes | memoryview
    size: Size
    mode: str
    packed_mode: str
    """Pillow's word for how the bytes of a pixel follow each other."""
    stride: int
    """Bytes from one row to the next."""
    format: str | None
    info: Info

    def cut(self, first: int, last: int) -> Image.Image:
        """Unpack some rows."""
        data = memoryview(self.data)[first * self.stride : last * self.stride]
        band = unpacked(self.mode, (self.size[0], last - first), data, "raw", self.packed_mode, self.stride)
        return described(band, self.format, self.info)


def described(band: Image.Image, kind: str | None, info: Info) -> Image.Image:
    """Return rows of a picture with what it tells of itself."""
    band.format = kind
    band.info = info
    return band


def unpacked(mode: str, size: Size, data: bytes | memoryview, decoder: str, *how: object) -> Image.Image:
    """Return what one of Pillow's simple decoders makes of bytes that are there already."""
    return Image.frombytes(mode, size, data, decoder, *how)  # pyright: ignore[reportArgumentType]  (takes any buffer)
