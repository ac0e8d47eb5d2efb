"""A picture of many pieces costs no more than its share, and one of too many is refused in one sentence."""

import io
import os
from pathlib import Path

import pytest

from kolors_mcp.bounds import MAX_STEPS
from kolors_mcp.errors import PictureRefusedError
from kolors_mcp.images.formats import examine, jpeg
from kolors_mcp.images.formats.content import SLICE, Content, FileContent, MemoryContent, SpanReader
from kolors_mcp.images.picture import CheckedPicture
from kolors_mcp.images.pictures import Pictures
from tests.support.growing import FACTOR, fault_of
from tests.support.hostile_pictures import (
    MANY_PIECES,
    Counted,
    behind_header,
    behind_start,
    drawing,
    photo,
    png_of,
    segment,
    with_empty_data,
    with_scans,
    with_small_data,
)
from tests.support.images_support import assert_nothing_but_picture, b64, chunk, opened

pytestmark = pytest.mark.anyio

TOO_MANY = "human_image is built of more than 50000 pieces, which takes too long to read. Save it anew first."
MOST_PIECES = MAX_STEPS // (9 * FACTOR)
"""So many that eight times that, `FACTOR` times over, are not too many yet; it is the most that is ever measured."""


@pytest.fixture
async def pictures() -> Pictures:
    return Pictures(folders=[])


def gone_through(content: Content) -> tuple[bytes, bytes]:
    """What a picture's bytes go through: read as a structure, shown to a decoder, and sent."""
    structure = examine.look(content).structure
    assert structure is not None
    shown = io.BufferedReader(SpanReader(content, structure.readable or ((0, content.size),)), 1 << 16).read()
    picture = CheckedPicture(content, structure, notes=(), label="", title=None, subject="")
    return shown, b"".join(picture.blocks())


@pytest.mark.parametrize("kind", MANY_PIECES)
def test_a_picture_of_many_pieces_takes_time_in_proportion(kind: str) -> None:
    made = MANY_PIECES[kind]

    def through(data: bytes) -> None:
        shown, _ = gone_through(MemoryContent(data))
        assert len(shown) <= len(data)

    assert fault_of(through, made, size=64, largest=MOST_PIECES) is None
    # With few of the pieces it is a picture, so that what was measured is no early refusal.
    assert_nothing_but_picture(gone_through(MemoryContent(made(6)))[1])


