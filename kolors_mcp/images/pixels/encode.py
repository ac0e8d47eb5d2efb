"""Writes pixels as a JPEG or PNG within the limits, by the gentlest means: quality first, then scale."""

import io
from math import sqrt

from PIL import Image

from kolors_mcp.images.limits import MIN_SIDE
from kolors_mcp.images.pixels.bounds import Bounds
from kolors_mcp.images.pixels.decode import Pixels
from kolors_mcp.images.pixels.typed_pillow import resized

_QUALITIES = (95, 90, 85, 80)
_FULL_COLOUR_QUALITY = 95
"""From this quality on, colours keep their full resolution; below, half of it, as cameras do."""
_MAX_PNG_PIXELS = 6_000_000
"""Above, a PNG takes seconds to write and seldom fits."""
_MAX_PNG_SOURCE = 12_000_000
"""Bytes of a source whose PNG is not worth trying: its pixels will hardly pack better the second time."""


def enough(size: tuple[int, int], bounds: Bounds) -> tuple[int, int]:
    """Return the size that a picture of `size` is given if it has to be shrunk at all, else the same."""
    if max(size) <= bounds.max_side and size[0] * size[1] <= bounds.max_pixels:
        return size
    return _scaled(size, bounds.shrunk_side / max(size))


def encode(pixels: Pixels, source_bytes: int, bounds: Bounds) -> tuple[bytes, list[str]]:
    """Return the picture as bytes, and all notes about it, its decoding included.

    Args:
        pixels: What to write.
        source_bytes: How large it was where it came from.
        bounds: What it has to fit into.
    """
    notes = list(pixels.notes)
    image, size = pixels.image, enough(pixels.declared, bounds)
    if size != image.size:
        image = resized(image, size)
    if pixels.lossless and size[0] * size[1] <= _MAX_PNG_PIXELS and source_bytes <= _MAX_PNG_SOURCE:
        data = _png(image)
        if len(data) <= bounds.max_bytes:
            return data, _told(pixels, "PNG", size, notes)
    data = b""
    for quality in _QUALITIES:
        data = _jpeg(image, quality)
        if len(data) <= bounds.max_bytes:
            if quality != _QUALITIES[0] or (
                pixels.kind == "JPEG" and source_bytes > bounds.max_bytes and size == pixels.declared
            ):
                notes.append("compressed more, to stay within 10 MB")
            return data, _told(pixels, "JPEG", size, notes)
    while len(data) > bounds.max_bytes:
        factor = sqrt(bounds.max_bytes / len(data)) * 0.95
        if max(size) > bounds.shrunk_side:
            factor = min(factor, bounds.shrunk_side / max(size))
        size = _scaled(size, factor)
        image = resized(image, size)
        data = _jpeg(image, _QUALITIES[-1])
    notes.append("compressed more, to stay within 10 MB")
    return data, _told(pixels, "JPEG", size, notes)


def _told(pixels: Pixels, kind: str, size: tuple[int, int], notes: list[str]) -> list[str]:
    if pixels.kind != kind:
        notes.insert(0, f"converted from {pixels.kind} to {kind}")
    if size != pixels.declared:
        width, height = pixels.declared
        notes.append(f"shrunk from {width} x {height} to {size[0]} x {size[1]}")
    return notes or ["written anew, because the file is built in an unusual way"]


def _scaled(size: tuple[int, int], factor: float) -> tuple[int, int]:
    """Return `size` times `factor`, no side below the least that Kling takes."""
    factor = max(factor, MIN_SIDE / min(size))
    width, height = (max(MIN_SIDE, round(side * factor)) for side in size)
    return width, height


def _jpeg(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling=0 if quality >= _FULL_COLOUR_QUALITY else 2)
    return buffer.getvalue()


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
