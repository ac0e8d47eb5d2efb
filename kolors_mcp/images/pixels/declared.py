"""What a file declares about itself that a decoder needs or costs, read before or beside its pixels."""

from typing import Any, cast

from PIL import ImageFile, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

from kolors_mcp.images.formats.content import Content
from kolors_mcp.images.formats.exif import orientation
from kolors_mcp.images.limits import MAX_DECODED_PIXELS
from kolors_mcp.images.refusal import RefusalError

_TIFF_WIDTHS, _TIFF_HEIGHTS, _TIFF_DEPTHS = (256, 322), (257, 323), 258
_TIFF_ORIENTATION, _TIFF_PHOTOMETRIC = 274, 262
_TIFF_COMPRESSION, _TIFF_SAMPLES, _TIFF_STRIP_ROWS, _UNCOMPRESSED = 259, 277, 278, 1
USUAL_DEPTH = 8
"""Bits of a channel."""


def coefficient_bytes(image: JpegImagePlugin.JpegImageFile, size: tuple[int, int]) -> int:
    """Return the memory for what all scans of a JPEG add to: two bytes for each sample."""
    layers = image.layer
    finest = max((across * down for _, across, down, _ in layers), default=1) or 1
    return 2 * size[0] * size[1] * sum(across * down for _, across, down, _ in layers) // finest


def piece_bytes(image: TiffImagePlugin.TiffImageFile) -> int:
    """Return the memory for one strip or tile, which is unpacked whole beside the picture.

    Raises:
        RefusalError: A tile is far larger than any picture.
    """
    tags = cast("dict[int, Any]", image.tag_v2)
    for width_tag, height_tag in zip(_TIFF_WIDTHS, _TIFF_HEIGHTS, strict=True):
        width, height = tags.get(width_tag, 1), tags.get(height_tag, 1)
        if not (isinstance(width, int) and isinstance(height, int)) or width * height > MAX_DECODED_PIXELS:
            raise RefusalError("is a TIFF whose tiles are too large to open. Save it as JPEG or PNG.")
    if tags.get(_TIFF_COMPRESSION, _UNCOMPRESSED) == _UNCOMPRESSED:
        return 0
    if _TIFF_WIDTHS[1] in tags:
        pixels = tags.get(_TIFF_WIDTHS[1], 1) * tags.get(_TIFF_HEIGHTS[1], 1)
    else:
        rows = tags.get(_TIFF_STRIP_ROWS)
        pixels = image.size[0] * (min(rows, image.size[1]) if isinstance(rows, int) else image.size[1])
    samples = tags.get(_TIFF_SAMPLES, 1)
    depths = tags.get(_TIFF_DEPTHS)
    depth = max(cast("tuple[int, ...]", depths)) if isinstance(depths, tuple) and depths else USUAL_DEPTH
    return pixels * (samples if isinstance(samples, int) else 1) * depth // USUAL_DEPTH


def webp_size(head: bytes) -> tuple[int, int]:
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


def frames_of(image: ImageFile.ImageFile) -> str | None:
    """Return what there is more than one of; the others are not even counted, which could take for ever."""
    if isinstance(image, JpegImagePlugin.JpegImageFile) or not getattr(image, "is_animated", False):
        return None
    return "pages is" if isinstance(image, TiffImagePlugin.TiffImageFile) else "pictures is"


def depth_of(image: ImageFile.ImageFile, content: Content) -> int:
    """Return the bits of a channel in the file; a decoded picture no longer tells."""
    depth: Any = USUAL_DEPTH
    if isinstance(image, PngImagePlugin.PngImageFile):
        depth = content.read(24, 1)[0]
    elif isinstance(image, TiffImagePlugin.TiffImageFile):
        depths = cast("dict[int, Any]", image.tag_v2).get(_TIFF_DEPTHS)
        depth = cast("tuple[Any, ...]", depths)[0] if isinstance(depths, tuple) and depths else USUAL_DEPTH
    else:
        depth = image.info.get("bit_depth", USUAL_DEPTH)
    return depth if isinstance(depth, int) else USUAL_DEPTH


def is_white_zero(image: ImageFile.ImageFile) -> bool:
    """Return whether a TIFF's numbers go from white to black and its decoder leaves them so, as it does 16 bits."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile) or not image.mode.startswith("I;16"):
        return False
    return cast("dict[int, Any]", image.tag_v2).get(_TIFF_PHOTOMETRIC) == 0


def turn_of(image: ImageFile.ImageFile) -> int:
    """Return the orientation that the file tells, 1 to 8; 1 if it tells none."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        tags = cast("dict[int, Any]", image.tag_v2)
        turn = tags.get(_TIFF_ORIENTATION, 1)
        return turn if isinstance(turn, int) else 1
    blob = image.info.get("exif")
    return orientation(blob) if isinstance(blob, bytes) else 1