@pytest.mark.parametrize("kind", ["JPEG, scans", "PNG, texts"])
def test_the_same_in_a_file(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "picture"

    def in_file(count: int) -> bytes:
        data = MANY_PIECES[kind](count)
        path.write_bytes(data)
        return data

    def through(data: bytes) -> None:
        content = FileContent(os.open(path, os.O_RDONLY), len(data))
        gone_through(content)
        content.close()

    assert fault_of(through, in_file, size=64, largest=MOST_PIECES) is None


def test_short_scans_in_a_large_file_do_not_each_read_a_large_slice() -> None:
    content = Counted(with_scans()(300) + bytes(SLICE))
    jpeg.read_structure(content)
    assert content.bytes_read < 301 * 10_000


def test_short_scans_of_a_file_are_not_each_read_from_it(tmp_path: Path) -> None:
    data = with_scans()(300)
    (tmp_path / "picture").write_bytes(data)
    read: list[int] = []

    class Watched(FileContent):
        def _read_at(self, start: int, count: int) -> bytes:
            read.append(count)
            return super()._read_at(start, count)

    content = Watched(os.open(tmp_path / "picture", os.O_RDONLY), len(data))
    assert jpeg.read_structure(content).digest == jpeg.read_structure(MemoryContent(data)).digest
    content.close()
    assert sum(read) < 4 * len(data)


async def refusal_of(pictures: Pictures, data: bytes) -> str:
    with pytest.raises(PictureRefusedError) as refusal:
        await pictures.prepare(b64(data), "human_image")
    return str(refusal.value)


@pytest.mark.parametrize("kind", ["PNG, frames", "JPEG, pieces of a profile"])
async def test_more_than_fifty_thousand_pieces_are_refused(kind: str, pictures: Pictures) -> None:
    """Texts, empty data, comments, tables and scans are refused in `test_hostile_pictures.py`."""
    assert await refusal_of(pictures, MANY_PIECES[kind](MAX_STEPS + 1)) == TOO_MANY


async def test_tables_inside_one_segment_are_pieces_too(pictures: Pictures) -> None:
    tables = segment(0xC4, bytes(17) * 3000)
    assert await refusal_of(pictures, behind_start(tables)(17)) == TOO_MANY
    await pictures.prepare(b64(behind_start(tables)(16)), "human_image")


@pytest.mark.parametrize(
    "data",
    [
        behind_header(chunk(b"tEXt", b"a\0b"))(MAX_STEPS - 10),
        behind_start(segment(0xFE, b""))(MAX_STEPS - 20),
        behind_start(b"\xff")(3 * MAX_STEPS),
    ],
    ids=["PNG, texts", "JPEG, comments", "JPEG, fill bytes"],
)
async def test_as_many_as_that_are_taken(data: bytes, pictures: Pictures) -> None:
    clean = drawing() if data[:1] == b"\x89" else photo()
    picture = await pictures.prepare(b64(data), "human_image")
    sent = b"".join(picture.blocks())
    assert_nothing_but_picture(sent)
    assert opened(sent).tobytes() == opened(clean).tobytes()
    assert picture.notes == ()


async def test_a_large_png_of_an_ordinary_program_is_taken_untouched(pictures: Pictures) -> None:
    """Some 7,500 data chunks, as one of 60 MB has them."""
    data = with_small_data(7_500)
    assert data.count(b"IDAT") >= 7_500
    picture = await pictures.prepare(b64(data), "cloth_image")
    assert b"".join(picture.blocks()) == data


async def test_data_chunks_that_hold_nothing_are_neither_sent_nor_shown_to_a_decoder(pictures: Pictures) -> None:
    data, clean = with_empty_data(3_000), with_empty_data(0)
    assert data.count(b"IDAT") == clean.count(b"IDAT") + 3_000
    picture, same = [await pictures.prepare(b64(one), "human_image") for one in (data, clean)]
    assert b"".join(picture.blocks()) == clean
    assert picture.digest == same.digest
    structure = examine.look(MemoryContent(data)).structure
    assert structure is not None
    assert len(structure.readable or ()) == 4
    assert gone_through(MemoryContent(data))[0] == clean


async def test_data_chunks_that_all_hold_nothing_are_no_picture(pictures: Pictures) -> None:
    assert "is cut off" in await refusal_of(pictures, png_of(b"", b"", b""))


async def test_an_empty_data_chunk_with_a_wrong_checksum_is_still_damage(pictures: Pictures) -> None:
    data = with_empty_data(3)
    broken = data.replace(b"IDAT\x35\xaf\x06\x1e", b"IDAT\x35\xaf\x06\x1f", 1)
    assert examine.look(MemoryContent(data)).structure is not None
    assert examine.look(MemoryContent(broken)).structure is None
    assert (await pictures.prepare(b64(data), "human_image")).width == 320


async def test_a_jpeg_in_a_thousand_parts_is_written_anew(pictures: Pictures) -> None:
    """Each part is read on its own on the way out, between two turns of the event loop."""
    few, many = (MANY_PIECES["JPEG, restarts and comments"](count) for count in (1_000, 4_000))
    assert (await pictures.prepare(b64(few), "human_image")).notes == ()
    picture = await pictures.prepare(b64(many), "human_image")
    assert picture.notes == ("written anew, because the file is built in an unusual way",)
    assert opened(b"".join(picture.blocks())).size == (320, 320)


PAGES = {
    "comments": b"<!---->" * 28 + b"x",
    "many comments": b"<!---->" * 2_000_000,
    "comments without end": b"<!--" * 100_000,
    "comments with blanks": b"<!-- -->\n" * 100_000 + b"<",
    "declarations": b"<?xml>" * 100_000 + b"x",
    "declarations without end": b"<?xml " * 100_000,
    "blanks": b" \n\t" * 100_000,
    "both in turns": b"<!----><?xml ?>" * 50_000 + b"<htm",
}


@pytest.mark.parametrize("name", PAGES)
async def test_markup_that_never_comes_to_an_element_is_refused_at_once(
    name: str, pictures: Pictures, tmp_path: Path
) -> None:
    words = "is no picture of a kind that can be read. Give a JPEG, PNG, WebP, HEIC, AVIF, GIF, BMP or TIFF picture."
    with pytest.raises(PictureRefusedError) as refusal:
        await pictures.prepare("data:image/png;base64," + b64(PAGES[name]), "human_image")
    assert str(refusal.value) == f"human_image {words}"
    (tmp_path / "page.png").write_bytes(PAGES[name])
    with pytest.raises(PictureRefusedError) as refusal:
        await Pictures(folders=[tmp_path]).prepare(str(tmp_path / "page.png"), "human_image")
    assert str(refusal.value) == f"human_image {words}"
