"""Pictures that are whole but unusual look as they do in browsers; what is no picture to us is told truly."""

import io
import struct
from collections.abc import Callable
from functools import cache

import pytest
from PIL import Image

from kolors_mcp.errors import PictureRefusedError
from kolors_mcp.images.pictures import Pictures
from tests.support.colour_maths import by_power, each, from_bt601, from_p3
from tests.support.images_support import (
    QUARTERS,
    InProcess,
    b64,
    corners,
    distance,
    encoded,
    grain,
    jpeg,
    opened,
    png,
    quarters,
    with_chunk,
)

pytestmark = pytest.mark.anyio

MISSING = "its last bytes are missing; the picture is whole"


async def prepared(data: bytes) -> tuple[Image.Image, tuple[str, ...]]:
    picture = await Pictures(folders=[], decoder=InProcess()).prepare(
        f"data:image/any;base64,{b64(data)}", "human_image"
    )
    return opened(b"".join(picture.blocks())), picture.notes


async def refusal_of(data: bytes) -> str:
    with pytest.raises(PictureRefusedError) as refusal:
        await prepared(data)
    return str(refusal.value)


WHOLE = {
    "JPEG less its end": jpeg()[:-2],
    "JPEG less half of it": jpeg()[:-1],
    "progressive JPEG": jpeg(progressive=True)[:-2],
    "grey JPEG": jpeg(quarters().convert("L"))[:-2],
    "WebP less a byte": encoded(quarters(), "WEBP", quality=95)[:-1],
}


@pytest.mark.parametrize("name", WHOLE)
async def test_a_picture_that_lacks_only_its_last_bytes_is_taken_and_says_so(name: str) -> None:
    image, notes = await prepared(WHOLE[name])
    assert MISSING in notes
    expected = corners(quarters().convert("L")) if name.startswith("grey") else QUARTERS
    assert distance(corners(image), expected) <= 12


@cache
def grainy(kind: str) -> bytes:
    return encoded(grain((400, 400), 60), kind, quality=80)


@cache
def avif() -> bytes:
    return encoded(quarters(), "AVIF", quality=98, subsampling="4:4:4")


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
async def test_a_picture_that_lacks_rows_is_refused(kind: str, share: float) -> None:
    data = grainy(kind)
    assert "cut off" in await refusal_of(data[: int(len(data) * share)])


@pytest.mark.parametrize("beside", [b"", struct.pack(">I", 100_000)], ids=["alone", "before a gamma"])
async def test_a_png_whose_colours_are_named_by_number_looks_as_they_say(beside: bytes) -> None:
    data = with_chunk(png(), b"cICP", bytes((12, 13, 0, 1)))
    image, _ = await prepared(with_chunk(data, b"gAMA", beside) if beside else data)
    assert distance(corners(image), each(from_p3)) <= 6


@pytest.mark.parametrize(("transfer", "exponent"), [(1, 2.4), (11, 2.4), (14, 2.4), (4, 2.2), (5, 2.8)])
async def test_a_png_with_the_curve_of_a_screen_looks_as_browsers_show_it(transfer: int, exponent: float) -> None:
    image, _ = await prepared(with_chunk(png(), b"cICP", bytes((1, transfer, 0, 1))))
    assert distance(corners(image), each(by_power(exponent))) <= 2


@pytest.mark.parametrize(("primaries", "look"), [(1, None), (6, from_bt601)])
async def test_an_avif_with_the_curve_of_video_is_taken_for_srgb_as_in_browsers(
    primaries: int, look: Callable[[tuple[int, int, int]], tuple[int, int, int]] | None
) -> None:
    data = avif()
    at = data.index(b"colrnclx") + 8
    image, _ = await prepared(data[:at] + struct.pack(">HH", primaries, 1) + data[at + 4 :])
    assert distance(corners(image), QUARTERS if look is None else each(look)) <= 4


@pytest.mark.parametrize(
    ("transfer", "shown"),
    [
        (16, [(184, 184, 184), (234, 234, 234), (0, 47, 38), (0, 144, 36)]),
        (18, [(119, 119, 119), (156, 156, 156), (0, 55, 49), (10, 103, 62)]),
    ],
    ids=["PQ", "HLG"],
)
async def test_an_hdr_picture_looks_as_chromium_shows_it_and_its_sky_keeps_its_clouds(
    transfer: int, shown: list[tuple[int, int, int]]
) -> None:
    """Of white, what is almost three times brighter, and two colours."""
    colours = [(147, 147, 147), (174, 174, 174), (48, 77, 72), (81, 130, 86)]
    data = with_chunk(png(quarters(colours=colours)), b"cICP", bytes((9, transfer, 0, 1)))
    image, notes = await prepared(data)
    assert distance(corners(image), shown) <= 8
    assert "colours converted to sRGB from HDR" in notes


