"""A picture's structure: which of its bytes are picture, and why they may have to be written anew."""

import hashlib
import zlib
from dataclasses import dataclass
from typing import Literal

from kolors_mcp.bounds import MAX_STEPS, Steps
from kolors_mcp.images import limits
from kolors_mcp.images.formats.content import Span
from kolors_mcp.images.refusal import RefusalError

Part = Span | bytes
"""A span of the content, or bytes that stand in its place."""


class BrokenError(Exception):
    """The structure is not what it should be; whether a picture can be saved from it is for the decoder to say."""


@dataclass(frozen=True)
class Structure:
    """A picture whose structure is whole from its first byte to its last."""

    media_type: Literal["image/jpeg", "image/png"]
    width: int
    height: int
    parts: tuple[Part, ...]
    """What is picture, in order. Metadata and everything after the end is left out."""
    size: int
    checksum: int
    """CRC-32 of the parts of a file, to notice that it changed before it was sent; 0 for what cannot change."""
    digest: bytes
    """SHA-256 of the parts."""
    reencode_reason: str | None
    """Why these bytes cannot travel as they are and have to be decoded and written anew; None if they can."""
    scans: int = 1
    progressive: bool = False
    animated: bool = False
    readable: tuple[Span, ...] | None = None
    """What a decoder needs, colours included, texts and the like left out; None: everything."""
    turn: int = 1
    """The orientation that its metadata tells, 1 to 8. A decoder is not shown it again."""

    colour_codes: tuple[int, int] | None = None
    """Primaries and transfer (ITU-T H.273) that a PNG names by number, and that no decoder tells."""

    @property
    def travels(self) -> bool:
        """Whether Kling takes these bytes as they are, whatever their pixels."""
        return self.reencode_reason is None and self.size <= limits.MAX_BYTES


def steps() -> Steps:
    """Return the budget for reading one picture's structure."""
    return Steps(too_many_pieces)


def too_many_pieces() -> RefusalError:
    """Return the refusal of a picture of more pieces than are read."""
    return RefusalError(f"is built of more than {MAX_STEPS} pieces, which takes too long to read. Save it anew first.")


class Parts:
    """Collects the parts that are picture, in order, and what sums them up as they pass: no byte is read twice."""

    def __init__(self, *, checked: bool) -> None:
        self._parts: list[Part] = []
        self._checked = checked
        self._whole = hashlib.sha256()
        self.checksum = 0
        self.size = 0

    def span(self, start: int, data: bytes | memoryview) -> None:
        """Keep `data`, which stands at `start` of the content."""
        stop = start + len(data)
        last = self._parts[-1] if self._parts else None
        if isinstance(last, tuple) and last[1] == start:
            self._parts[-1] = (last[0], stop)
        else:
            self._parts.append((start, stop))
        self._count(data)

    def literal(self, data: bytes) -> None:
        """Keep bytes that the content does not have in this form."""
        self._parts.append(data)
        self._count(data)

    @property
    def parts(self) -> tuple[Part, ...]:
        """What was kept, neighbours joined."""
        return tuple(self._parts)

    @property
    def digest(self) -> bytes:
        """SHA-256 of what was kept."""
        return self._whole.digest()

    def _count(self, data: bytes | memoryview) -> None:
        if self._checked:
            self.checksum = zlib.crc32(data, self.checksum)
        self._whole.update(data)
        self.size += len(data)
