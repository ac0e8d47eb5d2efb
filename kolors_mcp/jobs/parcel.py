"""The two pictures of a create as one object on the shelf, under a name that tells whether it came back whole."""

import hashlib
from collections.abc import Iterator

from kolors_mcp.pictures import PictureBytes

FOLDER = "waiting"
MAX_PARCEL_BYTES = 64_000_000
"""More than two pictures that Kling takes can come to."""
_LENGTH_BYTES = 8
"""Of the first picture's length, which comes first."""


class KeptPicture:
    """A picture whose bytes are in memory; a `PictureBytes`."""

    def __init__(self, data: memoryview) -> None:
        self.size = len(data)
        self._data = data

    def blocks(self) -> Iterator[memoryview]:
        """Yield the bytes."""
        yield self._data

    def close(self) -> None:
        """Hold no file."""


def packed(first: PictureBytes, second: PictureBytes) -> bytes:
    """Return both pictures in one piece.

    Raises:
        PictureRefusedError: The file behind one changed since it was checked.
    """
    whole = bytearray(first.size.to_bytes(_LENGTH_BYTES, "big"))
    for picture in (first, second):
        for block in picture.blocks():
            whole += block
    return bytes(whole)


def seal_of(parcel: bytes) -> str:
    """Return what tells a parcel from one that has changed."""
    return hashlib.sha256(parcel).hexdigest()


def unpacked(parcel: bytes) -> tuple[KeptPicture, KeptPicture]:
    """Return the two pictures of a parcel that is whole."""
    end = _LENGTH_BYTES + int.from_bytes(parcel[:_LENGTH_BYTES], "big")
    view = memoryview(parcel)
    return KeptPicture(view[_LENGTH_BYTES:end]), KeptPicture(view[end:])
