"""The rows of a PNG are exactly those that its header declares, each with a known filter; nothing else travels."""

import zlib

import pytest

from kolors_mcp.images.bounds import Bounds
from kolors_mcp.images.formats import examine, png
from kolors_mcp.images.formats.content import MemoryContent
from kolors_mcp.images.formats.structure import BrokenError
from kolors_mcp.images.pictures import Pictures
from tests.support.hostile_pictures import png_of, rows_of
from tests.support.images_support import b64, opened

WIDE = 1_200
"""Rows of this width come to more than a megabyte, so that they are inflated in several turns."""


def travels(data: bytes) -> bool:
    """Whether a PNG's own bytes are sent."""
    return examine.look(MemoryContent(data)).fits(Bounds())


def cut(packed: bytes, size: int) -> bytes:
    return png_of(b"", *(packed[at : at + size] for at in range(0, len(packed), size)))


def test_exactly_the_declared_rows_travel() -> None:
    assert travels(png_of(rows_of()))
    assert travels(png_of(rows_of(filters=b"\0\1\2\3\4")))
    assert travels(png_of(rows_of(WIDE, filters=b"\0\1\2\3\4", width=WIDE), width=WIDE, height=WIDE))
    assert travels(cut(zlib.compress(rows_of(), 0), 700))


@pytest.mark.anyio
@pytest.mark.parametrize("more", [b"\0", b"\0" + b"\x80" * 960, bytes(1 << 22)], ids=["a byte", "a row", "megabytes"])
async def test_more_rows_than_declared_do_not_travel(more: bytes) -> None:
    data = png_of(rows_of() + more)
    with pytest.raises(BrokenError, match=r"^rows$"):
        png.read_structure(MemoryContent(data))
    picture = await Pictures(folders=[]).prepare(b64(data), "human_image")
    sent = b"".join(picture.blocks())
    assert sent != data
    assert opened(sent).tobytes() == opened(png_of(rows_of())).tobytes()


def test_data_behind_the_packed_rows_does_not_travel() -> None:
    packed = zlib.compress(rows_of())
    for data in (png_of(b"", packed + b"more"), png_of(b"", packed, b"more")):
        with pytest.raises(BrokenError, match=r"^data behind the picture$"):
            png.read_structure(MemoryContent(data))


@pytest.mark.anyio
@pytest.mark.parametrize("less", [1, 961, 961 * 319])
async def test_fewer_rows_than_declared_are_cut_off(less: int) -> None:
    rows = rows_of()[:-less]
    with pytest.raises(examine.RefusalError, match=r"^is cut off: it declares 320 x 320 pixels and ends early"):
        png.read_structure(MemoryContent(png_of(rows)))


def test_rows_whose_packing_has_no_end_do_not_travel() -> None:
    packer = zlib.compressobj()
    unended = packer.compress(rows_of()) + packer.flush(zlib.Z_SYNC_FLUSH)
    with pytest.raises(BrokenError, match=r"^data$"):
        png.read_structure(MemoryContent(png_of(b"", unended)))


@pytest.mark.parametrize("wrong", [5, 6, 128, 255])
@pytest.mark.parametrize("row", [0, 1, 160, 319])
def test_a_filter_that_there_is_not_does_not_travel(wrong: int, row: int) -> None:
    rows = bytearray(rows_of())
    rows[961 * row] = wrong
    for data in (png_of(bytes(rows)), cut(zlib.compress(bytes(rows), 0), 700)):
        with pytest.raises(BrokenError, match=r"^rows$"):
            png.read_structure(MemoryContent(data))


def test_a_wrong_filter_is_found_beyond_the_first_megabyte() -> None:
    rows = bytearray(rows_of(WIDE, width=WIDE))
    assert travels(png_of(bytes(rows), width=WIDE, height=WIDE))
    rows[(1 + 3 * WIDE) * 1_000] = 5
    assert not travels(png_of(bytes(rows), width=WIDE, height=WIDE))
