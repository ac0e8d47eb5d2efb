"""Metadata that is built to harm: what is needed of it is read once, and no decoder is shown the rest."""

import struct
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kolors_mcp.images.formats import examine, jpeg_tables
from kolors_mcp.images.formats.content import MemoryContent
from kolors_mcp.images.formats.exif import orientation
from kolors_mcp.images.formats.icc import is_srgb, joined_segments
from kolors_mcp.images.formats.structure import BrokenError, Structure, steps
from kolors_mcp.images.pictures import Pictures
from tests.support.hostile_pictures import drawing, photo, profile_of, segment, with_profile
from tests.support.images_support import (
    assert_nothing_but_picture,
    b64,
    chunk,
    corners,
    distance,
    exif,
    jpeg,
    opened,
    p3_profile,
    png,
    quarters,
    srgb_profile,
    with_chunk,
    with_segment,
)


def structure(data: bytes) -> Structure:
    found = examine.look(MemoryContent(data)).structure
    assert found is not None
    return found


def shown(data: bytes) -> bytes:
    """What a decoder is shown of a picture."""
    return b"".join(data[start:stop] for start, stop in structure(data).readable or ())


def peak_of(act: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        act()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def entry(tag: int = 0x0112, kind: int = 3, count: int = 1, value: int = 6, order: str = ">") -> bytes:
    number = struct.pack(order + "HH", value, 0) if kind == 3 else struct.pack(order + "I", value)
    return struct.pack(order + "HHI", tag, kind, count) + number


def block(*entries: bytes, order: str = ">", start: int = 8, magic: int = 42, declared: int | None = None) -> bytes:
    head = (b"MM" if order == ">" else b"II") + struct.pack(order + "HI", magic, start)
    count = struct.pack(order + "H", len(entries) if declared is None else declared)
    return head + bytes(start - 8) + count + b"".join(entries)


OTHER = entry(0x0100, value=3)
BLOCKS = {
    "as cameras write it": (block(OTHER, entry(), OTHER), 6),
    "behind its marker": (b"Exif\0\0" + block(entry()), 6),
    "the other way round": (block(entry(order="<"), order="<"), 6),
    "further behind": (block(entry(), start=500), 6),
    "least": (block(entry(value=1)), 1),
    "second": (block(entry(value=2)), 2),
    "most": (block(entry(value=8)), 8),
    "the first of two counts": (block(entry(value=3), entry(value=6)), 3),
    "the last of very many": (block(*[OTHER] * 65_534, entry()), 6),
    "none": (block(OTHER), 1),
    "below the range": (block(entry(value=0)), 1),
    "beyond the range": (block(entry(value=9)), 1),
    "of another type": (block(entry(kind=4)), 1),
    "two values": (block(entry(count=2)), 1),
    "no number of the format": (block(entry(), magic=43), 1),
    "no byte order": (b"MI" + block(entry())[2:], 1),
    "cut off before": (block(OTHER, declared=2), 1),
    "cut off within": (block(OTHER, entry())[:-3], 1),
    "cut off behind the value": (block(entry())[:-2], 6),
    "begins behind its end": (b"MM\0*\xff\xff\xff\xff", 1),
    "points to itself": (b"MM\0*\0\0\0\0" + bytes(20), 1),
    "empty": (b"", 1),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_which_way_is_up_is_read_from_a_sound_block_and_from_no_other(name: str) -> None:
    data, expected = BLOCKS[name]
    assert orientation(data) == expected


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_decoder_is_not_shown_what_the_walk_has_read(kind: str) -> None:
    data = (
        jpeg(exif=exif(6), icc_profile=p3_profile()) if kind == "JPEG" else png(exif=exif(6), icc_profile=p3_profile())
    )
    data = with_segment(data, 0xFE, b"a text") if kind == "JPEG" else with_chunk(data, b"tEXt", b"a\0text")
    found = structure(data)
    assert (found.turn, found.reencode_reason) == (6, "orientation")
    assert opened(shown(data)).tobytes() == opened(data).tobytes()
    # What decides about the colours stays.
    assert set(opened(shown(data)).info) & {"exif", "comment", "a", "icc_profile"} == {"icc_profile"}


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
async def test_entries_that_all_name_the_same_megabyte_cost_nothing_and_the_picture_is_turned(kind: str) -> None:
    entries = [entry(), *(entry(1000 + index, 7, 800_000, 8) for index in range(5_000))]
    blob = block(*entries).ljust(900_000, b"\0")
    if kind == "PNG":
        data = with_chunk(drawing(), b"eXIf", blob)
    else:
        # One block over many segments, which the usual decoder puts together again.
        pieces = [segment(0xE1, b"Exif\0\0" + blob[at : at + 65_000]) for at in range(0, len(blob), 65_000)]
        data = photo()[:2] + b"".join(pieces) + photo()[2:]
    picture = await Pictures(folders=[]).prepare(b64(data), "human_image")
    assert picture.notes[0] == "turned by 90 degrees as the photo's tag says"
    assert b"Exif" not in shown(data)
    assert b"eXIf" not in shown(data)
    sent = opened(b"".join(picture.blocks()))
    clean = opened(photo() if kind == "JPEG" else drawing())
    assert distance(corners(sent), [corners(clean)[place] for place in (2, 0, 3, 1)]) < 8


def test_of_many_orientations_the_first_counts_and_none_travels() -> None:
    first, second = (segment(0xE1, b"Exif\0\0" + block(entry(value=value))) for value in (1, 6))
    data = photo()[:2] + first + second + photo()[2:]
    assert (structure(data).turn, structure(data).reencode_reason) == (1, "orientation")
    only = photo()[:2] + first + photo()[2:]
    assert (structure(only).turn, structure(only).reencode_reason) == (1, None)


def test_a_hundred_tags_that_name_the_same_megabytes_are_not_copied() -> None:
    body = bytes(2_000_000)
    profile = profile_of(*((b"t%03d" % number, 0, len(body)) for number in range(100)), body=body)
    assert peak_of(lambda: is_srgb(profile)) < 500_000
    assert not is_srgb(profile)


def test_a_profile_in_more_segments_than_can_be_counted_is_none() -> None:
    whole = [bytes((number, 255)) + b"x" for number in range(1, 256)]
    assert joined_segments(whole) == b"x" * 255
    assert joined_segments([*whole, whole[0]]) == b""
    assert joined_segments(whole[:-1]) == b""
    assert joined_segments([b"\1\1x"]) == b"x"
    assert joined_segments([b"\1\1"]) == joined_segments([b"\1"]) == joined_segments([]) == b""


def curve(kind: int, *numbers: float) -> bytes:
    """A parametric curve."""
    return (
        b"para\0\0\0\0"
        + struct.pack(">HH", kind, 0)
        + struct.pack(f">{len(numbers)}i", *(round(65536 * n) for n in numbers))
    )


SRGB_CURVE = curve(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def grey_profile(trc: bytes) -> bytes:
    return profile_of((b"kTRC", 0, len(trc)), body=trc, space=b"GRAY")


def test_a_curve_is_judged_by_what_it_does() -> None:
    assert is_srgb(grey_profile(SRGB_CURVE), channels=1)
    assert not is_srgb(grey_profile(SRGB_CURVE))
    assert not is_srgb(grey_profile(curve(0, 2.2)), channels=1)
    # The root of a negative number, which is no light.
    assert not is_srgb(grey_profile(curve(3, 2.4, -1, 0, 0, 0)), channels=1)
    assert is_srgb(srgb_profile())


@settings(max_examples=150)
@given(
    st.sampled_from([b"para", b"curv", b"XYZ "]),
    st.integers(0, 6),
    st.lists(st.sampled_from([-32768.0, -1.0, -0.5, 0.0, 1e-5, 0.5, 1.0, 2.4, 1000.0, 32767.0]), max_size=8),
)
def test_whatever_a_curve_says_the_answer_is_yes_or_no(name: bytes, kind: int, numbers: list[float]) -> None:
    tag = name + curve(kind, *numbers)[4:]
    assert is_srgb(grey_profile(tag), channels=1) in (True, False)


@pytest.mark.anyio
async def test_a_picture_with_an_impossible_curve_is_made_fit() -> None:
    data = with_profile(grey_profile(curve(3, 2.4, -1, 0, 0, 0)), grey=True)
    picture = await Pictures(folders=[]).prepare(b64(data), "human_image")
    sent = b"".join(picture.blocks())
    assert_nothing_but_picture(sent)
    assert picture.width == 320


def test_tables_of_a_jpeg_are_counted_by_the_walk_that_they_stand_in() -> None:
    tables = jpeg_tables.Tables(steps())
    tables.add_quantization((b"\0" + b"\1" * 64 + b"\x11" + b"\1" * 128) * 2)
    tables.add_huffman((b"\0\1" + bytes(16) + b"\x11\1" + bytes(16)) * 2)
    assert (tables.quantization, tables.huffman) == ({0, 1}, {(0, 0), (1, 1)})
    for damaged in (b"\0" * 64, b"\x20" + bytes(200), b"\4" + bytes(64)):
        with pytest.raises(BrokenError):
            tables.add_quantization(damaged)
    for damaged in (
        b"\0\1" + bytes(15),
        b"\x20" + bytes(16),
        b"\4" + bytes(16),
        b"\0\3" + bytes(18),
        b"\0\1" + bytes(15) + b"\x10",
    ):
        with pytest.raises(BrokenError):
            tables.add_huffman(damaged)


def test_a_png_says_which_way_is_up_only_by_a_sound_chunk() -> None:
    sound = chunk(b"eXIf", block(entry()))
    damaged = sound[:-1] + bytes((sound[-1] ^ 1,))
    picture = png(quarters((320, 320)))
    assert [structure(picture[:33] + one + picture[33:]).turn for one in (sound, damaged, damaged + sound)] == [6, 1, 6]
