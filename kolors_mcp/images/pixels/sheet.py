"""Lays pictures out on one sheet, each with a line of text below it, fit to be shown in a conversation."""

import unicodedata
from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Protocol

from PIL import Image, ImageDraw

from kolors_mcp.images.formats.content import Content
from kolors_mcp.images.formats.sniff import Kind
from kolors_mcp.images.limits import PREVIEW_BYTES, SHEET_SIDE
from kolors_mcp.images.pixels.preview import decoded_small, written
from kolors_mcp.images.pixels.typed_pillow import resized

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont


class HasKind(Protocol):
    """Says what a picture is."""

    @property
    def kind(self) -> Kind:
        """By its bytes."""
        ...


_GAP, _LINE = 12, 36
"""White pixels around each picture, and the height of the text below it."""
_FONT_SIZE = 24
_INK = (40, 40, 40)
_NO_CHARACTER = "\uffff"
"""What no font has: so it shows how a font draws what it does not have."""


def sheet(pictures: Sequence[tuple[Content, HasKind]], captions: Sequence[str], memory: int | None = None) -> bytes:
    """Return the pictures on one sheet as a baseline JPEG, in the order in which people read.

    Args:
        pictures: Which; none is enlarged.
        captions: What stands below each: the first word, and the others if the font has their letters, cut to the
            picture's width.
        memory: For decoding each.

    Raises:
        RefusalError, DearError: One cannot be opened; see `decode`.
    """
    images = [decoded_small(content, given.kind, memory) for content, given in pictures]
    columns, width, height = _cells([image.width / image.height for image in images])
    images = [_fitted(image, width, height) for image in images]
    rows = [images[start : start + columns] for start in range(0, len(images), columns)]
    heights = [max(image.height for image in row) for row in rows]
    canvas = Image.new(
        "RGB", (columns * (width + _GAP) + _GAP, sum(heights) + len(rows) * (_LINE + _GAP) + _GAP), "white"
    )
    draw, font, texts = ImageDraw.Draw(canvas), _font(), iter(captions)
    top = _GAP
    for row, tallest in zip(rows, heights, strict=True):
        for column, image in enumerate(row):
            left = _GAP + column * (width + _GAP)
            canvas.paste(image, (left + (width - image.width) // 2, top + tallest - image.height))
            draw.text((left, top + tallest + 4), _caption(next(texts), width, font), fill=_INK, font=font)
        top += tallest + _LINE + _GAP
    return written(canvas, PREVIEW_BYTES)


def _cells(shapes: Sequence[float]) -> tuple[int, int, int]:
    """Return in how many columns pictures of these widths by height are seen largest, and a cell's width and height."""

    def cell(columns: int) -> tuple[int, int]:
        rows = ceil(len(shapes) / columns)
        return (SHEET_SIDE - _GAP) // columns - _GAP, (SHEET_SIDE - _GAP) // rows - _GAP - _LINE

    def seen(columns: int) -> float:
        width, height = cell(columns)
        return sum(min(width, height * shape) * min(height, width / shape) for shape in shapes)

    columns = max(range(1, len(shapes) + 1), key=seen)
    width, height = cell(columns)
    # No wider than the widest picture of that height.
    return columns, max(1, min(width, ceil(height * max(shapes)))), height


def _fitted(image: Image.Image, width: int, height: int) -> Image.Image:
    factor = min(width / image.width, height / image.height, 1.0)
    return resized(image, (max(1, int(image.width * factor)), max(1, int(image.height * factor))))


def _font() -> "FreeTypeFont":
    """Return the font that comes with the library, so that every machine draws the same."""
    from PIL import ImageFont  # noqa: PLC0415  (a decoding process that writes nothing needs no fonts)

    font = ImageFont.load_default(_FONT_SIZE)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


def _caption(text: str, width: int, font: "FreeTypeFont") -> str:
    """Return a text as the font can draw it: whole, cut, or its first word alone."""
    first, _, rest = text.partition(" ")
    # It has the letters of English: others are written as those where only an accent is lost.
    decomposed = unicodedata.normalize("NFKD", rest.replace("ß", "ss"))
    rest = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    if not rest or not _has(font, rest):
        return first
    whole = cut = f"{first} {rest}"
    while font.getlength(cut) > width:
        cut = whole[: len(cut.removesuffix("...")) - 1].rstrip() + "..."
        if len(cut) <= len(first) + len("..."):
            return first
    return cut


def _has(font: "FreeTypeFont", text: str) -> bool:
    missing = _drawn(font, _NO_CHARACTER)
    return not any(not one.isspace() and _drawn(font, one) == missing for one in set(text))


def _drawn(font: "FreeTypeFont", character: str) -> bytes:
    image = Image.new("L", (2 * _FONT_SIZE, 2 * _FONT_SIZE))
    ImageDraw.Draw(image).text((0, 0), character, fill=255, font=font)
    return image.tobytes()
