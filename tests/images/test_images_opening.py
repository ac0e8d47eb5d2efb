"""A JPEG whose structure is broken: how far is searched in it for a picture."""

import pytest

from kolors_mcp.bounds import MAX_STEPS
from kolors_mcp.images.formats.content import MemoryContent
from kolors_mcp.images.formats.jpeg import read_structure
from kolors_mcp.images.formats.structure import BrokenError
from kolors_mcp.images.pixels import decode
from tests.support.images_support import jpeg, opened
from tests.support.preparing import prepared, refusal_of

BROKEN = b"\xff\xfe\0\1"
"""A segment shorter than its own length, which the usual decoder passes over."""
FILL = {
    "zeros": b"\0",
    "fill bytes": b"\xff",
    "stuffed bytes": b"\xff\0",
    "empty comments": b"\xff\xfe\0\2",
    "ends": b"\xff\xd9",
    "segments shorter than themselves": BROKEN,
}


@pytest.mark.parametrize("fill", FILL)
def test_a_broken_jpeg_is_not_searched_for_ever(fill: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def open_none(*_: object) -> None:
        raise AssertionError("a decoder was let loose on it")

    monkeypatch.setattr(decode, "opened", open_none)
    data = b"\xff\xd8" + BROKEN + FILL[fill] * (MAX_STEPS + 1) + jpeg()[2:]
    assert refusal_of(data) == (
        "human_image is built of more than 50000 pieces, which takes too long to read. Save it anew first."
    )


@pytest.mark.parametrize("fill", ["zeros", "stuffed bytes"])
def test_a_broken_jpeg_with_some_fill_is_saved(fill: str) -> None:
    data = b"\xff\xd8\xff\xfe\0\2" + FILL[fill] * 1_000 + jpeg()[2:]
    with pytest.raises(BrokenError):
        read_structure(MemoryContent(data))
    assert opened(prepared(data)).size == opened(jpeg()).size
