"""Bytes that were given, in memory or in an open file, read in slices so that a large file is never held whole."""

import io
import os
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from kolors_mcp.images.refusal import RefusalError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

SLICE = 192 * 1024
"""Bytes read at once: fits the processor's cache, and a multiple of 3 so that base64 needs no padding between."""

Span = tuple[int, int]
"""From this byte up to, not including, that one."""


class Content(Protocol):
    """Bytes with random access."""

    size: int
    fixed: bool
    """Whether nobody can change the bytes while they are held."""

    def read(self, start: int, count: int) -> bytes:
        """Return `count` bytes from `start`, fewer at the end."""
        ...

    def slices(self, start: int) -> Iterator[tuple[int, memoryview]]:
        """Yield (offset, bytes) from `start` to the end. A slice is valid until the next one is asked for."""
        ...

    def close(self) -> None:
        """Let go of the bytes."""
        ...


class MemoryContent:
    """Bytes that are held already."""

    fixed = True

    def __init__(self, data: bytes | bytearray) -> None:
        self._view = memoryview(data)
        self.size = len(data)

    def read(self, start: int, count: int) -> bytes:
        """Return a copy of some bytes."""
        return bytes(self._view[start : start + count])

    def slices(self, start: int) -> Iterator[tuple[int, memoryview]]:
        """Yield views."""
        for offset in range(start, self.size, SLICE):
            yield offset, self._view[offset : offset + SLICE]

    def close(self) -> None:
        """Forget the bytes."""
        self._view = memoryview(b"")


class FileContent:
    """An open file. It owns the descriptor; the size is what it was when the file was checked."""

    fixed = False

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor = descriptor
        self._open = True
        self._lock = threading.Lock()
        self.size = size

    def read(self, start: int, count: int) -> bytes:
        """Read some bytes from the disk."""
        wanted = max(0, min(count, self.size - start))
        parts: list[bytes] = []
        while wanted > 0:
            part = self._read_at(start, wanted)
            if not part:
                raise RefusalError("became shorter while it was read. Try again when nothing writes to it.")
            parts.append(part)
            start += len(part)
            wanted -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def slices(self, start: int) -> Iterator[tuple[int, memoryview]]:
        """Read one after the other."""
        for offset in range(start, self.size, SLICE):
            yield offset, memoryview(self.read(offset, SLICE))

    def close(self) -> None:
        """Close the file; may be called again."""
        with self._lock:
            if self._open:
                self._open = False
                os.close(self._descriptor)

    def __del__(self) -> None:
        self.close()

    def _read_at(self, start: int, count: int) -> bytes:
        # The lock keeps a close in one thread from handing the descriptor's number to somebody else's file.
        with self._lock:
            if not self._open:
                raise RefusalError("was let go before it was sent.")
            try:
                if hasattr(os, "pread"):
                    return os.pread(self._descriptor, count, start)
                os.lseek(self._descriptor, start, os.SEEK_SET)
                return os.read(self._descriptor, count)
            except OSError as error:
                raise RefusalError("could not be read from its disk. Try again.") from error


class SpanReader(io.RawIOBase):
    """A file for decoders that shows only some spans of a content, one after the other."""

    def __init__(self, content: Content, spans: tuple[Span, ...]) -> None:
        super().__init__()
        self._content = content
        self._spans = spans
        self._length = sum(stop - start for start, stop in spans)
        self._position = 0

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move, as in any file."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._length}[whence]
        if origin + offset < 0:
            raise ValueError("negative position")
        self._position = origin + offset
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Fill `buffer` with what comes next, up to the end of a span."""
        view = memoryview(buffer).cast("B")
        passed = 0
        for start, stop in self._spans:
            length = stop - start
            if self._position < passed + length:
                skipped = self._position - passed
                data = self._content.read(start + skipped, min(len(view), length - skipped))
                view[: len(data)] = data
                self._position += len(data)
                return len(data)
            passed += length
        return 0
