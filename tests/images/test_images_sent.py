"""What is larger than Kling uses is sent as large as Kling uses, and never heavier than it came."""

import io
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw, JpegImagePlugin

from kolors_mcp.errors import PictureRefusedError
from kolors_mcp.images import limits
from kolors_mcp.images.bounds import Bounds
from kolors_mcp.images.picture import CheckedPicture
from kolors_mcp.images.pictures import Pictures
from kolors_mcp.settings import SentSide
from tests.support.images_support import (
    QUARTERS,
    InProcess,
    assert_nothing_but_picture,
    corners,
    distance,
    encoded,
    exif,
    grain,
    jpeg,
    opened,
    png,
    quarters,
    with_segment,
)

pytestmark = pytest.mark.anyio


async def prepared(data: bytes, folder: Path, sent_side: SentSide = 1_024) -> tuple[CheckedPicture, bytes]:
    (folder / "photo").write_bytes(data)
    pictures = Pictures(folders=[folder], decoder=InProcess(), sent_side=sent_side)
    picture = await pictures.prepare(str(folder / "photo"), "human_image")
    sent = b"".join(picture.blocks())
    image = opened(sent)
    assert_nothing_but_picture(sent, image)
    assert image.size == (picture.width, picture.height)
    return picture, sent


@cache
def photo(size: tuple[int, int], **options: Any) -> bytes:
    """A JPEG as a camera makes it: soft shapes, and grain everywhere."""
    return jpeg(Image.blend(quarters(size), grain(size, 12), 0.4), **{"quality": 95, **options})