@pytest.mark.parametrize(("transfer", "shown"), [(7, (69, 117, 164, 210)), (17, (35, 89, 146, 205))])
async def test_a_png_with_the_curve_of_old_video_or_of_the_cinema_looks_as_chromium_shows_it(
    transfer: int, shown: tuple[int, ...]
) -> None:
    greys = [(level, level, level) for level in (51, 102, 153, 204)]
    image, _ = await prepared(with_chunk(png(quarters(colours=greys)), b"cICP", bytes((1, transfer, 0, 1))))
    assert distance(corners(image), [(level, level, level) for level in shown]) <= 2


async def test_sixteen_bits_that_go_from_white_to_black_are_no_negative() -> None:
    grey = Image.frombytes(
        "I;16", (320, 320), struct.pack("<H", 0xF000) * 160 * 320 + struct.pack("<H", 0x2000) * 160 * 320
    )
    for photometric, expected in ((0, (0x10, 0xDF)), (1, (0xEF, 0x20))):
        image, _ = await prepared(encoded(grey, "TIFF", tiffinfo={262: photometric}))
        found = corners(image)
        assert abs(found[0][0] - expected[0]) <= 2
        assert abs(found[2][0] - expected[1]) <= 2


async def test_around_the_first_frame_of_a_gif_there_is_nothing() -> None:
    frame = Image.new("P", (100, 100), 1)
    frame.putpalette([0, 0, 255, 200, 30, 40])
    data = bytearray(encoded(frame, "GIF"))
    data[6:10] = struct.pack("<HH", 400, 400)
    image, notes = await prepared(bytes(data))
    assert image.size == (400, 400)
    assert image.convert("RGB").getpixel((50, 50)) == (200, 30, 40)
    assert image.convert("RGB").getpixel((300, 300)) == (255, 255, 255)
    assert "transparent parts made white" in notes


def tiff(*entries: tuple[int, int, int, int], order: str = "<") -> bytes:
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(entries))
    return head + b"".join(struct.pack(order + "HHII", *entry) for entry in entries) + bytes(3000)


RAW = {
    "DNG": tiff((50706, 1, 4, 1)),
    "DNG of the other order": tiff((256, 4, 1, 9), (50706, 1, 4, 1), order=">"),
    "NEF": tiff((254, 4, 1, 1), (330, 4, 2, 800)),
    "CR2": b"II*\0\x10\0\0\0CR\x02\0" + bytes(500),
    "CR3": b"\0\0\0\x18ftypcrx \0\0\0\1" + bytes(500),
    "RAF": b"FUJIFILMCCD-RAW 0201" + bytes(500),
    "RW2": b"IIU\0\x18\0\0\0" + bytes(500),
    "ORF": b"IIRO\x08\0\0\0" + bytes(500),
}


@pytest.mark.parametrize("name", RAW)
async def test_a_raw_file_is_called_one(name: str) -> None:
    assert (await refusal_of(RAW[name])).startswith(
        "human_image is a camera's raw file, which cannot be read here; export it as a JPEG. "
    )


async def test_an_ordinary_tiff_with_a_thumbnail_is_no_raw_file() -> None:
    image, _ = await prepared(encoded(quarters(), "TIFF"))
    assert distance(corners(image), QUARTERS) <= 6


async def test_what_cannot_be_read_here_is_not_called_damaged() -> None:
    plain = jpeg()
    at = plain.index(b"\xff\xc0")
    twelve = plain[:at] + b"\xff\xc1" + plain[at + 2 : at + 4] + b"\x0c" + plain[at + 5 :]
    assert "is a 12-bit JPEG, which cannot be read here" in await refusal_of(twelve)
    svg = b'<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "x"><svg>' + b" " * 99
    assert "is an SVG drawing, which cannot be read" in await refusal_of(svg)
    avif = encoded(quarters(), "AVIF")
    assert "human_image is an AVIF that" in await refusal_of(avif[: len(avif) // 2])
    assert io.BytesIO(avif).read(12)[4:8] == b"ftyp"
