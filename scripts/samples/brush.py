"""A small brush for flat illustrations: smooth outlines, limbs and soft shade, drawn large and scaled down."""

# Pillow names NumPy's types, which are not installed here.
# pyright: reportUnknownMemberType=false

import math
from collections.abc import Sequence

from PIL import Image, ImageChops, ImageDraw, ImageFilter

Point = tuple[float, float]
Colour = tuple[int, int, int]

SCALE = 3
"""Everything is drawn so many times larger; scaling down smooths the edges."""
_STEPS = 24


def smooth(points: Sequence[Point], *, closed: bool = True) -> list[Point]:
    """Return a smooth line through the points (Catmull-Rom)."""
    count = len(points)
    result: list[Point] = []
    for start in range(count if closed else count - 1):
        if closed:
            before, here, there, after = (points[(start + offset) % count] for offset in (-1, 0, 1, 2))
        else:
            before, here = points[max(start - 1, 0)], points[start]
            there, after = points[start + 1], points[min(start + 2, count - 1)]
        for step in range(_STEPS):
            t = step / _STEPS
            result.append(
                (
                    _between(before[0], here[0], there[0], after[0], t),
                    _between(before[1], here[1], there[1], after[1], t),
                )
            )
    return result if closed else [*result, points[-1]]


def mirrored(half: Sequence[Point], middle: float) -> list[Point]:
    """Return a closed outline from its left half, given from top to bottom."""
    return [*half, *((2 * middle - x, y) for x, y in reversed(half))]


def _between(a: float, b: float, c: float, d: float, t: float) -> float:
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)


def _side_by_side(first: tuple[float, float, float], second: tuple[float, float, float]) -> list[Point]:
    """Return the corners of the band between two discs (x, y, radius)."""
    (x, y, radius), (far_x, far_y, far_radius) = first, second
    length = math.hypot(far_x - x, far_y - y) or 1.0
    across, down = (y - far_y) / length, (far_x - x) / length
    return [
        (x + across * radius, y + down * radius),
        (far_x + across * far_radius, far_y + down * far_radius),
        (far_x - across * far_radius, far_y - down * far_radius),
        (x - across * radius, y - down * radius),
    ]


class Canvas:
    """A picture in the making; coordinates are pixels of the finished picture."""

    def __init__(self, width: int, height: int, background: Colour) -> None:
        self.size = (width, height)
        self._large = (width * SCALE, height * SCALE)
        self._image = Image.new("RGB", self._large, background)

    def mask(self, outline: Sequence[Point]) -> Image.Image:
        """Return the inside of an outline."""
        mask = Image.new("L", self._large, 0)
        ImageDraw.Draw(mask).polygon([(x * SCALE, y * SCALE) for x, y in outline], fill=255)
        return mask

    def oval(self, middle: Point, radii: Point) -> Image.Image:
        """Return the inside of an ellipse."""
        return self.ovals([(middle, radii)])

    def ovals(self, shapes: Sequence[tuple[Point, Point]]) -> Image.Image:
        """Return the inside of many ellipses, each given by its middle and its two radii."""
        mask = Image.new("L", self._large, 0)
        pen = ImageDraw.Draw(mask)
        for (x, y), (across, down) in shapes:
            pen.ellipse([v * SCALE for v in (x - across, y - down, x + across, y + down)], fill=255)
        return mask

    def limb(self, joints: Sequence[Point], widths: Sequence[float]) -> Image.Image:
        """Return a rounded limb through joints, as wide at each as given."""
        mask = Image.new("L", self._large, 0)
        pen = ImageDraw.Draw(mask)
        line = smooth(joints, closed=False)
        before: tuple[float, float, float] | None = None
        for number, (x, y) in enumerate(line):
            joint, share = divmod(number / _STEPS, 1)
            start = min(int(joint), len(widths) - 1)
            end = min(start + 1, len(widths) - 1)
            radius = (widths[start] * (1 - share) + widths[end] * share) / 2
            here = (x * SCALE, y * SCALE, radius * SCALE)
            pen.ellipse([here[0] - here[2], here[1] - here[2], here[0] + here[2], here[1] + here[2]], fill=255)
            if before is not None:
                pen.polygon(_side_by_side(before, here), fill=255)
            before = here
        return mask

    def line(self, points: Sequence[Point], width: float) -> Image.Image:
        """Return a smooth line of one width."""
        return self.limb(points, [width] * len(points))

    def paint(self, mask: Image.Image, colour: Colour, strength: float = 1.0, corner: tuple[int, int] = (0, 0)) -> None:
        """Lay a colour on a shape; `corner` is where its mask begins, in pixels of the large picture."""
        box = mask.getbbox()
        if box is None:
            return
        shown = mask.crop(box)
        if strength < 1:
            shown = shown.point([round(value * strength) for value in range(256)])
        self._image.paste(colour, (corner[0] + box[0], corner[1] + box[1]), shown)

    def shade(self, mask: Image.Image, within: Image.Image, colour: Colour, strength: float, blur: float) -> None:
        """Lay a softened shape on another one, not beyond its edge."""
        # A blur needs no fine resolution; a third of the size is nine times as fast. And it reaches only so far.
        small, reach = mask.reduce(SCALE), math.ceil(4 * blur)
        box = small.getbbox()
        if box is None:
            return
        left, top = max(0, box[0] - reach), max(0, box[1] - reach)
        right, bottom = min(small.width, box[2] + reach), min(small.height, box[3] + reach)
        large = (left * SCALE, top * SCALE, right * SCALE, bottom * SCALE)
        size = (large[2] - large[0], large[3] - large[1])
        soft = small.crop((left, top, right, bottom)).filter(ImageFilter.GaussianBlur(blur))
        soft = soft.resize(size, Image.Resampling.BILINEAR)
        self.paint(ImageChops.multiply(soft, within.crop(large)), colour, strength, large[:2])

    def finished(self) -> Image.Image:
        """Return the picture in its final size."""
        return self._image.resize(self.size, Image.Resampling.LANCZOS)


def both(first: Image.Image, *others: Image.Image) -> Image.Image:
    """Return the union of shapes."""
    for other in others:
        first = ImageChops.lighter(first, other)
    return first


def inside(first: Image.Image, second: Image.Image) -> Image.Image:
    """Return what two shapes share."""
    return ImageChops.multiply(first, second)


def without(first: Image.Image, second: Image.Image) -> Image.Image:
    """Return a shape less another."""
    return ImageChops.multiply(first, ImageChops.invert(second))