@cache
def screenshot(size: tuple[int, int]) -> Image.Image:
    lines = [Image.new("RGB", (size[0], 24), "white") for _ in QUARTERS]
    for line, colour in zip(lines, QUARTERS, strict=True):
        ImageDraw.Draw(line).text((20, 0), "The quick brown fox jumps over the lazy dog " * 6, fill=colour)
    image = Image.new("RGB", size, "white")
    for top in range(20, size[1] - 20, 24):
        image.paste(lines[top // 24 % 4], (0, top))
    return image


def colour_of(data: bytes) -> str:
    with Image.open(io.BytesIO(data)) as image:
        return {0: "4:4:4", 2: "4:2:0"}[JpegImagePlugin.get_sampling(image)]


SIZES: dict[tuple[int, int], tuple[int, int]] = {
    (4032, 3024): (2016, 1512),
    (3024, 4032): (1512, 2016),
    (4000, 3000): (2000, 1500),
    (8064, 6048): (2016, 1512),
    (16320, 12240): (2040, 1530),
    (4033, 3023): (2017, 1512),
    (3810, 3810): (1905, 1905),
    (3808, 3808): (2048, 2048),
    (6000, 4000): (2048, 1365),
    (2049, 1500): (2048, 1499),
    (2048, 2048): (2048, 2048),
    (640, 480): (640, 480),
    (6000, 400): (4500, 300),
    (4096, 500): (2458, 300),
    (6000, 300): (6000, 300),
}


@pytest.mark.parametrize("size", SIZES)
async def test_a_jpeg_is_brought_to_a_fraction_that_is_near_enough_or_to_the_side_itself(
    size: tuple[int, int],
) -> None:
    assert Bounds().size_for(size, scales=True) == SIZES[size]
    assert Bounds().lets_pass(size) == (SIZES[size] == size)


async def test_a_decoder_without_fractions_is_brought_to_the_side_itself() -> None:
    assert Bounds().size_for((4032, 3024)) == (2048, 1536)


@pytest.mark.parametrize(
    ("size", "turn", "expected"),
    [((2016, 1512), 1, (1008, 756)), ((2015, 1513), 6, (757, 1008)), ((1500, 1125), 1, (1024, 768))],
    ids=["half", "half, turned, of odd sides", "resampled"],
)
async def test_a_large_photo_is_sent_as_large_as_is_used_and_says_so(
    tmp_path: Path, size: tuple[int, int], turn: int, expected: tuple[int, int]
) -> None:
    came = photo(size, exif=exif(turn))
    picture, sent = await prepared(came, tmp_path)
    width, height = size if turn == 1 else (size[1], size[0])
    turned = () if turn == 1 else ("turned by 90 degrees as the photo's tag says",)
    assert picture.notes == (*turned, f"sent at {expected[0]} x {expected[1]}, from {width} x {height}")
    assert (picture.width, picture.height) == expected
    assert len(sent) < len(came) / 2
    assert colour_of(sent) == "4:2:0"
    upright = Image.open(io.BytesIO(came)).convert("RGB").rotate(0 if turn == 1 else -90, expand=True)
    assert distance(corners(opened(sent).reduce(8)), corners(upright.reduce(16))) < 12


async def test_the_usual_side_is_called_as_large_as_kling_uses(tmp_path: Path) -> None:
    picture, _ = await prepared(jpeg(quarters((4032, 800)), quality=80), tmp_path, limits.SENT_SIDE)
    assert picture.notes[0] == "sent at 2016 x 400, from 4032 x 800, as large as Kling uses"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
async def test_a_screenshot_keeps_its_colours_sharp(tmp_path: Path, kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {"quality": 85} if kind == "JPEG" else {}
    picture, sent = await prepared(encoded(screenshot((1600, 1000)), kind, **options), tmp_path)
    assert picture.media_type == "image/jpeg"
    assert colour_of(sent) == "4:4:4"


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "AVIF"])
async def test_a_photo_in_any_file_is_written_as_cameras_write_photos(tmp_path: Path, kind: str) -> None:
    options = {"AVIF": {"speed": 10}, "PNG": {"compress_level": 1}}.get(kind, {})
    _, sent = await prepared(encoded(opened(photo((1200, 450))), kind, **options), tmp_path)
    assert colour_of(sent) == "4:2:0"


async def test_a_jpeg_that_would_grow_is_sent_as_it_came(tmp_path: Path) -> None:
    came = photo((1200, 900), quality=40)
    picture, sent = await prepared(with_segment(came, 0xFE, b"SECRET"), tmp_path)
    assert (sent, picture.notes) == (came, ())
    assert (picture.width, picture.height) == (1200, 900)


@pytest.mark.parametrize("quality", [10, 40, 92, 99])
async def test_a_jpeg_that_has_to_be_turned_is_not_heavier_than_it_came(tmp_path: Path, quality: int) -> None:
    came = photo((640, 480), quality=quality, exif=exif(6))
    picture, sent = await prepared(came, tmp_path)
    assert (picture.width, picture.height) == (480, 640)
    assert len(sent) <= len(came)


async def test_originals_are_sent_whatever_their_pixels(tmp_path: Path) -> None:
    small = quarters((400, 320)).convert("L")
    came = jpeg(small.resize((8_001, 3_201), Image.Resampling.NEAREST), quality=60)  # pyright: ignore[reportUnknownMemberType]
    picture, sent = await prepared(came, tmp_path, "original")
    assert (sent, picture.notes) == (came, ())


async def test_what_has_to_be_written_anew_keeps_its_pixels_where_originals_are_wanted(tmp_path: Path) -> None:
    came = jpeg(quarters((3_000, 600)), exif=exif(6))
    picture, _ = await prepared(came, tmp_path, "original")
    assert (picture.width, picture.height) == (600, 3_000)


async def test_a_drawing_larger_than_any_decoder_takes_travels_only_as_an_original(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kolors_mcp.images.pixels.decode.MAX_DECODED_PIXELS", 1_000_000)
    came = png(quarters((1_200, 1_000)))
    assert (await prepared(came, tmp_path, "original"))[1] == came
    with pytest.raises(PictureRefusedError, match="can be opened"):
        await prepared(came, tmp_path)
