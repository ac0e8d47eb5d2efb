"""Puts an upper and a lower garment on one white canvas, as Kling's v1-5 model wants them (vendor's page)."""

import hashlib
from collections import deque
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageDraw

from kolors_mcp.images.bounds import Bounds
from kolors_mcp.images.formats.content import Content
from kolors_mcp.images.formats.outline import Outline
from kolors_mcp.images.formats.sniff import Kind
from kolors_mcp.images.pixels.colours import WHITE
from kolors_mcp.images.pixels.decode import Pixels, decode
from kolors_mcp.images.pixels.encode import encode
from kolors_mcp.images.pixels.typed_pillow import mapped, resized
from kolors_mcp.images.refusal import RefusalError

_WIDTH = 1_200
"""Width that both garments are brought to, so that neither looks like a doll's: about what a try-on renders."""
_HEIGHT = 1_600
_MAX_ENLARGEMENT = 2.0
_MARGIN = 60
_MAX_CANVAS_RATIO = 2.0
"""Narrower canvases than 1 to this are filled up with white, well within the ratios Kling is known to take."""
_NEARLY_WHITE = 225
"""Least value of each channel of a background that is meant to be white: paper and studio walls in soft light."""
_BORDER_SHARE = 0.6
"""Share of the picture's border that has to be nearly white before anything is made white."""
_SURE, _OPEN = 12, 30
"""Up to so much darker than the background a pixel surely belongs to it; from so much on it does not."""
_COARSE = 192
"""Longest side of the small picture in which the background is followed from the border inwards."""


@dataclass(frozen=True)
class Garment:
    """A garment's picture, upright and in sRGB, with its nearly white background made white."""

    image: Image.Image
    notes: tuple[str, ...]
    fingerprint: bytes


def garment(content: Content, kind: Kind, outline: Outline | None, memory: int | None = None) -> Garment:
    """Decode a picture of a garment, in so much memory at most.

    Raises:
        RefusalError, DearError: It cannot be opened; see `decode`.
    """
    pixels = decode(content, kind, outline, smaller=_enough, memory=memory)
    image = pixels.image.convert("RGB")
    fingerprint = hashlib.sha256(b"%d %d " % image.size + image.tobytes()).digest()
    image = resized(image, _fitted(image.size))
    whitened = _whitened(image)
    notes = list(pixels.notes)
    if whitened is not image:
        notes.append("background made white")
    return Garment(whitened, tuple(notes), fingerprint)


def compose(upper: Garment, lower: Garment, bounds: Bounds) -> tuple[bytes, tuple[str, ...]]:
    """Return the canvas as bytes, and what was done.

    Raises:
        RefusalError: Both garments are the same picture.
    """
    if upper.fingerprint == lower.fingerprint:
        raise RefusalError(
            "is the same picture as cloth_image. Kling dresses one upper and one lower garment together; two uppers, "
            "two lowers or a dress with anything else fail. Leave lower_cloth_image out, or give the other garment."
        )
    width = max(upper.image.width, lower.image.width) + 2 * _MARGIN
    height = upper.image.height + lower.image.height + 3 * _MARGIN
    width = max(width, round(height / _MAX_CANVAS_RATIO))
    canvas = Image.new("RGB", (width, height), WHITE)
    top = _MARGIN
    for piece in (upper, lower):
        canvas.paste(piece.image, ((width - piece.image.width) // 2, top))
        top += piece.image.height + _MARGIN
    width, height = bounds.size_for(canvas.size)
    data, _ = encode(Pixels(resized(canvas, (width, height)), "JPEG", (width, height)), 0, bounds)
    notes = [f"cloth_image: {note}" for note in upper.notes] + [f"lower_cloth_image: {note}" for note in lower.notes]
    return data, (*notes, f"both garments put on one white canvas of {width} x {height}, the upper one above")


def _enough(size: tuple[int, int]) -> tuple[int, int]:
    fitted = _fitted(size)
    return fitted if fitted[0] < size[0] else size


def _fitted(size: tuple[int, int]) -> tuple[int, int]:
    """Return the size of a garment on the canvas: as wide as the other one, unless it would be too high or blurred."""
    width, height = size
    factor = min(_WIDTH / width, _HEIGHT / height, _MAX_ENLARGEMENT)
    return max(1, round(width * factor)), max(1, round(height * factor))


def _whitened(image: Image.Image) -> Image.Image:
    """Return the picture with a nearly white background made white; the same object if it has none.

    Only what is connected to the border counts, so that a white shirt on white keeps its folds: the background is
    followed in a small copy, and its edge is taken from the full picture.
    """
    darkest = ImageChops.darker(ImageChops.darker(image.getchannel(0), image.getchannel(1)), image.getchannel(2))
    border = Image.new("1", image.size, 1)
    ImageDraw.Draw(border).rectangle((2, 2, image.width - 3, image.height - 3), fill=0)
    histogram = darkest.histogram(border)
    total = sum(histogram)
    if sum(histogram[_NEARLY_WHITE:]) < total * _BORDER_SHARE or histogram[255] == total:
        return image
    level = _median(histogram[_NEARLY_WHITE:]) + _NEARLY_WHITE
    likely = mapped(darkest, [_likely(level - value) for value in range(256)])
    scale = min(1.0, _COARSE / max(image.size))
    coarse = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    small = resized(likely, coarse, mode=Image.Resampling.BOX)
    reach = resized(_followed(small), image.size, mode=Image.Resampling.BILINEAR)
    mask = ImageChops.multiply(likely, mapped(reach, [min(255, value * 2) for value in range(256)]))
    white = Image.new("RGB", image.size, WHITE)
    return Image.composite(white, image, mask)


def _likely(darker: int) -> int:
    """Return from 0 to 255 how likely a pixel this much darker than the background belongs to it."""
    return max(0, min(255, round(255 * (_OPEN - darker) / (_OPEN - _SURE))))


def _median(histogram: list[int]) -> int:
    half, passed = sum(histogram) / 2, 0
    for value, count in enumerate(histogram):
        passed += count
        if passed >= half:
            return value
    return len(histogram) - 1


def _followed(small: Image.Image) -> Image.Image:
    """Return what of the likely background is connected to the border."""
    width, height = small.size
    likely = small.tobytes()
    reached = bytearray(width * height)
    edge = [*range(width), *range((height - 1) * width, height * width)]
    edge += [row * width + side for row in range(height) for side in (0, width - 1)]
    waiting = deque(place for place in edge if likely[place] > 127)  # noqa: PLR2004  (half)
    for place in waiting:
        reached[place] = 255
    while waiting:
        place = waiting.popleft()
        row, column = divmod(place, width)
        for near, there in (
            (place - 1, column > 0),
            (place + 1, column < width - 1),
            (place - width, row > 0),
            (place + width, row < height - 1),
        ):
            if there and not reached[near] and likely[near] > 127:  # noqa: PLR2004  (half)
                reached[near] = 255
                waiting.append(near)
    return Image.frombytes("L", small.size, bytes(reached))
