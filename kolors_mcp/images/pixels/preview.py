"""Makes a small picture of a finished one, or of what it was made of and itself, fit to be shown in a conversation."""

import io

from PIL import Image

from kolors_mcp.images.formats.content import Content
from kolors_mcp.images.formats.sniff import Kind
from kolors_mcp.images.limits import FOR_HOST_BYTES, FOR_HOST_SIDE, PREVIEW_BYTES, PREVIEW_SIDE
from kolors_mcp.images.pixels.decode import Pixels, decode
from kolors_mcp.images.pixels.typed_pillow import resized

_QUALITIES = (85, 75, 65, 50, 35)
_SMALLER = 0.75
_GAP = 8
"""White pixels between two pictures."""


def preview(content: Content, kind: Kind, memory: int | None = None) -> bytes:
    """Return a small baseline JPEG, made in so much memory at most.

    Raises:
        RefusalError, DearError: It cannot be opened; see `decode`.
    """
    return written(decoded_small(content, kind, memory), PREVIEW_BYTES)


def for_host(content: Content, kind: Kind, memory: int | None = None) -> tuple[bytes, bool]:
    """Return a JPEG within the limits of what hosts take, and whether it has fewer pixels than the picture.

    Raises:
        RefusalError, DearError: It cannot be opened; see `decode`.
    """
    pixels = _decoded(content, kind, FOR_HOST_SIDE, memory)
    jpeg = written(_within(pixels.image, FOR_HOST_SIDE), FOR_HOST_BYTES)
    with Image.open(io.BytesIO(jpeg)) as opened:
        return jpeg, opened.size != pixels.declared


def side_by_side(left: tuple[Content, Kind], right: tuple[Content, Kind], memory: int | None = None) -> bytes:
    """Return two pictures of the same height beside each other, within the limits of a preview.

    Raises:
        RefusalError, DearError: Either cannot be opened; see `decode`.
    """
    pair = (decoded_small(*left, memory), decoded_small(*right, memory))
    wide = sum(image.width / image.height for image in pair)
    # The right one is what it is about, so it is not enlarged; the left one follows.
    height = max(1, min(PREVIEW_SIDE, pair[1].height, int((PREVIEW_SIDE - _GAP) / wide)))
    first, second = (resized(image, (max(1, int(height * image.width / image.height)), height)) for image in pair)
    canvas = Image.new("RGB", (first.width + _GAP + second.width, height), "white")
    canvas.paste(first, (0, 0))
    canvas.paste(second, (first.width + _GAP, 0))
    return written(canvas, PREVIEW_BYTES)


def decoded_small(content: Content, kind: Kind, memory: int | None) -> Image.Image:
    """Return a picture as small as a preview; what it raises is `decode`'s."""
    return _within(_decoded(content, kind, PREVIEW_SIDE, memory).image, PREVIEW_SIDE)


def _decoded(content: Content, kind: Kind, side: int, memory: int | None) -> Pixels:
    def enough(size: tuple[int, int]) -> tuple[int, int]:
        factor = min(1.0, side / max(size))
        return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))

    return decode(content, kind, None, smaller=enough, least=1, memory=memory)


def _within(image: Image.Image, side: int) -> Image.Image:
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return image


def written(image: Image.Image, most: int) -> bytes:
    """Return a picture as a baseline JPEG of so many bytes at most, with fewer pixels if nothing else helps."""
    while True:
        for quality in _QUALITIES:
            buffer = io.BytesIO()
            image.save(buffer, "JPEG", quality=quality, progressive=False)
            if buffer.tell() <= most:
                return buffer.getvalue()
        image = resized(image, (max(1, round(image.width * _SMALLER)), max(1, round(image.height * _SMALLER))))
