"""Several results on one sheet: none is enlarged or cut off, each above its caption, all of it small enough to show."""

import io
from functools import cache

import pytest
from PIL import Image

from kolors_mcp.errors import PictureRefusedError
from kolors_mcp.images.pictures import Pictures
from tests.support.images_support import InProcess, grain, jpeg, png

pytestmark = pytest.mark.anyio

COLOURS = ("crimson", "navy", "gold", "teal", "purple", "orange", "olive", "maroon", "lime", "aqua")


@cache
def plain(colour: str, size: tuple[int, int] = (300, 400)) -> bytes:
    return png(Image.new("RGB", size, colour))


async def laid_out(pictures: list[bytes], captions: list[str]) -> Image.Image:
    data = await Pictures(folders=[], decoder=InProcess()).finished.sheet(pictures, captions)
    assert len(data) <= 150_000
    made = Image.open(io.BytesIO(data))
    assert made.format == "JPEG"
    assert "progressive" not in made.info
    assert max(made.size) <= 1200
    return made.convert("RGB")


def colours_of(sheet: Image.Image) -> set[str]:
    """Which of the colours can be seen, as large areas."""
    found: set[str] = set()
    small = sheet.resize((60, 60), Image.Resampling.NEAREST)  # pyright: ignore[reportUnknownMemberType] (as elsewhere)
    for name in COLOURS:
        wanted = Image.new("RGB", (1, 1), name).getpixel((0, 0))
        assert isinstance(wanted, tuple)
        for _, pixel in small.getcolors(3600) or []:
            assert isinstance(pixel, tuple)
            if all(abs(one - other) < 12 for one, other in zip(pixel, wanted, strict=True)):
                found.add(name)
                break
    return found


def ink(sheet: Image.Image) -> int:
    """How much is written on it, in pixels that are nearly black."""
    return sum(sheet.convert("L").histogram()[:70])


@pytest.mark.parametrize("number", [2, 5, 10])
async def test_every_picture_is_on_the_sheet(number: int) -> None:
    sheet = await laid_out([plain(colour) for colour in COLOURS[:number]], [str(at) for at in range(number)])
    assert colours_of(sheet) == set(COLOURS[:number])


async def test_small_pictures_are_not_enlarged_and_large_ones_shrink() -> None:
    small = await laid_out([plain("crimson"), plain("navy")], ["1", "2"])
    assert small.height == 12 + 400 + 36 + 12
    large = await laid_out([plain("crimson", (500, 1500)), plain("navy", (1500, 500))], ["1", "2"])
    assert colours_of(large) == {"crimson", "navy"}


async def test_noise_that_packs_badly_is_made_small_enough() -> None:
    await laid_out([jpeg(grain((900, 1200), 90))] * 4, ["1", "2", "3", "4"])


async def test_what_the_font_cannot_write_becomes_neither_boxes_nor_another_label() -> None:
    pictures = [plain("gold"), plain("lime")]
    numbers = ink(await laid_out(pictures, ["1", "2"]))
    for label in ("红色连衣裙", "пальто", "👗"):
        assert ink(await laid_out(pictures, [f"1 {label}", "2"])) == numbers
    assert ink(await laid_out(pictures, ["1 Robe d'été", "2"])) > numbers + 200
    assert ink(await laid_out(pictures, ["1 " + "wide dress " * 9, "2"])) > numbers + 200


async def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(PictureRefusedError):
        await laid_out([plain("gold"), plain("lime")[:60]], ["1", "2"])
