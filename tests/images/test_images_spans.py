"""What a decoder is shown of a picture: its spans, joined, each found at once and read once."""

import io

import pytest
from PIL import Image

from kolors_mcp.images.formats import examine
from kolors_mcp.images.formats.content import MemoryContent, SpanReader, joined
from tests.support.hostile_pictures import Counted, rows_of, with_small_data

DATA = bytes(range(256)) * 4
SPANS = ((3, 10), (10, 10), (10, 12), (20, 20), (30, 31), (31, 400), (500, 501), (700, 1024))
SHOWN = b"".join(DATA[start:stop] for start, stop in SPANS)


def test_spans_that_touch_are_one_and_empty_ones_none() -> None:
    assert joined(SPANS) == ((3, 12), (30, 400), (500, 501), (700, 1024))
    assert joined([(1, 1)]) == ()


@pytest.mark.parametrize("size", [1, 2, 5, 7, 9, 10, 11, 300, 5000])
def test_reads_of_any_size_show_the_spans_one_after_the_other(size: int) -> None:
    reader = SpanReader(MemoryContent(DATA), SPANS)
    pieces = [reader.read(size)]
    while pieces[-1]:
        pieces.append(reader.read(size))
    assert b"".join(piece for piece in pieces if piece) == SHOWN
    # A read ends where it was asked to, and not where a span does.
    assert {len(piece or b"") for piece in pieces[:-2]} <= {size}


@pytest.mark.parametrize("place", [0, 1, 8, 9, 10, 378, 379, 380, len(SHOWN) - 1, len(SHOWN), len(SHOWN) + 5])
def test_a_place_is_found_from_each_side(place: int) -> None:
    reader = SpanReader(MemoryContent(DATA), SPANS)
    for origin, whence in ((0, 0), (len(SHOWN), 2)):
        assert reader.seek(place - origin, whence) == place
        assert reader.read(20) == SHOWN[place : place + 20]
    assert SpanReader(MemoryContent(DATA), ()).read(5) == b""


def test_reading_through_many_spans_reads_each_once() -> None:
    content = Counted(bytes(40_000))
    reader = SpanReader(content, [(at, at + 2) for at in range(0, 40_000, 4)])
    assert len(io.BufferedReader(reader, 1 << 16).read()) == 20_000
    assert content.reads <= 10_001
    assert content.bytes_read == 20_000


def test_content_that_is_shorter_than_its_spans_ends_there() -> None:
    reader = SpanReader(MemoryContent(b"abcdef"), ((0, 2), (4, 9), (20, 30)))
    assert reader.read(100) == b"abef"
    assert reader.read(100) == b""


def test_a_decoder_reads_a_picture_through_it() -> None:
    data = with_small_data(500)
    structure = examine.look(MemoryContent(data)).structure
    assert structure is not None
    with io.BufferedReader(SpanReader(MemoryContent(data), structure.readable or ())) as file:
        assert Image.open(file, formats=["PNG"]).tobytes() == bytes(rows_of()[1:961]) * 320
