"""Pictures as the layers hand them to each other: where one comes from, and what is sent to Kling."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True)
class LoadedPicture:
    """A picture whose bytes are here already, as they were served."""

    data: bytes
    label: str
    """What it is called, for people."""
    notes: tuple[str, ...] = ()
    """What is to be said about it, a line each."""
    title: str | None = None
    """What people call it, if that is known."""


PictureSource = str | LoadedPicture
"""Where a picture comes from: a link, path, `file://` link, `data:` URI or bare base64, or the picture itself."""


class PictureBytes(Protocol):
    """What of a picture is sent: its bytes, handed out in blocks, so that a large file is never held whole."""

    @property
    def size(self) -> int:
        """Bytes; exactly what `blocks` adds up to."""
        ...

    def blocks(self) -> Iterator[bytes | memoryview]:
        """Yield the bytes in order. Can be called again to start over.

        Raises:
            PictureRefusedError: The file behind it changed since it was checked.
        """
        ...

    def close(self) -> None:
        """Let go of the file behind it, if there is one."""
        ...


class Picture(PictureBytes, Protocol):
    """A picture that Kling takes: a JPEG or PNG within the limits, nothing but picture data in it."""

    @property
    def media_type(self) -> Literal["image/jpeg", "image/png"]:
        """What it is, judged by its content."""
        ...

    @property
    def width(self) -> int:
        """Pixels."""
        ...

    @property
    def height(self) -> int:
        """Pixels."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to make it fit, one plain line each; empty if nothing was."""
        ...

    @property
    def label(self) -> str:
        """Where it came from, fit for people: a file name or a host, never content, never a query."""
        ...

    @property
    def title(self) -> str | None:
        """What people call it, in one line: after its file or its page; None where nothing says so."""
        ...

    @property
    def digest(self) -> bytes:
        """SHA-256 of the bytes."""
        ...

    @property
    def sources(self) -> frozenset[bytes]:
        """What tells the picture, or each picture that it was put together from, from any other."""
        ...
