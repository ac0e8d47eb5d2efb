"""The ends of things: of a scan, of a header's numbers, of the box that names a picture's kind."""

import struct

import pytest

from kolors_mcp.images.formats.sniff import kind_of
from tests.support.hostile_pictures import (
    FRAME,
    SCAN,
    behind_start,
    changed,
    photo,
    png_of,
    reencode_reason_of,
    rows_of,
    segment,
)
from tests.support.images_support import chunk


@pytest.mark.parametrize("size", [1, 4 * 1024, 36 * 1024, 36 * 1024 + 192 * 1024])
@pytest.mark.parametrize("last", [b"x", b"\xff", b"\xff\x00"])
def test_a_scan_without_an_end_is_no_whole_picture(size: int, last: bytes) -> None:
    data = photo()[: SCAN + 14] + bytes(size)
    assert reencode_reason_of(data[: -len(last)] + last) == "broken"


@pytest.mark.parametrize(("code", "expected"), [(0xC0, None), (0xC1, None), (0xC3, "broken"), (0xBF, "broken")])
def test_a_frame_is_one_of_the_three_usual_ones(code: int, expected: str | None) -> None:
    assert reencode_reason_of(changed(photo(), FRAME + 1, code)) == expected


def test_between_segments_there_is_nothing_but_fill_bytes() -> None:
    assert reencode_reason_of(behind_start(b"\xff\xff")(1)) is None
    assert reencode_reason_of(behind_start(segment(0xFE, b"a") + b"\x00\xfe\0\2")(1)) == "broken"


@pytest.mark.parametrize("place", range(3))
def test_a_png_of_an_unknown_method_is_left_to_the_decoder(place: int) -> None:
    """Packing, filtering and interlacing: the format has 0 of each, and 1 of the last."""
    for value in range(3):
        numbers = [0, 0, 0]
        numbers[place] = value
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", 320, 320, 8, 2, *numbers))
        found = reencode_reason_of(png_of(rows_of())[:8] + header + png_of(rows_of())[33:])
        assert found == (None if value == 0 else "interlacing" if (place, value) == (2, 1) else "broken")


def box(first: bytes, *others: bytes, length: int | None = None) -> bytes:
    size = 16 + 4 * len(others) if length is None else length
    return struct.pack(">I", size) + b"ftyp" + first + bytes(4) + b"".join(others)


BOXES = {
    "AVIF": (box(b"avif"), box(b"avis"), box(b"mif1", b"avif"), box(b"msf1", b"xxxx", b"avis"), box(b"miaf", b"avif")),
    "HEIC": (box(b"heic"), box(b"mif1"), box(b"xxxx", b"heic"), box(b"heic", b"avif"), box(b"mif1", b"heic")),
    None: (box(b"isom"), box(b"mp42", b"avif"), box(b"mif9"), box(b"xxxx", b"heic", length=16), b"\0\0\0\x20ftyp"),
}


@pytest.mark.parametrize("kind", BOXES)
def test_the_brands_of_the_first_box_tell_the_kind(kind: str | None) -> None:
    assert [kind_of(head) for head in BOXES[kind]] == [kind] * len(BOXES[kind])
