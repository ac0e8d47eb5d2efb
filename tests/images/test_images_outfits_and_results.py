"""Two garments on one canvas; finished pictures shown and kept."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from PIL import Image, ImageDraw

from kolors_mcp.errors import PictureRefusedError
from kolors_mcp.images import write
from kolors_mcp.images.pictures import Pictures
from tests.support.images_support import (
    InProcess,
    assert_nothing_but_picture,
    b64,
    corners,
    distance,
    encoded,
    exif,
    grain,
    heic,
    jpeg,
    opened,
    png,
    quarters,
    turned,
)

pytestmark = pytest.mark.anyio

PAPER, SHIRT, FOLD, TROUSERS = (243, 242, 240), (180, 40, 60), (246, 246, 246), (30, 50, 120)


def garment(
    colour: tuple[int, int, int], background: tuple[int, int, int], size: tuple[int, int] = (600, 800)
) -> Image.Image:
    """A garment in the middle of a background, a nearly white patch in the middle of the garment."""
    image = Image.new("RGB", size, background)
    draw = ImageDraw.Draw(image)
    width, height = size
    draw.rectangle((width // 4, height // 4, width * 3 // 4, height * 3 // 4), fill=colour)
    draw.rectangle((width * 2 // 5, height * 2 // 5, width * 3 // 5, height * 3 // 5), fill=FOLD)
    return image


@pytest.fixture
async def pictures() -> Pictures:
    return Pictures(folders=[], decoder=InProcess())


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def colour_at(image: Image.Image, x: float, y: float) -> tuple[int, int, int]:
    pixel = image.convert("RGB").getpixel((round(x * image.width), round(y * image.height)))
    assert isinstance(pixel, tuple)
    return int(pixel[0]), int(pixel[1]), int(pixel[2])


async def test_an_outfit_shows_both_garments_whole_on_white(pictures: Pictures) -> None:
    upper, lower = (
        png(garment(SHIRT, PAPER)),
        jpeg(garment(TROUSERS, (90, 90, 90)).rotate(90, expand=True), exif=exif(6)),
    )
    outfit = await pictures.outfit(b64(upper), b64(lower))
    sent = b"".join(outfit.blocks())
    assert_nothing_but_picture(sent)
    canvas = opened(sent)
    assert outfit.notes == (
        "cloth_image: background made white",
        "lower_cloth_image: turned by 90 degrees as the photo's tag says",
        f"both garments put on one white canvas of {canvas.width} x {canvas.height}, the upper one above",
    )
    assert outfit.label == "base64 and base64"
    assert (outfit.width, outfit.height) == canvas.size
    assert outfit.size == len(sent) <= 10_000_000
    assert 1 <= canvas.height / canvas.width <= 2.5
    assert max(canvas.size) == 2048
    # Both were 1200 x 1600 with margins of 60: their middles are at these heights.
    width, height = 1690, 60 + 1600 + 60 + 1600 + 60
    upper_middle, lower_middle = (60 + 800) / height, (60 + 1600 + 60 + 800) / height
    colours = [
        colour_at(canvas, 0.5, upper_middle),
        colour_at(canvas, 0.5 - 400 / width * 0.6, upper_middle),
        colour_at(canvas, 0.5 - 560 / width, upper_middle),
        colour_at(canvas, 0.5 - 400 / width * 0.6, lower_middle),
        colour_at(canvas, 0.5 - 560 / width, lower_middle),
        colour_at(canvas, 0.01, 0.5),
    ]
    # The fold in the shirt is as white as the paper, but not connected to it: it stays as it is.
    assert distance(colours, [FOLD, SHIRT, (255, 255, 255), TROUSERS, (90, 90, 90), (255, 255, 255)]) <= 8
    assert colours[2] == (255, 255, 255)
    assert colours[0] != (255, 255, 255)


@pytest.mark.parametrize(
    "other",
    [png(), encoded(quarters(), "BMP"), encoded(quarters(), "WEBP", lossless=True), png(turned(6), exif=exif(6))],
)
async def test_the_same_garment_twice_is_refused_with_the_vendors_rule(pictures: Pictures, other: bytes) -> None:
    with pytest.raises(PictureRefusedError) as refusal:
        await pictures.outfit(b64(png()), b64(other))
    assert str(refusal.value).startswith(
        "lower_cloth_image is the same picture as cloth_image. Kling dresses one upper "
    )


async def test_each_garment_is_refused_by_its_own_name(pictures: Pictures) -> None:
    small = b64(png(quarters((200, 500))))
    with pytest.raises(
        PictureRefusedError, match=r"^cloth_image is 200 x 500 pixels; each side must be at least 300\."
    ):
        await pictures.outfit(small, b64(png()))
    with pytest.raises(PictureRefusedError, match=r"^lower_cloth_image is 200 x 500 pixels;"):
        await pictures.outfit(b64(png()), small)


@pytest.mark.parametrize(
    "made",
    [
        png,
        lambda: jpeg(quarters((1500, 1000)), progressive=True),
        heic,
        lambda: encoded(quarters().convert("RGBA"), "WEBP"),
        lambda: png(grain((900, 900), 120), compress_level=1),
        lambda: png(quarters((20, 10))),
    ],
)
async def test_a_preview_is_a_small_baseline_jpeg(pictures: Pictures, made: Callable[[], bytes]) -> None:
    shown = await pictures.finished.preview(made())
    image = opened(shown)
    assert image.format == "JPEG"
    assert "progressive" not in image.info
    assert max(image.size) <= 768
    assert len(shown) <= 150_000
    assert_nothing_but_picture(shown)


async def test_a_preview_is_upright(pictures: Pictures) -> None:
    shown = opened(await pictures.finished.preview(jpeg(turned(6), exif=exif(6))))
    assert distance(corners(shown), corners(quarters())) < 12


async def test_a_preview_of_no_picture_is_refused(pictures: Pictures) -> None:
    for data in (b"", b"<html>", png()[:-50]):
        with pytest.raises(PictureRefusedError, match=r"^The finished picture is "):
            await pictures.finished.preview(data)


async def test_a_finished_picture_is_kept_under_its_name_and_over_nothing(pictures: Pictures, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "looks"
    first = await pictures.finished.keep(png(), folder, "8412/../../x")
    assert (first, first.read_bytes()) == (folder / "8412-x.png", png())
    second = await pictures.finished.keep(jpeg(), folder, "8412-x")
    third = await pictures.finished.keep(jpeg(quality=60), folder, "8412-x")
    assert [second.name, third.name] == ["8412-x.jpg", "8412-x-2.jpg"]
    assert await pictures.finished.keep(jpeg(quality=60), folder, "8412-x") == third, "nothing is written twice"
    assert first.read_bytes() == png()
    assert names(folder) == ["8412-x-2.jpg", "8412-x.jpg", "8412-x.png"]
    assert stat.S_IMODE(first.stat().st_mode) & 0o022 == 0
    assert (await pictures.finished.keep(png(), folder, "..")).name == "picture.png"


@pytest.mark.skipif(os.name != "posix", reason="needs links")
async def test_a_link_in_the_place_of_the_picture_is_not_followed(pictures: Pictures, tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    folder = tmp_path / "looks"
    folder.mkdir()
    (folder / "look.png").symlink_to(tmp_path / "precious")
    (folder / "look-2.png").symlink_to(tmp_path / "dangling")
    kept = await pictures.finished.keep(png(), folder, "look")
    assert kept == folder / "look-3.png"
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert not (tmp_path / "dangling").exists()


async def test_a_file_system_without_hard_links_keeps_pictures_too(
    pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", no_links)
    first, second = [await pictures.finished.keep(one, tmp_path, "look") for one in (png(), png(quarters((320, 300))))]
    assert [first.name, second.name] == ["look.png", "look-2.png"]
    assert names(tmp_path) == ["look-2.png", "look.png"]


async def test_many_that_keep_at_once_each_get_a_name_of_their_own(pictures: Pictures, tmp_path: Path) -> None:
    kept: list[Path] = []

    async def one(number: int) -> None:
        kept.append(await pictures.finished.keep(png(quarters((300 + number, 300))), tmp_path, "look"))

    async with anyio.create_task_group() as tasks:
        for number in range(12):
            tasks.start_soon(one, number)
    assert len(set(kept)) == 12
    assert {opened(path.read_bytes()).width for path in kept} == set(range(300, 312))


async def test_what_cannot_be_kept_leaves_nothing_behind(
    pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PictureRefusedError, match="is no picture and was not kept"):
        await pictures.finished.keep(b"<html>", tmp_path, "look")
    (tmp_path / "file").touch()
    with pytest.raises(PictureRefusedError, match=r"could not be kept in .*file"):
        await pictures.finished.keep(png(), tmp_path / "file", "look")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(write.os, "fsync", full)
    with pytest.raises(PictureRefusedError, match="No space left on device"):
        await pictures.finished.keep(png(), tmp_path / "looks", "look")
    assert names(tmp_path / "looks") == []
