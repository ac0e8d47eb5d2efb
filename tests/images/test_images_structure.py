"""What is taken for a whole structure, and what is left to the decoder: each rule from both sides."""

import struct
from collections.abc import Callable

import pytest

from kolors_mcp.images.formats import examine, jpeg_tables
from kolors_mcp.images.formats.content import MemoryContent
from kolors_mcp.images.formats.jpeg import count_scans
from kolors_mcp.images.formats.jpeg_tables import Frame, Scan, Tables, read_frame, read_scan
from kolors_mcp.images.formats.sniff import HEAD_BYTES, description_of, is_page, kind_of
from kolors_mcp.images.formats.structure import BrokenError, steps
from kolors_mcp.images.refusal import RefusalError
from tests.support.hostile_pictures import (
    FRAME,
    SCAN,
    behind_start,
    changed,
    drawing,
    photo,
    png_of,
    progressive,
    reencode_reason_of,
    rows_of,
    segment,
)
from tests.support.images_support import chunk, jpeg, png, quarters

SIZE = (320, 320)


PALETTE = chunk(b"PLTE", bytes(range(12)))
SHADES = png_of(b"".join(b"\0" + bytes(320) for _ in range(320)), colour=3)


def in_png(*pieces: bytes, data: bytes | None = None) -> bytes:
    """The pieces behind a PNG's header; behind its data, too, those after a None."""
    base = data or png_of(rows_of())
    return base[:33] + b"".join(pieces) + base[33:]


def behind_data(piece: bytes) -> bytes:
    return png_of(rows_of())[:-12] + piece + png_of(rows_of())[-12:]


PNGS: dict[str, tuple[bytes, str | None]] = {
    "as it is": (png_of(rows_of()), None),
    "a palette that is only advice": (in_png(PALETTE), None),
    "two palettes": (in_png(PALETTE, PALETTE), "broken"),
    "a palette behind the data": (behind_data(PALETTE), "broken"),
    "a palette of nothing": (in_png(chunk(b"PLTE", b"")), "broken"),
    "a palette of one": (in_png(chunk(b"PLTE", bytes(3))), None),
    "a palette of a third more": (in_png(chunk(b"PLTE", bytes(4))), "broken"),
    "the largest palette": (in_png(chunk(b"PLTE", bytes(768))), None),
    "a palette too large": (in_png(chunk(b"PLTE", bytes(771))), "broken"),
    "shades with their palette": (in_png(PALETTE, data=SHADES), "palette"),
    "shades without a palette": (SHADES, "broken"),
    "a text behind the data": (behind_data(chunk(b"tEXt", b"a\0b")), None),
    "a text between the data": (
        png_of(b"", b"x")[:33] + chunk(b"IDAT", b"") + chunk(b"tEXt", b"") + drawing()[33:],
        "broken",
    ),
    "a chunk that must be known and is not": (in_png(chunk(b"ABCD", b"")), "broken"),
    "a chunk that need not be known": (in_png(chunk(b"aBCD", b"")), None),
    "a name that is none": (in_png(chunk(b"a\xc3\xa4b", b"")), "broken"),
    "a name with a digit": (in_png(chunk(b"aB1D", b"")), "broken"),
    "an end with something in it": (png_of(rows_of())[:-12] + chunk(b"IEND", b"x"), "broken"),
    "no end": (png_of(rows_of())[:-12], "broken"),
    "a chunk longer than the file": (png_of(rows_of())[:-12] + b"\0\0\0\1tEXt" + bytes(4), "broken"),
    "bytes behind the end": (png_of(rows_of()) + b"more", None),
    "a wrong checksum": (changed(png_of(rows_of()), -13, 0, 0, 0, 0), "broken"),
    "a wrong checksum of the header": (changed(png_of(rows_of()), 29, 0), "broken"),
    "transparency": (in_png(chunk(b"tRNS", bytes(6))), "transparency"),
    "sRGB said": (in_png(chunk(b"sRGB", b"\0")), None),
    "sRGB's gamma": (in_png(chunk(b"gAMA", struct.pack(">I", 45_455))), None),
    "another gamma": (in_png(chunk(b"gAMA", struct.pack(">I", 100_000))), "colour profile"),
    "coded as sRGB": (in_png(chunk(b"cICP", b"\1\x0d\0\1")), None),
    "coded as P3": (in_png(chunk(b"cICP", b"\x0c\x0d\0\1")), "colour profile"),
}


@pytest.mark.parametrize("name", PNGS)
def test_a_png_that_holds_together_is_told_from_one_that_does_not(name: str) -> None:
    data, expected = PNGS[name]
    assert reencode_reason_of(data) == expected


