"""Has a decoder make the pixels of an opened picture, and marks or mends what it leaves unlike other programs."""

import io
from functools import cache
from typing import IO, Any, cast

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageChops,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from kolors_mcp.images.formats.content import Content
from kolors_mcp.images.formats.outline import Outline
from kolors_mcp.images.formats.sniff import Kind
from kolors_mcp.images.pixels.colours import COLOUR_CODES, WHITE_IS_ZERO
from kolors_mcp.images.pixels.costs import WHOLE, bytes_for, memory_for
from kolors_mcp.images.pixels.declared import USUAL_DEPTH, depth_of, is_white_zero
from kolors_mcp.images.pixels.png_rows import PngRows
from kolors_mcp.images.pixels.rows import LoadedRows, PackedRows, Rows
from kolors_mcp.images.pixels.tiff_rows import TiffRows

_Box = tuple[int, int, int, int]

_MAX_MADE_UP_SHARE = 0.01
"""Share of a picture that a decoder may have made up."""


class _Unpacked(ImageFile.ImageFile):
    """Stands between a decoder that unpacks whole pictures and Pillow, and keeps what Pillow would copy."""

    packed: bytes | memoryview = b""
    packed_mode = ""
    stride = 0

    def load_prepare(self) -> None:
        """Make no room for the copy."""

    def frombytes(self, data: Any, decoder_name: str = "raw", *args: Any) -> None:
        """Keep what is handed over with the words for it."""
        del decoder_name
        self.packed, (self.packed_mode, self.stride) = data, args[0]

    def load(self) -> Any:
        """Keep what is handed over as a file; nothing is left to do if it came in the other way."""
        if self.tile:
            assert isinstance(self.fp, io.BytesIO)
            self.packed, self.packed_mode = self.fp.getvalue(), str(self.tile[0].args)
            self.stride = len(self.packed) // self.size[1]
            self.tile = []


class _WebP(WebPImagePlugin.WebPImageFile, _Unpacked):
    pass


class _Avif(AvifImagePlugin.AvifImageFile, _Unpacked):
    pass


@cache
def _heif() -> type[ImageFile.ImageFile]:
    from pillow_heif import HeifImageFile  # noqa: PLC0415  (a large library for one kind of picture)

    class _Heif(HeifImageFile, _Unpacked):
        pass

    return _Heif


_DECODERS: dict[Kind, type[ImageFile.ImageFile]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "WebP": _WebP,
    "AVIF": _Avif,
    "GIF": GifImagePlugin.GifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
}


def opened(file: IO[bytes], kind: Kind) -> ImageFile.ImageFile:
    """Open with exactly the decoder that the bytes ask for: nothing is guessed, no second picture is looked for."""
    if kind == "HEIC":
        return _heif()(file)
    return _DECODERS[kind](file)


def loaded(
    image: ImageFile.ImageFile,
    rows: Rows | None,
    content: Content,
    kind: Kind,
    outline: Outline | None,
    memory: int | None,
) -> Rows:
    """Return the picture's pixels, which are `rows` where those can be made when they are asked for.

    Raises:
        MemoryError: There was too little.
        Exception: Whatever its decoder raises where it is damaged.
    """
    frame = cast("_Box", image.tile[0].extents) if kind == "GIF" and image.tile else (0, 0, *image.size)
    white_is_zero = is_white_zero(image)
    if kind == "PNG":
        _scale_clear_colour(image, depth_of(image, content))
    if outline is not None and outline.colour_codes is not None:
        image.info[COLOUR_CODES] = outline.colour_codes
    if rows is not None:
        return rows
    _load(image, content, kind, memory)
    if isinstance(image, _Unpacked):
        return PackedRows(
            image.packed, image.size, image.mode, image.packed_mode, image.stride, image.format, image.info
        )
    if white_is_zero:
        image.info[WHITE_IS_ZERO] = True
    if kind == "GIF" and frame != (0, 0, *image.size):
        # Around a first frame there is nothing in browsers, and the palette's background here.
        canvas = Image.new("RGBA", image.size, (0, 0, 0, 0))
        canvas.paste(image.convert("RGBA").crop(frame), frame[:2])
        return LoadedRows(canvas)
    return LoadedRows(image)


def streamed(
    image: ImageFile.ImageFile, file: IO[bytes], content: Content, outline: Outline | None
) -> PngRows | TiffRows | None:
    """Return rows that are made when they are asked for; None where they cannot be had so."""
    if isinstance(image, PngImagePlugin.PngImageFile):
        whole = outline is not None  # only then it is known that all rows are there
        return PngRows(image, file) if whole and PngRows.reads(image) else None
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return TiffRows(image, file) if TiffRows.reads(image, content.size) else None
    return None


def is_same(one: Image.Image, other: Image.Image) -> bool:
    """Return whether two pictures of a size are the same in all but a small part."""
    left, top, right, bottom = ImageChops.difference(one, other).getbbox() or (0, 0, 0, 0)
    return (right - left) * (bottom - top) <= _MAX_MADE_UP_SHARE * one.width * one.height


def _scale_clear_colour(image: ImageFile.ImageFile, depth: int) -> None:
    """Bring the clear colour of a PNG to the range of the pixels; its decoder leaves it in that of the file."""
    clear: int | tuple[int, ...] | bytes | None = image.info.get("transparency")
    if depth == USUAL_DEPTH or clear is None or image.mode not in ("L", "RGB", "I;16"):
        return
    if isinstance(clear, int):
        image.info["transparency"] = (clear * 255 + (1 << depth - 1) - 1) // ((1 << depth) - 1)
    elif isinstance(clear, tuple):  # of 16 bits, of which the decoder takes the upper ones
        image.info["transparency"] = tuple(value >> USUAL_DEPTH for value in clear)


def _load(image: ImageFile.ImageFile, content: Content, kind: Kind, memory: int | None) -> None:
    try:
        image.load()
    except Exception as error:
        # Decoders that find no memory call the picture damaged; so whatever comes near the bound is not called that.
        pixels = image.size[0] * image.size[1]
        given = memory_for(content.size, pixels) if memory is None else memory
        if kind in WHOLE and 2 * bytes_for(kind, image.mode, image.size, (1, 1)) > given:
            raise MemoryError from error
        raise
