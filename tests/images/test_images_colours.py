"""Colours look the same after conversion: compared with references worked out here, not by the code under test."""

import struct
from collections.abc import Callable

import pytest
from PIL import Image

from kolors_mcp.images.formats.content import MemoryContent
from kolors_mcp.images.formats.icc import is_srgb, matrix_profile, srgb_light
from kolors_mcp.images.formats.jpeg import read_structure
from kolors_mcp.images.pictures import Pictures
from kolors_mcp.images.pixels import colours
from tests.support.colour_maths import Colour, coded, each, from_p3
from tests.support.images_support import (
    D65,
    P3_PRIMARIES,
    QUARTERS,
    SIZE,
    InProcess,
    b64,
    chunk,
    cmyk_profile,
    corners,
    distance,
    encoded,
    heic,
    jpeg,
    opened,
    p3_profile,
    png,
    quarters,
    srgb_profile,
    with_chunk,
)
from tests.support.one_loop import run


def prepared(data: bytes) -> tuple[list[Colour], tuple[str, ...]]:
    async def attempt() -> tuple[list[Colour], tuple[str, ...]]:
        picture = await Pictures(folders=[], decoder=InProcess()).prepare(b64(data), "human_image")
        return corners(opened(b"".join(picture.blocks()))), picture.notes

    return run(attempt)


P3_NOTE = 'colours converted to sRGB from the profile "unnamed"'


@pytest.mark.parametrize("make", [jpeg, png], ids=["JPEG", "PNG"])
def test_display_p3_looks_the_same_in_srgb(make: Callable[..., bytes]) -> None:
    found, notes = prepared(make(icc_profile=p3_profile()))
    assert notes == (P3_NOTE,)
    assert distance(found, each(from_p3)) <= 6
    # Were the profile only dropped, the colours would be far from that.
    assert distance(QUARTERS, each(from_p3)) > 20


def test_without_the_conversion_wide_colours_would_be_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    def unchanged(*_: object) -> None:
        return None

    monkeypatch.setattr(colours, "_converted", unchanged)
    found, notes = prepared(jpeg(icc_profile=p3_profile()))
    assert distance(found, each(from_p3)) > 20
    assert notes == ("its colour profile is damaged and was left out",)


def with_coded_colours(data: bytes, primaries: int, transfer: int) -> bytes:
    at = data.index(b"colrnclx") + 8
    return data[:at] + struct.pack(">HH", primaries, transfer) + data[at + 4 :]


@pytest.mark.parametrize("kind", ["AVIF", "HEIC"])
def test_wide_colours_that_are_only_named_by_number_are_converted(kind: str) -> None:
    plain = encoded(quarters(), "AVIF", quality=95, subsampling="4:4:4") if kind == "AVIF" else heic()
    found, notes = prepared(with_coded_colours(plain, 12, 13))
    assert notes == (f"converted from {kind} to JPEG", P3_NOTE)
    assert distance(found, each(from_p3)) <= 12
    unchanged, notes = prepared(with_coded_colours(plain, 1, 13))
    assert notes == (f"converted from {kind} to JPEG",)
    assert distance(unchanged, QUARTERS) <= 10


def test_a_printers_inks_are_converted_by_their_profile() -> None:
    inks = [(0, 255, 255, 0), (255, 0, 255, 0), (128, 128, 0, 0), (0, 0, 255, 128)]
    image = Image.new("CMYK", SIZE)
    width, height = SIZE[0] // 2, SIZE[1] // 2
    for index, ink in enumerate(inks):
        left, top = (index % 2) * width, (index // 2) * height
        image.paste(ink, (left, top, left + width, top + height))
    # The same formula that the profile's table was filled with.
    expected: list[Colour] = []
    for *cmy, k in inks:
        red, green, blue = (
            round(255 * (1 - 0.75 * round(c / 127.5) / 2) * (1 - 0.85 * round(k / 127.5) / 2)) for c in cmy
        )
        expected.append((red, green, blue))
    managed, notes = prepared(jpeg(image, icc_profile=cmyk_profile(), quality=98))
    assert notes == ("converted from CMYK to RGB",)
    naive, _ = prepared(jpeg(image, quality=98))
    assert distance(managed, expected) <= 12
    assert distance(naive, expected) > 40


def test_a_png_of_linear_light_is_brought_to_the_usual_curve() -> None:
    linear = struct.pack(">I", 100_000)
    found, _ = prepared(with_chunk(png(), b"gAMA", linear))
    expected = each(lambda colour: (coded(colour[0] / 255), coded(colour[1] / 255), coded(colour[2] / 255)))
    assert distance(found, expected) <= 3
    assert distance(QUARTERS, expected) > 30


@pytest.mark.parametrize(
    "chunks",
    [
        chunk(b"sRGB", b"\0"),
        chunk(b"gAMA", struct.pack(">I", 45455)),
        chunk(b"gAMA", struct.pack(">I", 45455))
        + chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)),
        chunk(b"cICP", b"\x01\x0d\0\x01"),
        chunk(b"gAMA", struct.pack(">I", 100_000)) + chunk(b"sRGB", b"\0"),
    ],
)
def test_a_png_that_says_srgb_in_any_way_keeps_its_bytes(chunks: bytes) -> None:
    plain = png()

    async def attempt() -> bytes:
        picture = await Pictures(folders=[], decoder=InProcess()).prepare(
            b64(plain[:33] + chunks + plain[33:]), "human_image"
        )
        assert picture.notes == ()
        return b"".join(picture.blocks())

    assert run(attempt) == plain


@pytest.mark.parametrize(
    "profile", [srgb_profile(), matrix_profile(D65, ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)), srgb_light)]
)
def test_srgb_is_known_by_its_numbers_and_not_by_its_name(profile: bytes) -> None:
    assert is_srgb(profile)
    assert read_structure(MemoryContent(jpeg(icc_profile=profile))).reencode_reason is None


@pytest.mark.parametrize(
    "profile",
    [
        p3_profile(),
        matrix_profile(D65, P3_PRIMARIES, lambda value: value**2.2),
        matrix_profile(D65, ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)), lambda value: value**1.8),
        matrix_profile(D65, ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), lambda value: value ** (563 / 256)),
        cmyk_profile(),
        b"",
        b"sRGB IEC61966-2.1",
        srgb_profile()[:200],
        srgb_profile()[:128] + b"\xff" * 400,
    ],
)
def test_everything_else_is_not_srgb(profile: bytes) -> None:
    assert not is_srgb(profile)


def test_a_broken_profile_is_left_out_and_said_so() -> None:
    found, notes = prepared(jpeg(icc_profile=b"\xff" * 500))
    assert notes == ("its colour profile is damaged and was left out",)
    assert distance(found, QUARTERS) <= 6
