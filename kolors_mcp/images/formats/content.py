"""Bytes that were given, in memory or in an open file, read in slices so that a large file is never held whole."""

import io
import os
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, Protocol

from kolors_mcp.images.refusal import RefusalError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

SLICE = 192 * 1024
"""Bytes read at once: fits the processor's cache, and a multiple of 3 so that base64 needs no padding between."""

_FIRST_SLICE = 4 * 1024
"""Bytes read at first, where the end may be near: a scan of a few bytes must not cost the reading of a whole slice."""

_AHEAD = 4 * 1024
"""So many bytes of a file are read where fewer are asked for, as a name or a table: the next ones are mostly near."""

Span = tuple[int, int]
"""From this byte up to, not including, that one."""


class Content(Protocol):
    """Bytes with random access."""

    size: int
    fixed: bool
    """Whether the bytes cannot change while they are held."""

    def read(self, start: int, count: int) -> bytes:
        """Return `count` bytes from `start`, fewer at the end."""
        ...

    def slices(self, start: int) -> Iterator[tuple[int, memoryview]]:
        """Yield (offset, bytes) from `start` to the end, short ones first; one is valid until the next is asked."""
        ...

    def close(self) -> None:
        """Let go of the bytes."""
        ...


class MemoryContent:
    """Bytes that are held already; `gone` is told when they are forgotten."""

    fixed = True

    def __init__(self, data: bytes | bytearray, gone: Callable[[], None] | None = None) -> None:
        self._view = memoryview(data)
        self._gone = gone
        self.size = len(data)

    def read(self, start: int, count: int) -> bytes:
        """Return a copy of some bytes."""
        return bytes(self._view[start : start + count])

    def slices(self, start: int) -> Iterator[tuple[int, memoryview]]:
        """Yield views."""
        for offset, count in _places(start, self.size):
            yield offset, self._view[offset : offset + count]

    def close(self) -> None:
        """Forget the bytes; may be called again."""
        self._view = memoryview(b"")
        gone, self._gone = self._gone, None
        if gone is not None:
            gone()


class FileContent:
    """An open file. It owns the descriptor; the size is what it was when the file was checked."""

    fixed = False

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor = descriptor
        self._open = True
        self._lock = threading.Lock()
        self._ahead: tuple[int, bytes] = (0, b"")
        """What was read last beyond a few bytes that were asked for, and where it stands."""
        self.size = size

    def read(self, start: int, count: int) -> bytes:
        """Read some bytes from the disk, or a few from what was read before if they are in it."""
        if count > _AHEAD:
            return self._read(start, count)
        begins, ahead = self._ahead
        if not begins <= start <= start + count <= begins + len(ahead):
            begins, ahead = self._ahead = (start, self._read(start, _AHEAD))
        return ahead[start - begins : start - begins + count]

    def _read(self, start: int, count: int) -> bytes:
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
        """Read one after the other; what was read before comes first."""
        begins, ahead = self._ahead
        if begins <= start < begins + len(ahead):
            yield start, memoryview(ahead)[start - begins :]
            start = begins + len(ahead)
        for offset, count in _places(start, self.size):
            yield offset, memoryview(self.read(offset, count))

    def close(self) -> None:
        """Close the file; may be called again."""
        with self._lock:
            self._ahead = (0, b"")
            if self._open:
                self._open = False
                os.close(self._descriptor)

    def duplicate(self) -> int:
        """Return a descriptor of its own of the same open file, to be closed by the caller."""
        with self._lock:
            if not self._open:
                raise RefusalError("was let go before it was sent.")
            return os.dup(self._descriptor)

    def __del__(self) -> None:
        self.close()

    def _read_at(self, start: int, count: int) -> bytes:
        # The lock keeps a close in one thread from handing the descriptor's number to another file.
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


def _places(start: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield where slices begin and how long they are, each eight times the one before until they are whole ones."""
    count = _FIRST_SLICE
    while start < size:
        yield start, count
        start += count
        count = min(SLICE, count * 8)


def joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return spans without empty ones, those that touch made one."""
    whole: list[Span] = []
    for start, stop in spans:
        if start == stop:
            continue
        if whole and whole[-1][1] == start:
            whole[-1] = (whole[-1][0], stop)
        else:
            whole.append((start, stop))
    return tuple(whole)


class SpanReader(io.RawIOBase):
    """A file for decoders that shows only some spans of a content, one after the other.

    Wherever it is asked to read it finds its place by halving, and a read goes on over the ends of spans, so that
    reading through any number of them takes time in proportion to their bytes and their number.
    """

    def __init__(self, content: Content, spans: Iterable[Span]) -> None:
        super().__init__()
        self._content = content
        self._spans = joined(spans)
        self._ends = list(accumulate(stop - start for start, stop in self._spans))
        """Where each span ends in this file."""
        self._length = self._ends[-1] if self._ends else 0
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
        """Fill `buffer` with what comes next."""
        view = memoryview(buffer).cast("B")
        filled = 0
        index = bisect_right(self._ends, self._position)
        while filled < len(view) and index < len(self._spans):
            left = self._ends[index] - self._position
            count = min(left, len(view) - filled)
            data = self._content.read(self._spans[index][1] - left, count)
            view[filled : filled + len(data)] = data
            filled += len(data)
            self._position += len(data)
            if len(data) < count:  # the content is shorter than its spans say
                break
            index += 1
        return filled
