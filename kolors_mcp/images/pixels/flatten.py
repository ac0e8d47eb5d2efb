"""Makes a decoded picture flat and small in one go, band by band, so that no second copy of it is ever held."""

from PIL import Image

from kolors_mcp.images.bounds import Size
from kolors_mcp.images.pixels.colours import to_srgb
from kolors_mcp.images.pixels.costs import BAND_PIXELS
from kolors_mcp.images.pixels.rows import LoadedRows, Rows
from kolors_mcp.images.pixels.typed_pillow import resized_part

_REACH = 3
"""Rows of the result that Lanczos looks at to either side."""
_LEFT_OUT, _MADE_WHITE = "unused transparency left out", "transparent parts made white"


def flattened(image: Rows, head: bytes, size: tuple[int, int]) -> tuple[Image.Image, list[str]]:
    """Return the picture in mode RGB or L, and what was done to its colours; see `to_srgb`.

    Args:
        image: Its rows.
        head: As for `to_srgb`.
        size: What it is shrunk to if it is too large to be converted whole. Nothing is enlarged.
    """
    whole = image.size
    if whole[0] * whole[1] <= BAND_PIXELS or image.mode == "F":  # whose brightest value decides about all
        return to_srgb(image.cut(0, whole[1]), head)
    width, height = size if size[0] <= whole[0] and size[1] <= whole[1] else whole
    if isinstance(image, LoadedRows):
        row = image.cut(0, 1)
        flat, row_notes = to_srgb(row, head)
        if flat is row:  # then there is nothing to convert anywhere
            return _shrunk(image, (width, height)), row_notes
    scale = whole[1] / height
    rows = max(1, int(BAND_PIXELS / whole[0] / scale))
    canvas: Image.Image | None = None
    notes: dict[str, None] = {}
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        # With the rows around it that the filter reaches, so that no seam is seen.
        around = scale * _REACH if (width, height) != whole else 0
        first, last = int(max(0, top * scale - around)), int(min(whole[1], bottom * scale + around + 1))
        band, band_notes = to_srgb(image.cut(first, last), head)
        notes |= dict.fromkeys(band_notes)
        if (width, height) != whole:
            box = (0, top * scale - first, whole[0], min(bottom * scale - first, band.height))
            band = resized_part(band, (width, bottom - top), box)
        else:
            band = band.crop((0, top - first, width, bottom - first))
        if canvas is None:
            canvas = Image.new(band.mode, (width, height))
        canvas.paste(band, (0, top))
    assert canvas is not None
    if _MADE_WHITE in notes:
        notes.pop(_LEFT_OUT, None)
    return canvas, list(notes)


def _shrunk(image: LoadedRows, size: Size) -> Image.Image:
    """Return the picture at a size. Nothing is cut out of it: the filter takes the rows that it reaches itself."""
    whole, (width, height) = image.size, size
    if size == whole:
        return image.cut(0, whole[1])
    scale = whole[1] / height
    # What the filter holds between its two passes is as wide as the result, and as high as what it is made of.
    rows = max(1, int(BAND_PIXELS / width / scale))
    canvas = Image.new(image.mode, size)
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        box = (0, top * scale, whole[0], min(bottom * scale, whole[1]))
        canvas.paste(resized_part(image.image, (width, bottom - top), box), (0, top))
    return canvas
