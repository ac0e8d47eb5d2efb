"""A TIFF of a million strips is refused by what it says of itself, before a decoder lists them."""

import struct

import pytest

from kolors_mcp.images.formats.content import MemoryContent
from kolors_mcp.images.formats.examine import look
from kolors_mcp.images.refusal import RefusalError


def in_pieces(count: int, *, order: str = "<", big: bool = False, tag: int = 273) -> bytes:
    """A TIFF that says that its list of pieces is so long."""
    number, entry, start = ("Q", "HHQQ", 16) if big else ("H", "HHII", 8)
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}H", 43 if big else 42)
    head += struct.pack(f"{order}HHQ", 8, 0, start) if big else struct.pack(f"{order}I", start)
    entries = [(256, 3, 1, 1000), (257, 3, 1, 1000), (258, 3, 1, 8), (262, 3, 1, 1), (tag, 4, count, 8)]
    directory = b"".join(struct.pack(f"{order}{entry}", *one) for one in entries)
    return head + struct.pack(f"{order}{number}", len(entries)) + directory + bytes(100)


@pytest.mark.parametrize("tag", [273, 279, 324, 325])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_a_list_of_more_pieces_than_are_read_is_refused_before_it_is_decoded(
    *, tag: int, order: str, big: bool
) -> None:
    with pytest.raises(RefusalError, match="built of more than 50000 pieces"):
        look(MemoryContent(in_pieces(50_001, order=order, big=big, tag=tag)))
    for data in (in_pieces(50_000, order=order, big=big, tag=tag), in_pieces(50_001, order=order, big=big, tag=34675)):
        assert look(MemoryContent(data)).kind == "TIFF"


def test_a_directory_that_is_not_there_is_left_to_the_decoder() -> None:
    for data in (
        b"II*\0" + b"\xff" * 40,
        b"II+\0\x08\0\0\0" + b"\xff" * 40,
        in_pieces(50_001)[:40],
        b"II*\0\x08\0\0\0",
    ):
        assert look(MemoryContent(data)).kind == "TIFF"
