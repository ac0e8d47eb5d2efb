"""A PNG is unpacked row by row, band by band; what comes of it is what its usual decoder makes of the whole."""

import random
import struct
import zlib
from functools import cache

import pytest
from PIL import Image

from kolors_mcp.images.pictures import Pictures
from kolors_mcp.images.pixels import flatten
from tests.support.hostile_pictures import chunk
from tests.support.images_support import InProcess, b64, exif, opened

pytestmark = pytest.mark.anyio

WIDTH, HEIGHT = 331, 320
KINDS = {
    "RGB, turned": (2, 8, 3, chunk(b"eXIf", exif(3)[6:])),
    "RGB, one colour clear": (2, 8, 3, chunk(b"tRNS", struct.pack(">3H", 1, 2, 3))),
    "RGB, 16 bits": (2, 16, 6, b""),
    "RGBA": (6, 8, 4, b""),
    "RGBA, 16 bits": (6, 16, 8, b""),
    "grey and alpha": (4, 8, 2, b""),
}
"""Colour type, bits, bytes of a pixel, and what makes it be decoded."""


@cache
def noise(colour: int, depth: int, pixel_bytes: int, told: bytes, pieces: int) -> bytes:
    """A PNG in so many pieces whose rows have all filters, by chance: any bytes are a picture."""
    chance = random.Random(pixel_bytes)  # noqa: S311  (a seed, not a secret)
    packed = zlib.compress(
        b"".join(bytes([chance.randrange(5)]) + chance.randbytes(WIDTH * pixel_bytes) for _ in range(HEIGHT)), 0
    )
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, colour, 0, 0, 0))
    step = -(-len(packed) // pieces)
    data = b"".join(chunk(b"IDAT", packed[start : start + step]) for start in range(0, len(packed), step))
    return b"\x89PNG\r\n\x1a\n" + head + told + data + chunk(b"IEND", b"")


@cache
def usual(data: bytes) -> Image.Image:
    """What Pillow makes of a PNG, on white."""
    image = opened(data)
    clear = image.convert("RGBA")
    white = Image.new("RGB", image.size, "white")
    white.paste(clear.convert("RGB"), mask=clear.getchannel("A"))
    return white


@pytest.mark.parametrize("band_pixels", [1, 5_000, 70_000])
@pytest.mark.parametrize("kind", KINDS)
async def test_rows_in_bands_are_the_rows_of_the_whole(
    kind: str, band_pixels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flatten, "BAND_PIXELS", band_pixels)
    data = noise(*KINDS[kind], pieces=7)
    picture = await Pictures(folders=[], decoder=InProcess()).prepare(b64(data), "human_image")
    made, expected = opened(b"".join(picture.blocks())).convert("RGB"), usual(data)
    if kind == "RGB, turned":
        expected = expected.transpose(Image.Transpose.ROTATE_180)
    assert made.size == expected.size
    assert made.tobytes() == expected.tobytes()
