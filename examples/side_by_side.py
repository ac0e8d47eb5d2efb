"""Lays person, garments and result side by side in one picture, as the README shows it.

python examples/side_by_side.py OUT PERSON GARMENT [LOWER_GARMENT] RESULT
"""

# Pillow names NumPy's types, which are not installed here.
# pyright: reportUnknownMemberType=false

import sys
from pathlib import Path

from PIL import Image, ImageDraw

HEIGHT = 560
GAP, MARGIN = 76, 28
SIGN, STROKE = 26, 6
PAPER, INK = "#ffffff", "#5b3df5"


def main(out: Path, pictures: list[Path]) -> None:
    """Write `out`: the pictures at one height, a plus before each garment and an equals sign before the result."""
    # Garments are shown smaller than people: they are half of a person's height in life, too.
    heights = [HEIGHT, *(HEIGHT * 5 // 9 for _ in pictures[1:-1]), HEIGHT]
    tiles = [_tile(path, height) for path, height in zip(pictures, heights, strict=True)]
    width = sum(tile.width for tile in tiles) + GAP * (len(tiles) - 1) + 2 * MARGIN
    canvas = Image.new("RGB", (width, HEIGHT + 2 * MARGIN), PAPER)
    draw = ImageDraw.Draw(canvas)
    middle, left = canvas.height // 2, MARGIN
    for number, tile in enumerate(tiles):
        if number:
            _sign(draw, left + GAP // 2, middle, plus=number < len(tiles) - 1)
            left += GAP
        canvas.paste(tile, (left, middle - tile.height // 2))
        left += tile.width
    # Few enough colours for a small file; a photo would be better off as a JPEG.
    canvas.quantize(256, dither=Image.Dither.NONE).save(out, optimize=True)


def _tile(path: Path, height: int) -> Image.Image:
    picture = Image.open(path).convert("RGB")
    return picture.resize((round(picture.width * height / picture.height), height), Image.Resampling.LANCZOS)


def _sign(draw: ImageDraw.ImageDraw, x: int, y: int, *, plus: bool) -> None:
    if plus:
        lines = (((x - SIGN, y), (x + SIGN, y)), ((x, y - SIGN), (x, y + SIGN)))
    else:
        lines = tuple(((x - SIGN, y + offset), (x + SIGN, y + offset)) for offset in (-SIGN // 3, SIGN // 3))
    for line in lines:
        draw.line(line, fill=INK, width=STROKE)


if __name__ == "__main__":
    if len(sys.argv) < 5:  # noqa: PLR2004  (itself, the output, and at least three pictures)
        sys.exit(__doc__)
    main(Path(sys.argv[1]), [Path(argument) for argument in sys.argv[2:]])
