"""Decodes any picture into upright pixels in sRGB on white, within a budget of memory and time."""

from collections.abc import Callable
from dataclasses import dataclass, field
from io import BufferedReader
from typing import IO, Any, cast

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)
from PIL.Image import Transpose

from kolors_mcp.images import jpeg
from kolors_mcp.images.colours import to_srgb
from kolors_mcp.images.content import Content, SpanReader
from kolors_mcp.images.exif import orientation
from kolors_mcp.images.limits import MAX_DECODED_PIXELS, MAX_SCAN_PIXELS, MIN_SIDE
from kolors_mcp.images.refusal import RefusalError
from kolors_mcp.images.sniff import HEAD, Kind
from kolors_mcp.images.walked import Walked

_UPRIGHT: dict[int, tuple[Transpose, str]] = {
    2: (Transpose.FLIP_LEFT_RIGHT, "mirrored"),
    3: (Transpose.ROTATE_180, "turned by 180 degrees"),
    4: (Transpose.FLIP_TOP_BOTTOM, "mirrored and turned by 180 degrees"),
    5: (Transpose.TRANSPOSE, "mirrored and turned by 270 degrees"),
    6: (Transpose.ROTATE_270, "turned by 90 degrees"),
    7: (Transpose.TRANSVERSE, "mirrored and turned by 90 degrees"),
    8: (Transpose.ROTATE_90, "turned by 270 degrees"),
}
"""What makes a picture upright, by the EXIF orientation tag; degrees are clockwise."""

_LOSSLESS: frozenset[Kind] = frozenset(("PNG", "GIF", "BMP"))
_TIFF_WIDTHS, _TIFF_HEIGHTS, _TIFF_DEPTHS, _TIFF_ORIENTATION = (256, 322), (257, 323), 258, 274
_EIGHT = 8
_MAX_TILE_SIDE = 20_000


@dataclass
class Pixels:
    """A decoded picture: mode RGB or L, upright, sRGB, opaque."""

    image: Image.Image
    kind: Kind
    declared: tuple[int, int]
    """Width and height of the whole picture, upright, although `image` may have been decoded smaller."""
    notes: list[str] = field(default_factory=list[str])

    @property
    def lossless(self) -> bool:
        """Whether the picture came from a format that loses nothing, as drawings and screenshots do."""
        return self.kind in _LOSSLESS


def decode(
    content: Content,
    kind: Kind,
    walked: Walked | None,
    *,
    smaller: Callable[[tuple[int, int]], tuple[int, int]] = lambda size: size,
    least: int = MIN_SIDE,
) -> Pixels:
    """Return the pixels of a picture.

    Args:
        content: The bytes.
        kind: What they begin like.
        walked: What a walk through them found, if it came to the end.
        smaller: From the declared size to one that is enough; a JPEG is then decoded at an eighth, quarter or half.
        least: Least pixels of each side.

    Raises:
        RefusalError: They cannot be opened, or cost too much to open.
    """
    try:
        return _decode(content, kind, walked, smaller, least)
    except RefusalError:
        raise
    except Exception as error:  # decoders raise anything at all on hostile bytes
        raise RefusalError(
            f"is a {kind} that cannot be opened; it is damaged or cut off. Give another copy of it.", passing=True
        ) from error


def _decode(
    content: Content,
    kind: Kind,
    walked: Walked | None,
    smaller: Callable[[tuple[int, int]], tuple[int, int]],
    least: int,
) -> Pixels:
    if kind == "WebP":
        # Its decoder sets memory aside for the declared size as soon as it is opened.
        check_size(*_webp_size(content.read(0, 32)), least, budget=MAX_DECODED_PIXELS)
    spans = ((0, content.size),) if walked is None or walked.readable is None else walked.readable
    with BufferedReader(SpanReader(content, spans), 1 << 16) as file:
        image = _open(cast("IO[bytes]", file), kind)
        check_size(*image.size, least, budget=None if kind == "JPEG" else MAX_DECODED_PIXELS)
        if isinstance(image, JpegImagePlugin.JpegImageFile):
            _spare(image, content, walked, smaller)
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            _check_tiles(image)
        declared, frames = _declared(image, walked), _frames(image)
        turn = _orientation(image) if walked is None else walked.turn
        image.load()
        if image.size[0] * image.size[1] > MAX_DECODED_PIXELS:
            raise RefusalError(_too_many(*image.size))
        notes = [f"only the first of its {frames} used"] if frames else []
        depth = _depth(image, content)
        if depth > _EIGHT:
            notes.append(f"reduced from {depth} to 8 bits a channel")
        flat, colour_notes = to_srgb(image, content.read(0, HEAD * 16) if kind in ("HEIC", "AVIF") else b"")
        notes += colour_notes
    if turn in _UPRIGHT:
        transposition, words = _UPRIGHT[turn]
        notes.insert(0, f"{words} as the photo's tag says")
        if kind != "TIFF":  # whose decoder has turned it already
            flat = flat.transpose(transposition)
            declared = declared if turn < 5 else (declared[1], declared[0])  # noqa: PLR2004  (5 to 8 swap the sides)
    flat.info.clear()
    return Pixels(flat, kind, declared if kind != "TIFF" else flat.size, notes)


