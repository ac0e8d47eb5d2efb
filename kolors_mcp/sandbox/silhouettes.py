"""Finds shapes on plain backgrounds: what is a garment, what is the person, and how wide they are where."""

# Pillow names NumPy's types, which are not installed here.
# pyright: reportUnknownMemberType=false

import re
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageStat

_COARSE = 240  # Longest side of the small copy on which backgrounds are filled and widths measured.
_DIFFERENT = 26  # Of 255: a pixel that differs by at least this much in any channel is not background.
_SOFT = 40  # From so much of 255 on, a soft edge still counts as garment.
_RUN = re.compile(rb"[^\0]+")
_LEAST_SHARE = 0.04  # A piece that takes less of the picture's height or width than this is a speck.


@dataclass(frozen=True)
class Profile:
    """The rows of a shape: for each, the runs of its pixels from left to right; all in pixels of the small copy."""

    width: int
    rows: tuple[tuple[tuple[int, int], ...], ...]

    @classmethod
    def of(cls, mask: Image.Image) -> "Profile":
        """Measure a mask (`L`, 0 or 255)."""
        width, height = mask.size
        pixels = mask.tobytes()
        rows = tuple(_runs(pixels[row * width : (row + 1) * width]) for row in range(height))
        return cls(width, rows)

    def middle_run(self, share: float, middle: float) -> tuple[int, int] | None:
        """Return the run nearest to column `middle`, in the row at `share` of the height."""
        row = self.rows[min(int(share * len(self.rows)), len(self.rows) - 1)]
        return min(row, key=lambda run: _distance(run, middle)) if row else None

    def extent(self, share: float) -> tuple[int, int] | None:
        """Return the first and the last column of the row at `share` of the height."""
        row = self.rows[min(int(share * len(self.rows)), len(self.rows) - 1)]
        return (row[0][0], row[-1][1]) if row else None


def background_colour(image: Image.Image) -> tuple[int, ...]:
    """Return the usual colour along the edge of an RGB picture."""
    width, height = image.size
    rim = max(2, min(width, height) // 40)
    mask = Image.new("L", image.size, 255)
    ImageDraw.Draw(mask).rectangle([rim, rim, width - rim - 1, height - rim - 1], fill=0)
    return tuple(round(value) for value in ImageStat.Stat(image, mask).median)


def foreground(image: Image.Image) -> Image.Image:
    """Return a mask of what is not background: `L`, as large as the picture.

    Background is what looks like the edge of the picture and hangs together with it, so that white stripes
    inside a garment stay.
    """
    plain = Image.new("RGB", image.size, background_colour(image)[:3])
    red, green, blue = ImageChops.difference(image, plain).split()
    different = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    fine = different.point([min(255, max(0, (value - _DIFFERENT // 2) * 255 // _DIFFERENT)) for value in range(256)])
    scale = _COARSE / max(image.size)
    small_size = (max(8, round(image.width * scale)), max(8, round(image.height * scale)))
    small = different.resize(small_size, Image.Resampling.BOX).point(_from(_DIFFERENT))
    # A frame of background, so that one fill from a corner reaches all of the rim.
    framed = Image.new("L", (small_size[0] + 2, small_size[1] + 2), 0)
    framed.paste(small, (1, 1))
    outside = _filled_from_corner(framed).crop((1, 1, small_size[0] + 1, small_size[1] + 1))
    near_outside = outside.filter(ImageFilter.MaxFilter(5)).resize(image.size, Image.Resampling.BILINEAR)
    inner = ImageChops.invert(near_outside)
    return ImageChops.lighter(fine, inner)


def coarse(mask: Image.Image) -> Image.Image:
    """Return a mask small enough to be measured, `L`, 0 or 255."""
    scale = min(1.0, _COARSE / max(mask.size))
    size = (max(8, round(mask.width * scale)), max(8, round(mask.height * scale)))
    return mask.resize(size, Image.Resampling.BOX).point(_from(128))


def shrunken(mask: Image.Image) -> Image.Image:
    """Return a mask without its outermost pixels: each is as dark as the darkest of those around it.

    Pillow's own filter sorts the nine for each pixel, which takes ten times as long.
    """
    for step in ((1, 0), (0, 1)):
        before, after = mask.copy(), mask.copy()
        before.paste(mask, step)
        after.paste(mask, (-step[0], -step[1]))
        mask = ImageChops.darker(ImageChops.darker(before, mask), after)
    return mask


def pieces(mask: Image.Image) -> list[tuple[int, int, int, int]]:
    """Return the boxes of the one or two garments on a canvas: above each other, or side by side."""
    box = mask.point(_from(_SOFT)).getbbox()
    if box is None:
        return []
    inner = coarse(mask.crop(box))
    pixels, (width, height) = inner.tobytes(), inner.size
    rows = [any(pixels[y * width : (y + 1) * width]) for y in range(height)]
    columns = [any(pixels[x::width]) for x in range(width)]
    left, top, right, bottom = box
    for filled, size, upright in ((rows, bottom - top, True), (columns, right - left, False)):
        blocks = [run for run in _runs(bytes(filled)) if run[1] - run[0] > _LEAST_SHARE * len(filled)]
        if len(blocks) == 2:  # noqa: PLR2004  (a pair)
            cut = round((blocks[0][1] + blocks[1][0]) / 2 / len(filled) * size)
            halves = (
                ((left, top, right, top + cut), (left, top + cut, right, bottom))
                if upright
                else ((left, top, left + cut, bottom), (left + cut, top, right, bottom))
            )
            return [_tight(mask, half) for half in halves]
    return [box]


def _filled_from_corner(shapes: Image.Image) -> Image.Image:
    """Return a mask of the black that hangs together with the top left corner: sideways, above and below.

    It goes by runs of pixels; Pillow's own fill goes by single ones and takes most of a render's time.
    """
    black = Profile.of(ImageChops.invert(shapes)).rows
    reached = {(0, black[0][0])}
    waiting = list(reached)
    filled = Image.new("L", shapes.size, 0)
    pen = ImageDraw.Draw(filled)
    while waiting:
        row, (start, end) = waiting.pop()
        pen.line([start, row, end - 1, row], fill=255)
        beside = {(near, run) for near in (row - 1, row + 1) if 0 <= near < len(black) for run in black[near]}
        touching = {(near, run) for near, run in beside - reached if run[0] < end and start < run[1]}
        reached |= touching
        waiting += touching
    return filled


def _from(least: int) -> list[int]:
    """Return the table that makes values from `least` on white, and all others black."""
    return [255 if value >= least else 0 for value in range(256)]


def _tight(mask: Image.Image, box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    inner = mask.crop(box).point(_from(_SOFT)).getbbox()
    if inner is None:
        return box
    return (box[0] + inner[0], box[1] + inner[1], box[0] + inner[2], box[1] + inner[3])


def _runs(row: bytes) -> tuple[tuple[int, int], ...]:
    return tuple(run.span() for run in _RUN.finditer(row))


def _distance(run: tuple[int, int], middle: float) -> float:
    return max(run[0] - middle, middle - run[1], 0.0)
