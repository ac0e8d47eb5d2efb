"""Tells drawings and screenshots from photos: their colours change at once, and not at all in between."""

from PIL import Image, ImageChops

_BANDS, _BAND_ROWS = 16, 12
"""Rows that are looked at: bands of some, spread over the whole height."""
_EVEN, _SHARP = 3, 48
"""Neighbours that differ by less than the first are the same area; by the second or more, an edge was drawn there.
Of 255 in any channel; compression alone makes differences of one or two."""
_EVEN_SHARE = 0.55
"""Least share of a drawing that is even. Photos of clothes on white have it too."""
_SHARP_SHARE = 0.13
"""Least share of edges in what is not even. Lenses and skin make soft ones: in photos it is a few in a hundred."""


def is_drawn(image: Image.Image) -> bool:
    """Return whether a picture in mode RGB or L looks drawn, so that its colours have edges as sharp as its shapes."""
    rows = min(_BAND_ROWS, image.height)
    left, right = (Image.new(image.mode, (image.width - 1, _BANDS * rows)) for _ in range(2))
    for band in range(_BANDS):
        top = (image.height - rows) * band // (_BANDS - 1)
        left.paste(image.crop((0, top, image.width - 1, top + rows)), (0, band * rows))
        right.paste(image.crop((1, top, image.width, top + rows)), (0, band * rows))
    channels = ImageChops.difference(left, right).split()
    largest = channels[0]
    for channel in channels[1:]:
        largest = ImageChops.lighter(largest, channel)
    counts = largest.histogram()
    total, uneven = sum(counts), sum(counts[_EVEN:])
    return uneven <= total * (1 - _EVEN_SHARE) and sum(counts[_SHARP:]) >= uneven * _SHARP_SHARE
