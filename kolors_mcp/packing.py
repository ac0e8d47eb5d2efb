"""What other servers pack without being asked to: one layer of gzip or deflate, unpacked up to a bound."""

import zlib

from kolors_mcp.bounds import linear

# Names that servers write into the header although nothing is packed.
_NOT_PACKED = frozenset(
    {
        "",
        "identity",
        "none",
        "utf-8",
        "utf8",
        "us-ascii",
        "iso-8859-1",
        "aws-chunked",
        "chunked",
        "binary",
        "7bit",
        "8bit",
    }
)
MAX_MEMBERS = 100
"""Members of an answer packed with gzip; servers that pack in pieces write a few."""
_MEMBER = b"\x1f\x8b\x08"
"""How a member begins."""
_GZIP, _ZLIB, _BARE = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS


class PackingError(Exception):
    """What cannot be unpacked; the text says in which way, as the end of a sentence about an answer."""


class TooLargeError(PackingError):
    """It is larger than what is asked for."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__("is too large")


@linear(b"gzip,", b"identity, ", b",", b" ")
def packing_of(header: str) -> str | None:
    """Return how an answer is packed, by its `Content-Encoding`: `gzip` or `deflate`; None if it is not packed.

    Raises:
        PackingError: More than once, or in another way.
    """
    packings = [name for part in header.split(",") if (name := part.strip().lower()) not in _NOT_PACKED]
    if not packings:
        return None
    if len(packings) > 1:
        raise PackingError("is packed more than once")
    if packings[0] not in ("gzip", "x-gzip", "deflate"):
        raise PackingError("is packed in a way that was not asked for")
    return packings[0].removeprefix("x-")


def unpack(data: bytes | bytearray, packing: str, max_bytes: int) -> bytes | bytearray:
    """Return what was packed with `gzip` or `deflate`.

    Args:
        data: What came.
        packing: As `packing_of` says.
        max_bytes: The most that may come out.

    Raises:
        PackingError: It is damaged, cut off, or too large.
    """
    return unpack_gzip(data, max_bytes) if packing == "gzip" else unpack_deflate(data, max_bytes)


@linear(
    b"\0", b"\0\0\0\xff\xff", b"\x1f\x8b\x08\0\0\0\0\0\0\xff\3\0" + bytes(8),
    opening=b"\x1f\x8b\x08\0\0\0\0\0\0\xff",
)  # fmt: skip
def unpack_gzip(data: bytes | bytearray, max_bytes: int) -> bytearray:
    """Return what was packed with gzip, in one member or, as RFC 9110 has it by RFC 1952, in several.

    Raises:
        PackingError: It is damaged, cut off, or too large.
    """
    content, rest = bytearray(), bytes(data)
    for _ in range(MAX_MEMBERS):
        member, rest = _unpacked(rest, _GZIP, max_bytes - len(content))
        content += member
        # Bytes that follow and begin no further member are ignored, as browsers and `gunzip` do.
        if not rest.startswith(_MEMBER):
            return content
    raise PackingError("comes in too many pieces")


@linear(b"\0", b"\0\0\0\xff\xff", opening=b"\x78\x9c")
def unpack_deflate(data: bytes | bytearray, max_bytes: int) -> bytes:
    """Return what was packed with deflate, in its wrapping or, as some servers send it, without.

    Raises:
        PackingError: It is damaged, cut off, or too large.
    """
    try:
        return _unpacked(data, _ZLIB, max_bytes)[0]
    except zlib.error:
        return _unpacked(data, _BARE, max_bytes)[0]


def _unpacked(data: bytes | bytearray, how: int, max_bytes: int) -> tuple[bytes, bytes]:
    """Return what was packed, and what follows it."""
    unpacking = zlib.decompressobj(how)
    try:
        content = unpacking.decompress(data, max_bytes + 1)
    except zlib.error:
        if how == _ZLIB:
            raise
        raise PackingError("is packed and damaged") from None
    if len(content) > max_bytes:
        raise TooLargeError
    if not unpacking.eof:
        raise PackingError("is packed and cut off")
    return content, unpacking.unused_data
