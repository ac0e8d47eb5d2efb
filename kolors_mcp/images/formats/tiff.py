"""How many pieces a TIFF says that it is built of: its decoder lists them all before it reads any."""

import struct

from kolors_mcp.bounds import MAX_STEPS, linear
from kolors_mcp.images.formats.content import Content
from kolors_mcp.images.formats.structure import too_many_pieces

_ORDERS = {b"II": "<", b"MM": ">"}
_BIG = 43
"""The number that follows the order of bytes in a BigTIFF; in a TIFF it is 42."""
_LISTS = frozenset((273, 279, 324, 325))
"""Tags of where strips and tiles stand, and of their bytes (TIFF 6.0)."""
_MAX_ENTRIES = 65_535
"""Of a directory, as many as a TIFF can number."""


@linear(b"\x11\1\4\0\1\0\0\0\0\0\0\0", b"\0", b"\xff", opening=b"II*\0\x08\0\0\0\xff\xff")
def require_few_pieces(content: Content) -> None:
    """Refuse a TIFF of more strips or tiles than any other picture may have pieces.

    Raises:
        RefusalError: It is one.
    """
    head = content.read(0, 16)
    order = _ORDERS.get(head[:2])
    if order is None or len(head) < 16:  # noqa: PLR2004  (the header of the longer form)
        return
    is_big = struct.unpack_from(order + "H", head, 2)[0] == _BIG
    place, number, entry = (("Q", 8), "Q", "HHQ8x") if is_big else (("I", 4), "H", "HHI4x")
    number, entry = struct.Struct(order + number), struct.Struct(order + entry)
    (start,) = struct.unpack_from(order + place[0], head, place[1])
    if start + number.size > content.size:
        return
    counted = content.read(start, number.size)
    most = min(number.unpack(counted)[0], _MAX_ENTRIES)
    directory = content.read(start + number.size, most * entry.size)
    for tag, _, count in entry.iter_unpack(directory[: len(directory) // entry.size * entry.size]):
        if tag in _LISTS and count > MAX_STEPS:
            raise too_many_pieces()
