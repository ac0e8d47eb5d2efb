"""Writes pixels as a JPEG or PNG within the bounds: as large as Kling uses, by the gentlest means."""

import io
from math import sqrt

from PIL import Image

from kolors_mcp.images import limits
from kolors_mcp.images.bounds import Bounds, Size, scaled
from kolors_mcp.images.formats.outline import Outline
from kolors_mcp.images.pixels.decode import Pixels
from kolors_mcp.images.pixels.drawn import is_drawn
from kolors_mcp.images.pixels.typed_pillow import resized

_QUALITIES = (92, 85, 80)
_LOWER_QUALITIES = (85, 80, 75, 70, 60, 50, 40, 30, 20, 10)
"""For a JPEG that was written at such a quality itself, and would grow otherwise."""
_FULL_COLOUR, _HALF_COLOUR = 0, 2
"""Pillow's names for 4:4:4 and 4:2:0: colour at every pixel, or at every second one in each direction."""
_MAX_PNG_PIXELS = 6_000_000
"""Above, a PNG takes seconds to write and seldom fits."""
_MAX_PNG_SOURCE_BYTES = 12_000_000
"""Bytes of a source whose PNG is not worth trying: its pixels will hardly pack better the second time."""
_COMPRESSED = "compressed more, to stay within 10 MB"


def encode(
    pixels: Pixels, source_bytes: int, bounds: Bounds, outline: Outline | None = None
) -> tuple[bytes, list[str]]:
    """Return the picture as bytes, and all notes about it, its decoding included.

    No bytes at all mean that the source is sent as it is: nothing smaller could be made of it.

    Args:
        pixels: What to write.
        source_bytes: How large it was where it came from.
        bounds: What it has to fit into.
        outline: Its structure where it came from, if that is known.
    """
    notes = list(pixels.notes)
    image, size = pixels.image, bounds.size_for(pixels.declared, scales=pixels.kind == "JPEG")
    if size != image.size:
        image = resized(image, size)
    if _is_png_tried(pixels, size, source_bytes):
        data = _png(image)
        if len(data) <= bounds.max_bytes:
            return data, _told(pixels, "PNG", size, notes)
    colour = _FULL_COLOUR if is_drawn(image) else _HALF_COLOUR
    data, quality = b"", 0
    for quality in _QUALITIES:
        data = _jpeg(image, quality, colour)
        if len(data) <= bounds.max_bytes:
            break
    was_too_large = pixels.kind == "JPEG" and source_bytes > bounds.max_bytes
    if quality != _QUALITIES[0] or (was_too_large and size == pixels.declared):
        notes.append(_COMPRESSED)
    while len(data) > bounds.max_bytes:
        factor = sqrt(bounds.max_bytes / len(data)) * 0.95
        size = scaled(size, min(factor, limits.SHRUNK_SIDE / max(size)))
        image = resized(image, size)
        data = _jpeg(image, quality, colour)
    came = source_bytes if outline is None else outline.size
    if pixels.kind == "JPEG" and 0 < came < len(data):
        if outline is not None and outline.travels:
            return b"", []
        data = _no_larger(image, colour, came)
    return data, _told(pixels, "JPEG", size, notes)


def _is_png_tried(pixels: Pixels, size: Size, source_bytes: int) -> bool:
    """Return whether nothing shall be lost of a picture that has lost nothing yet."""
    as_it_was = pixels.lossless and size == pixels.declared
    return as_it_was and size[0] * size[1] <= _MAX_PNG_PIXELS and source_bytes <= _MAX_PNG_SOURCE_BYTES


def _no_larger(image: Image.Image, colour: int, most: int) -> bytes:
    """Return the picture in at most as many bytes as it came in, or in as few as can be."""
    written = b""
    for quality in _LOWER_QUALITIES:
        written = _jpeg(image, quality, colour)
        if len(written) <= most:
            break
    return written


def _told(pixels: Pixels, kind: str, size: Size, notes: list[str]) -> list[str]:
    if pixels.kind != kind:
        notes.insert(0, f"converted from {pixels.kind} to {kind}")
    if size != pixels.declared:
        width, height = pixels.declared
        enough = max(size) >= limits.NEAR_ENOUGH * limits.SENT_SIDE
        notes.append(
            f"sent at {size[0]} x {size[1]}, from {width} x {height}" + (", as large as Kling uses" if enough else "")
        )
    return notes or ["written anew, because the file is built in an unusual way"]


def _jpeg(image: Image.Image, quality: int, colour: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling=colour)
    return buffer.getvalue()


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
