"""A checked picture on its way to Kling: in memory, or still in its file."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from kolors_mcp.errors import PictureRefusedError
from kolors_mcp.images.formats.content import SLICE, Content, MemoryContent
from kolors_mcp.images.formats.structure import Part, Structure
from kolors_mcp.images.limits import NOTED_ASPECT_RATIO
from kolors_mcp.images.refusal import RefusalError


class CheckedPicture:
    """A `kolors_mcp.pictures.Picture`. Every block but the last is a multiple of 3 bytes, as base64 likes it."""

    def __init__(
        self,
        content: Content,
        structure: Structure,
        *,
        notes: tuple[str, ...],
        label: str,
        title: str | None,
        subject: str,
        sources: frozenset[bytes] = frozenset(),
    ) -> None:
        self.media_type: Literal["image/jpeg", "image/png"] = structure.media_type
        self.width = structure.width
        self.height = structure.height
        self.size = structure.size
        self.notes = notes
        self.label = label
        self.title = title
        self.digest = structure.digest
        """The same picture has the same one, wherever it came from."""
        self.sources = sources or frozenset((structure.digest,))
        self._content = content
        self._parts: tuple[Part, ...] = structure.parts
        self._checksum = structure.checksum
        self._subject = subject

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.label} {self.width} x {self.height}, {self.size} bytes>"

    def blocks(self) -> Iterator[bytes | memoryview]:
        """Yield the bytes in order; see `kolors_mcp.pictures.Picture.blocks`."""
        # Another program may write to a file between the check and now. The last block is held back until all that is
        # sent is known to be what was checked, so that nothing else ever leaves whole. A checksum is enough: who can
        # write to the file could as well have written a picture in the first place.
        checksum = 0
        held: bytes | None = None
        try:
            for block in self._assembled():
                if not self._content.fixed:
                    checksum = zlib.crc32(block, checksum)
                if held is not None:
                    yield held
                held = block
        except RefusalError as error:
            raise PictureRefusedError(f"{self._subject} {error}") from error
        if checksum != self._checksum:
            raise PictureRefusedError(
                f"{self._subject} changed while it was read; it was not used. Try again when nothing writes to it."
            )
        if held is not None:
            yield held

    def close(self) -> None:
        """Let go of the file behind it, if there is one."""
        self._content.close()

    def _assembled(self) -> Iterator[bytes]:
        """Yield the parts as blocks of equal size."""
        block: list[bytes] = []
        room = SLICE
        for part in self._parts:
            source, (start, stop) = (
                (MemoryContent(part), (0, len(part))) if isinstance(part, bytes) else (self._content, part)
            )
            while start < stop:
                data = source.read(start, min(room, stop - start))
                block.append(data)
                room -= len(data)
                start += len(data)
                if not room:
                    yield _joined(block)
                    block, room = [], SLICE
        if block:
            yield _joined(block)


def _joined(pieces: list[bytes]) -> bytes:
    # Nearly always there is one, and nothing is copied.
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


@dataclass(frozen=True)
class Named:
    """How a picture is named: where it came from, and what people call it."""

    label: str
    title: str | None


def checked(
    content: Content, structure: Structure, notes: tuple[str, ...], named: Named, subject: str, *sources: bytes
) -> CheckedPicture:
    """Return a picture that is fit, with a note on sides that are odd; `sources` are digests of what it is made of."""
    longer, shorter = max(structure.width, structure.height), min(structure.width, structure.height)
    if longer > shorter * NOTED_ASPECT_RATIO:
        notes += (f"its sides are {structure.width} to {structure.height}; beyond 2.5 to 1 Kling may refuse it",)
    return CheckedPicture(
        content,
        structure,
        notes=notes,
        label=named.label,
        title=named.title,
        subject=subject,
        sources=frozenset(sources),
    )
