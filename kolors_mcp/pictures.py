"""Pictures as the layers hand them to each other: where one comes from, and what is sent to Kling."""

import base64
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple, Protocol


class LoadedPicture(NamedTuple):
    """A picture whose bytes are here already, as they were served."""

    data: bytes
    label: str
    """What it is called, for people."""
    notes: tuple[str, ...] = ()
    """What is to be said about it, a line each."""
    title: str | None = None
    """What people call it, if that is known."""


class InlinePicture:
    """What was given as base64, read already: the text itself, of a third more bytes, is not kept."""

    def __init__(self, head: str, data: bytes, gone: Callable[[], None] | None = None) -> None:
        """Hold the bytes.

        Args:
            head: What stood before the base64: nothing, or the beginning of a `data:` URI up to its comma.
            data: What the base64 says.
            gone: Is told, at least once, when nobody needs the bytes any more.
        """
        self.head = head
        self.data = data
        self.gone = gone

    @property
    def text(self) -> str:
        """What was given, letter for letter."""
        return self.head + base64.b64encode(self.data).decode()

    def kept(self) -> "InlinePicture":
        """Return the same for one who keeps it for longer than its call."""
        return InlinePicture(self.head, self.data)

    def let_go(self) -> None:
        """Forget the bytes here; a call may wait for long after it has used them."""
        self.data = b""

    def __eq__(self, other: object) -> bool:
        """Whether the same was given."""
        return isinstance(other, InlinePicture) and (self.head, self.data) == (other.head, other.data)

    def __hash__(self) -> int:
        """Return a number for sets; of one that was let go it is another."""
        return hash((self.head, self.data))

    def __repr__(self) -> str:
        """Tell only how large it is."""
        return f"<{type(self).__name__} {len(self.data)} bytes>"


Given = str | InlinePicture
"""How an argument names a picture: a link, path, `file://` link, `data:` URI or bare base64."""
PictureSource = Given | LoadedPicture
"""Where a picture comes from: as an argument names it, or the picture itself."""


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