@pytest.mark.parametrize("colour", range(8))
@pytest.mark.parametrize("depth", [0, 1, 2, 3, 4, 8, 16, 32])
def test_only_depths_that_the_format_has_are_walked_through(depth: int, colour: int) -> None:
    """Table 11.1 of the format, written out once more."""
    known = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 1)
    rows = b"".join(bytes(1 + (320 * channels * depth + 7) // 8) for _ in range(320))
    data = png_of(rows, colour=colour)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *SIZE, depth, colour, 0, 0, 0))
    data = data[:8] + header + PALETTE * (colour == 3) + data[33:]
    assert (reencode_reason_of(data) == "broken") == (depth not in known.get(colour, set()))


def of_components(*identifiers: int, jfif: bool, adobe: int | None = None) -> bytes:
    """The photo with other names for its components, with or without the headers that say what they are."""
    data = bytearray(photo())
    for place, name in enumerate(identifiers):
        data[FRAME + 10 + 3 * place] = name
        data[SCAN + 5 + 2 * place] = name
    body = bytes(data[2:] if jfif else data[20:])
    return b"\xff\xd8" + (b"" if adobe is None else segment(0xEE, b"Adobe\0d" + bytes(4) + bytes((adobe,)))) + body


JPEGS: dict[str, tuple[bytes, str | None]] = {
    "as it is": (photo(), None),
    "all segments that say something else": (
        behind_start(*(segment(code, b"x") for code in (*range(0xE0, 0xF0), 0xFE)))(17),
        None,
    ),
    "a marker that is reserved": (behind_start(segment(0xF0, b"x"))(1), "broken"),
    "a marker before those": (behind_start(segment(0xDF, b"x"))(1), "broken"),
    "a height that comes later": (behind_start(segment(0xDC, b"\0\1"))(1), "broken"),
    "a way of coding that is rare": (changed(photo(), FRAME + 1, 0xC9), "broken"),
    "a restart interval": (behind_start(segment(0xDD, b"\0\0"))(1), None),
    "a restart interval too short": (behind_start(segment(0xDD, b"\0"))(1), "broken"),
    "a segment shorter than its length": (behind_start(b"\xff\xfe\0\1")(1), "broken"),
    "two frames": (photo()[:SCAN] + photo()[FRAME : FRAME + 19] + photo()[SCAN:], "broken"),
    "a scan before the frame": (photo()[:FRAME] + photo()[SCAN:], "broken"),
    "no scan": (photo()[:SCAN] + b"\xff\xd9", "broken"),
    "components without headers": (of_components(1, 2, 3, jfif=False), None),
    "components of other names": (of_components(0, 1, 2, jfif=False), "colour transform"),
    "components of other names under a header": (of_components(0, 1, 2, jfif=True), None),
    "components of other names, said to be luminance": (of_components(0, 1, 2, jfif=False, adobe=1), None),
    "components said to be colours": (of_components(1, 2, 3, jfif=True, adobe=0), "colour transform"),
    "components called colours": (of_components(0x52, 0x47, 0x42, jfif=True), "colour transform"),
    "components that are unlike": (of_components(0x52, 0x47, 0x43, jfif=True), None),
    "another profile": (jpeg(quarters(SIZE), icc_profile=b"x" * 200), "colour profile"),
    "a piece of a profile missing": (behind_start(segment(0xE2, b"ICC_PROFILE\0\2\2x"))(1), "colour profile"),
    "a segment that only begins like a profile": (behind_start(segment(0xE2, b"ICC_PROFILX\0\2\2x"))(1), None),
    "a profile in a segment of another kind": (behind_start(segment(0xE1, b"ICC_PROFILE\0\2\2x"))(1), None),
}


@pytest.mark.parametrize("name", JPEGS)
def test_a_jpeg_that_holds_together_is_told_from_one_that_does_not(name: str) -> None:
    data, expected = JPEGS[name]
    assert reencode_reason_of(data) == expected


def frame_of(*components: tuple[int, int], precision: int = 8) -> Callable[[], Frame]:
    """A frame whose components have these factors."""
    body = b"".join(bytes((number, across << 4 | down, 0)) for number, (across, down) in enumerate(components, 1))
    return lambda: read_frame(bytes((precision, 1, 64, 1, 64, len(components))) + body, progressive=True)


@pytest.mark.parametrize("factor", [(0, 1), (1, 0), (5, 1), (1, 5)])
def test_factors_are_one_to_four_in_each_direction(factor: tuple[int, int]) -> None:
    assert frame_of((1, 4), (4, 1), (1, 1))().components[1].horizontal == 4
    with pytest.raises(BrokenError):
        frame_of(factor, (1, 1))()
    with pytest.raises(BrokenError):
        frame_of((1, 1), precision=9)()
    with pytest.raises(RefusalError, match="12-bit"):
        frame_of((1, 1), precision=12)()


