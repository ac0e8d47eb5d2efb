"""The one thing that is read from a photo's metadata: which way is up."""

import struct

from kolors_mcp.bounds import linear

_ORIENTATION = 0x0112
_SHORT = 3


@linear(b"\1\0\0\3\0\0\0\1\0\0\0\1", b"\0", b"MM\0*", opening=b"MM\0*\0\0\0\x08\xff\xff")
def orientation(blob: bytes) -> int:
    """Return the orientation tag, 1 to 8, of an EXIF block; 1 if there is none or the block is broken.

    Args:
        blob: The block from its TIFF header on, with or without the `Exif` marker before it. Only its first directory
            is read, each of its entries (65,535 at most) once; nothing that it points to is followed.
    """
    if blob[:6] == b"Exif\x00\x00":
        blob = blob[6:]
    order = {b"II": "<", b"MM": ">"}.get(blob[:2])
    if order is None:
        return 1
    try:
        magic, start = struct.unpack_from(order + "HI", blob, 2)
        if magic != 42:  # noqa: PLR2004  (TIFF's fixed number)
            return 1
        (entries,) = struct.unpack_from(order + "H", blob, start)
        for index in range(entries):
            tag, kind, count = struct.unpack_from(order + "HHI", blob, start + 2 + 12 * index)
            if tag == _ORIENTATION:
                (value,) = struct.unpack_from(order + "H", blob, start + 2 + 12 * index + 8)
                return value if kind == _SHORT and count == 1 and 1 <= value <= 8 else 1  # noqa: PLR2004  (the tag's range)
    except struct.error:
        return 1
    return 1
