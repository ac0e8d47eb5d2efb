"""Pictures that are built to harm: bombs, lies, broken tables, and bytes that are anything."""

import gc
import io
import struct
import tracemalloc
from contextlib import suppress
from functools import cache
from pathlib import Path

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, JpegImagePlugin

from kolors_mcp.errors import PictureRefusedError
from kolors_mcp.images import limits
from kolors_mcp.images.formats import examine
from kolors_mcp.images.formats.content import MemoryContent
from kolors_mcp.images.formats.jpeg import read_structure
from kolors_mcp.images.formats.structure import BrokenError
from kolors_mcp.images.pictures import Pictures
from kolors_mcp.images.pixels import decode
from tests.fuzz.pictures import seeds
from tests.support.hostile_pictures import packed_zeros
from tests.support.images_support import (
    BMP_BOMB,
    SIZE,
    InProcess,
    assert_nothing_but_picture,
    b64,
    chunk,
    encoded,
    grain,
    jpeg,
    opened,
    png,
    quarters,
    riff,
    with_chunk,
)
from tests.support.images_table import MEGAPIXELS
from tests.support.one_loop import run
from tests.support.preparing import prepared, refusal_of


def header(width: int, height: int, *, depth: int = 8, colour: int = 2, interlaced: int = 0) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + chunk(
        b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    )


def many_scans(count: int, size: tuple[int, int] = (320, 320)) -> bytes:
    """A progressive JPEG whose last scan is repeated."""
    data = jpeg(quarters(size), progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * count + b"\xff\xd9"


def with_size(data: bytes, width: int, height: int) -> bytes:
    """The JPEG with another size in its frame header."""
    frame = next(data.index(marker) for marker in (b"\xff\xc0", b"\xff\xc2") if marker in data)
    return data[: frame + 5] + struct.pack(">HH", height, width) + data[frame + 9 :]


GIF_BOMB = struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b"," + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0)


@cache
def bombs() -> dict[str, tuple[bytes, str]]:
    """Small files of large pictures, and what is said of them."""
    few_rows = chunk(b"IDAT", packed_zeros(1 << 18)) + chunk(b"IEND", b"")
    return {
        "PNG": (header(30_000, 30_000) + few_rows, f"declares 30000 x 30000 pixels; {MEGAPIXELS}"),
        "WebP": (
            riff(b"VP8L" + struct.pack("<I", 10) + b"/\xff\xff\xff\x0f" + bytes(5)),
            f"declares 16384 x 16384 pixels; {MEGAPIXELS}",
        ),
        "extended WebP": (
            riff(b"VP8X" + struct.pack("<I", 10) + bytes(4) + b"\xff\xff\xff" * 2),
            f"declares 16777216 x 16777216 pixels; {MEGAPIXELS}",
        ),
        "GIF": (b"GIF89a" + GIF_BOMB + b"\x08\x00;", f"declares 65535 x 65535 pixels; {MEGAPIXELS}"),
        "BMP": (b"BM" + BMP_BOMB + bytes(50), f"declares 60000 x 60000 pixels; {MEGAPIXELS}"),
        "JPEG": (
            with_size(jpeg(), 60_000, 60_000),
            "is cut off: it declares 60000 x 60000 pixels and ends early. Give the whole file.",
        ),
        "progressive JPEG": (
            with_size(jpeg(progressive=True), 9_000, 9_000),
            "is cut off: it declares 9000 x 9000 pixels and ends early. Give the whole file.",
        ),
        "JPEG of many scans": (
            many_scans(400, (2000, 2000)),
            "has 2000 x 2000 pixels in 409 passes, which takes too long to open. Save it anew first.",
        ),
        "PNG of few rows": (
            header(400, 400) + few_rows,
            "is cut off: it declares 400 x 400 pixels and ends early. Give the whole file.",
        ),
    }


def test_a_bomb_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests) -> None:
    def decoded(*_: object) -> None:
        raise AssertionError("the decoder was started")

    made = bombs()
    monkeypatch.setattr(decode, "flattened", decoded)
    monkeypatch.setattr(Image.Image, "load", decoded)
    for name, (data, text) in made.items():
        with subtests.test(name):
            assert refusal_of(data) == f"human_image {text}"


def test_without_the_budget_a_bomb_would_be_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = encoded(Image.new("1", (3_600, 2_800)), "TIFF", compression="group4")
    assert len(bomb) < 4_000
    assert opened(prepared(bomb)).size == (2048, 1593)
    monkeypatch.setattr(decode, "MAX_DECODED_PIXELS", 8_000_000)
    assert refusal_of(bomb).startswith("human_image declares 3600 x 2800 pixels; at most 8 megapixels can be opened.")


def test_many_scans_are_written_anew_and_too_many_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = many_scans(limits.MAX_SCANS)
    assert read_structure(MemoryContent(data)).reencode_reason == "scans"
    assert prepared(data) != data
    monkeypatch.setattr("kolors_mcp.images.formats.jpeg.MAX_SCANS", 10_000)
    assert prepared(data) == data


