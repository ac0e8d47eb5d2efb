"""Puts something in place of the last bytes that a JPEG or WebP lacks, so that a decoder gives what is there."""

from kolors_mcp.images.formats.content import Content, MemoryContent
from kolors_mcp.images.formats.sniff import Kind

_END = b"\xff\xd9"
_OTHER = b"\x55\xaa" * 8192
"""Coded data that no camera writes: what a decoder makes of it differs from what it makes of nothing."""
_MAX_MISSING_SHARE = 0.1
"""Share of a WebP that may be missing: with more there is nothing to hope for."""


def completed_pictures(content: Content, kind: Kind) -> tuple[Content, Content] | None:
    """Return a picture that ends early with two different ends; None if it does not end early."""
    if kind == "JPEG":
        data = content.read(0, content.size).rstrip(b"\xff")
        if data.endswith(_END):
            return None
        return MemoryContent(data + _END), MemoryContent(data + _OTHER + _END)
    if kind == "WebP":
        declared = 8 + int.from_bytes(content.read(4, 4), "little")
        missing = declared - content.size
        if not 0 < missing <= content.size * _MAX_MISSING_SHARE:
            return None
        data = content.read(0, content.size)
        return MemoryContent(data + bytes(missing)), MemoryContent(
            data + (_OTHER * (missing // len(_OTHER) + 1))[:missing]
        )
    return None