SELECTIONS = {
    (0, 0, 0, 0): True, (0, 0, 0, 13): True, (0, 0, 0, 14): False, (0, 0, 1, 0): True, (0, 0, 2, 1): True,
    (0, 0, 2, 0): False, (0, 0, 1, 1): False, (0, 1, 0, 0): False, (1, 5, 0, 0): True, (1, 63, 0, 2): True,
    (1, 64, 0, 0): False, (5, 4, 0, 0): False, (5, 5, 0, 0): True, (6, 63, 2, 1): True, (6, 63, 3, 1): False,
}  # fmt: skip
"""First and last coefficient, bits before and after: whether a progressive scan may bring them (annex G)."""


@pytest.mark.parametrize("selection", SELECTIONS)
def test_a_progressive_scan_brings_what_the_standard_knows(selection: tuple[int, int, int, int]) -> None:
    first, last, high, low = selection
    tables = Tables(steps())
    tables.quantization, tables.huffman = {0}, {(0, 0), (1, 0)}

    def read(*names: int) -> Scan:
        parts = b"".join(bytes((name, 0)) for name in names)
        tail = bytes((first, last, high << 4 | low))
        return read_scan(bytes((len(names),)) + parts + tail, frame_of((1, 1), (1, 1))(), tables)

    if not SELECTIONS[selection]:
        with pytest.raises(BrokenError):
            read(1)
        return
    assert read(1) == Scan((0,), first == 0 and high == 0)
    # Only means come for several components at once.
    if first:
        with pytest.raises(BrokenError):
            read(1, 2)
    else:
        assert read(1, 2).components == (0, 1)
    with pytest.raises(BrokenError):
        read(1, 1)
    with pytest.raises(BrokenError):
        read(3)


def test_scans_are_counted_also_where_a_marker_lies_across_two_slices() -> None:
    assert count_scans(MemoryContent(progressive())) == progressive().count(b"\xff\xda")
    for place in (4 * 1024, 36 * 1024, 36 * 1024 + 192 * 1024):
        for shift in (-2, -1, 0):
            data = bytes(place + shift) + b"\xff\xda" + bytes(300_000)
            assert count_scans(MemoryContent(data)) == 1
        assert count_scans(MemoryContent(bytes(place - 1) + b"\xff\0\xda" + bytes(10))) == 0


@pytest.mark.parametrize("size", [4 * 1024, 36 * 1024, 100_000])
def test_a_scan_may_end_anywhere_in_a_slice(size: int) -> None:
    """Stuffed bytes and restarts are data, wherever a slice ends; anything else behind 0xFF is the next marker."""
    start = SCAN + 14
    for shift in range(-3, 3):
        for inside in (b"\xff\x00", b"\xff\xd0", b"\xff\xd7"):
            data = photo()[:start] + bytes(size + shift) + inside + b"x\xff\xd9"
            structure = examine.look(MemoryContent(data)).structure
            assert structure is not None
            assert structure.size == len(data)


PAGES = {
    b"<!doctype html>": "a web page",
    b"<!DOCTYPE\n HTML": "a web page",
    b"<!doctypehtml>": None,
    b"<!doctype svg>": "an SVG drawing, which cannot be read",
    b"<html": "a web page",
    b" \n<HEAD>": "a web page",
    b"\xef\xbb\xbf<body": "a web page",
    b"<htm": None,
    b"html": None,
    b"<!-- a --><html>": "a web page",
    b"<!----> <!-- <html> -->\t<html>": "a web page",
    b"<!-- <html>": None,
    b"<!--><html>": None,
    b"<!--->--><html>": "a web page",
    b"<?xml version='1'?><html": "a web page",
    b"<?xml version='1'><!-- a --><svg": "an SVG drawing, which cannot be read",
    b"<?xml <html": None,
    b"<p><html>": None,
    b"<!--" + b" " * (HEAD_BYTES - 12) + b"--><html>": "a web page",
    b"<!--" + b" " * (HEAD_BYTES - 11) + b"--><html>": None,
}


@pytest.mark.parametrize("head", PAGES)
def test_a_page_is_known_by_its_first_element(head: bytes) -> None:
    expected = PAGES[head]
    assert is_page(head) == (expected == "a web page")
    assert description_of(head) == (expected or "no picture of a kind that can be read")
    assert kind_of(head) is None


def test_the_smallest_tables_are_read_and_the_shortest_frame() -> None:
    assert jpeg_tables.read_frame(b"\x08\0\1\0\1\1\1\x11\0", progressive=False).blocks == 1
    assert reencode_reason_of(png(quarters(SIZE))) is None