def test_a_compressed_text_bomb_is_never_unpacked() -> None:
    bomb = b"Comment\0\0" + packed_zeros(1 << 26)
    data = png(quarters().convert("RGBA"))
    for name in (b"zTXt", b"iTXt"):
        text = bomb if name == b"zTXt" else b"k\0\x01\0\0\0" + packed_zeros(1 << 26)
        for _ in range(3):
            data = with_chunk(data, name, text)
    tracemalloc.start()
    sent = prepared(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert_nothing_but_picture(sent)
    assert peak < 20_000_000


def test_a_colour_profile_bomb_is_left_out() -> None:
    data = with_chunk(png(), b"iCCP", b"icc\0\0" + packed_zeros(1 << 26))
    tracemalloc.start()
    with suppress(PictureRefusedError):
        assert_nothing_but_picture(prepared(data))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40_000_000


def test_a_tiff_with_huge_tiles_is_refused() -> None:
    def entry(tag: int, kind: int, value: int) -> bytes:
        return struct.pack("<HHII", tag, kind, 1, value)

    numbers = {256: 400, 257: 400, 258: 8, 259: 8, 262: 1, 277: 1, 322: 1 << 20, 323: 1 << 20, 324: 8, 325: 100}
    entries = [(tag, 4, value) for tag, value in numbers.items()]
    data = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(entries))
    data += b"".join(entry(*one) for one in entries) + bytes(200)
    assert refusal_of(data) == "human_image is a TIFF whose tiles are too large to open. Save it as JPEG or PNG."


def test_a_gif_of_ten_thousand_frames_costs_as_much_as_one() -> None:
    frames = [quarters((320, 320)).quantize(4)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=[frames[0].rotate(90), frames[0].rotate(180)])
    start = data.rindex(b"!\xf9")
    data = data[:start] + data[start:-1] * 10_000 + b";"
    assert_nothing_but_picture(prepared(data))


def test_a_phone_picture_with_a_second_one_inside_is_one_picture() -> None:
    data = encoded(quarters(), "MPO", save_all=True, append_images=[Image.new("RGB", SIZE)])
    assert Image.open(io.BytesIO(data)).format == "MPO"
    sent = prepared(data)
    assert opened(sent).tobytes() == opened(data).tobytes()
    assert len(sent) < len(data) * 0.8
    assert sent.count(b"\xff\xd8\xff") == 1


SEGMENTS = {"DHT": 0xC4, "DQT": 0xDB, "SOF0": 0xC0, "SOS": 0xDA}


@pytest.mark.parametrize("name", SEGMENTS)
@settings(max_examples=30)
@given(at=st.integers(0, 200), value=st.integers(0, 255))
def test_what_the_walk_lets_through_the_decoder_opens(name: str, at: int, value: int) -> None:
    """Every byte of every table is changed: either the structure is refused, or the usual decoder can live with it."""
    data = bytearray(jpeg(quarters((320, 320)), subsampling=2, optimize=True))
    start = data.index(bytes((0xFF, SEGMENTS[name])))
    length = int.from_bytes(data[start + 2 : start + 4], "big")
    data[start + 2 + at % length] = value
    try:
        structure = read_structure(MemoryContent(bytes(data)))
    except (BrokenError, examine.RefusalError):
        return
    if structure.reencode_reason is None:
        JpegImagePlugin.JpegImageFile(io.BytesIO(bytes(data))).load()


def beginnings() -> st.SearchStrategy[bytes]:
    """Made when they are asked for: each process of the tests loads this file."""
    return st.sampled_from([seed[:40] for seed in seeds()])


@settings(max_examples=100)
@given(st.binary(max_size=300) | st.builds(bytes.__add__, st.deferred(beginnings), st.binary(max_size=200)))
def test_arbitrary_bytes_end_in_a_picture_or_one_refusal(data: bytes) -> None:
    async def attempt() -> None:
        pictures = Pictures(folders=[], decoder=InProcess())
        with suppress(PictureRefusedError):
            uri = "data:;base64," + b64(data)
            assert_nothing_but_picture(b"".join((await pictures.prepare(uri, "human_image")).blocks()))
        with suppress(PictureRefusedError):
            assert len(await pictures.finished.preview(data)) <= limits.PREVIEW_BYTES

    run(attempt)


def test_a_large_file_is_never_held_whole(tmp_path: Path) -> None:
    noise = grain((1700, 1300), 90)
    (tmp_path / "large.jpg").write_bytes(jpeg(noise, quality=97))
    size = (tmp_path / "large.jpg").stat().st_size
    assert size > 4_000_000
    del noise
    gc.collect()

    async def attempt() -> int:
        picture = await Pictures(folders=[tmp_path]).prepare("large.jpg", "human_image")
        return sum(len(block) for block in picture.blocks())

    anyio.run(attempt)
    tracemalloc.start()
    assert anyio.run(attempt) == size
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000