def check_size(width: int, height: int, least: int, *, budget: int | None) -> None:
    """Refuse a picture by the size that it declares, before anything is decoded."""
    if min(width, height) < least:
        raise RefusalError(f"is {width} x {height} pixels; each side must be at least {least}. Ask for a larger photo.")
    if budget is not None and width * height > budget:
        raise RefusalError(_too_many(width, height))


def _too_many(width: int, height: int) -> str:
    return (
        f"declares {width} x {height} pixels; at most {MAX_DECODED_PIXELS // 1_000_000} megapixels can be opened. "
        "Ask for a smaller version."
    )


_DECODERS: dict[Kind, type[ImageFile.ImageFile]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
}


def _open(file: IO[bytes], kind: Kind) -> ImageFile.ImageFile:
    """Open with exactly the decoder that the bytes ask for: nothing is guessed, no second picture is looked for."""
    if kind == "HEIC":
        from pillow_heif import HeifImageFile  # noqa: PLC0415  (a large library for one kind of picture)

        return HeifImageFile(file)
    return _DECODERS[kind](file)


def _spare(
    image: JpegImagePlugin.JpegImageFile,
    content: Content,
    walked: Walked | None,
    smaller: Callable[[tuple[int, int]], tuple[int, int]],
) -> None:
    """Bound what a JPEG costs: memory by decoding it smaller if that will do, time by its scans."""
    width, height = image.size
    progressive = bool(image.info.get("progressive")) or (walked is not None and walked.progressive)
    scans = walked.scans if walked is not None else jpeg.count_scans(content)
    if width * height * scans > MAX_SCAN_PIXELS:
        raise RefusalError(
            f"has {width} x {height} pixels in {scans} passes, which takes too long to open. Save it anew first."
        )
    enough = smaller(image.size)
    if enough != image.size:
        image.draft(image.mode, enough)
    # All scans of a progressive picture are held whole, whatever is made of them afterwards.
    held = (width, height) if progressive else image.size
    if held[0] * held[1] > MAX_DECODED_PIXELS:
        raise RefusalError(_too_many(width, height))


def _declared(image: ImageFile.ImageFile, walked: Walked | None) -> tuple[int, int]:
    if walked is not None:
        return walked.width, walked.height
    if isinstance(image, JpegImagePlugin.JpegImageFile) and image.decoderconfig:
        # `draft` has changed the size; its factor is the first of the two.
        scale = cast("tuple[int, int]", image.decoderconfig)[0] or 1
        return image.size[0] * scale, image.size[1] * scale
    return image.size


def _frames(image: ImageFile.ImageFile) -> str | None:
    """Return what there is more than one of; the others are not even counted, which could take for ever."""
    if isinstance(image, JpegImagePlugin.JpegImageFile) or not getattr(image, "is_animated", False):
        return None
    return "pages is" if isinstance(image, TiffImagePlugin.TiffImageFile) else "pictures is"


def _depth(image: ImageFile.ImageFile, content: Content) -> int:
    """Return the bits of a channel in the file; a decoded picture no longer tells."""
    depth: Any = _EIGHT
    if isinstance(image, PngImagePlugin.PngImageFile):
        depth = content.read(24, 1)[0]
    elif isinstance(image, TiffImagePlugin.TiffImageFile):
        depths = cast("dict[int, Any]", image.tag_v2).get(_TIFF_DEPTHS)
        depth = cast("tuple[Any, ...]", depths)[0] if isinstance(depths, tuple) and depths else _EIGHT
    else:
        depth = image.info.get("bit_depth", _EIGHT)
    return depth if isinstance(depth, int) else _EIGHT


def _orientation(image: ImageFile.ImageFile) -> int:
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        tags = cast("dict[int, Any]", image.tag_v2)
        turn = tags.get(_TIFF_ORIENTATION, 1)
        return turn if isinstance(turn, int) else 1
    blob = image.info.get("exif")
    return orientation(blob) if isinstance(blob, bytes) else 1


def _check_tiles(image: TiffImagePlugin.TiffImageFile) -> None:
    """Refuse tiles far larger than the picture: memory is set aside for a whole tile."""
    tags = cast("dict[int, Any]", image.tag_v2)
    for width_tag, height_tag in zip(_TIFF_WIDTHS, _TIFF_HEIGHTS, strict=True):
        width, height = tags.get(width_tag, 1), tags.get(height_tag, 1)
        if not (isinstance(width, int) and isinstance(height, int)) or width * height > MAX_DECODED_PIXELS:
            raise RefusalError("is a TIFF whose tiles are too large to open. Save it as JPEG or PNG.")


def _webp_size(head: bytes) -> tuple[int, int]:
    """Return the size that a WebP declares in its first chunk (RFC 9649)."""
    chunk = head[12:16]
    if chunk == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if chunk == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if chunk == b"VP8 ":
        return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF
    raise RefusalError("is a WebP that cannot be opened; it is damaged. Give another copy of it.")
