"""Takes an answer in at a pace of ours: whatever a server sends, the event loop gets its turn between the pieces.

The HTTP library takes apart all that it was given without one pause, and hands over each piece of a chunked answer by
itself. So it is given little at once until it is known that a piece is as large as what was read; a head, a trailer or
a line between two chunks has a most; and an answer that comes in crumbs is given up.
"""

import ssl
from contextlib import AsyncExitStack
from typing import Any

import anyio
import httpcore

from kolors_mcp.images.sources.waits import Waits

_HEAD_BYTES_AT_ONCE = 8 * 1024
"""Bytes read at once before the answer's own bytes begin: some 500 of the smallest interim answers."""
_CHUNK_BYTES_AT_ONCE = 16 * 1024
_BODY_BYTES_AT_ONCE = 256 * 1024
"""Bytes read at once where each reading is one piece: a turn of the loop costs as much as these bytes."""
_MOST_AROUND_BYTES = 64 * 1024
_MOST_AROUND_LINES = 1_000
"""Most bytes and lines between two pieces of an answer, or before the first: interim answers, headers, trailers."""
_MANY = 1_000
_CRUMB_BYTES = 64
"""More than so many readings or pieces must bring so many bytes each, on the average."""
_TURN_EVERY = 64
"""Pieces that are handed over between two turns of the loop: some milliseconds."""
_TURN_EVERY_ENCRYPTED = 8
"""Readings of an encrypted connection between two turns of the loop: some milliseconds, with what is done of each."""


class CrumbsError(Exception):
    """The answer comes in so small pieces that taking it would cost more than it is worth."""


class _Tally:
    """How many steps brought how many bytes."""

    def __init__(self) -> None:
        self.steps = 0
        self._bytes = 0

    def add(self, size: int) -> None:
        self.steps += 1
        self._bytes += size
        if self.steps > _MANY and self._bytes < self.steps * _CRUMB_BYTES:
            raise CrumbsError


class PacedStream(httpcore.AsyncNetworkStream):
    """A connection that reads as much at once as the answer's form allows, and holds what was `held` for it.

    Args:
        stream: The open connection.
        held: What is let go of when the connection is closed.
        waits: The account of the fetch that it is made for.
        encrypted: Whether the stream decrypts what comes.
    """

    def __init__(
        self, stream: httpcore.AsyncNetworkStream, held: AsyncExitStack, waits: Waits, *, encrypted: bool = False
    ) -> None:
        self._stream = stream
        self._encrypted = encrypted
        self._held = held
        self._waits = waits
        self._at_once = _HEAD_BYTES_AT_ONCE
        self._in_body = False
        self._read, self._handed_over = _Tally(), _Tally()
        self._bytes_around = self._lines_around = 0

    def begin_body(self, *, chunked: bool) -> None:
        """Read on in the pieces that suit a body of this form."""
        self._at_once = _CHUNK_BYTES_AT_ONCE if chunked else _BODY_BYTES_AT_ONCE
        self._in_body = True

    async def hand_over(self, size: int) -> None:
        """Take note of a piece of the body, and give the loop its turn now and then.

        Raises:
            CrumbsError: There were many pieces, and next to nothing in them.
        """
        self._handed_over.add(size)
        self._bytes_around = self._lines_around = 0
        if self._handed_over.steps % _TURN_EVERY == 0:
            await anyio.lowlevel.checkpoint()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002, ASYNC109  (the library's)
        """Return what has come, up to what is read at once.

        Raises:
            CrumbsError: There were many readings, and next to nothing in them.
            TooSlowError: The fetch has waited for too long.
            httpcore.RemoteProtocolError: What stands before, between or behind the pieces has no end.
        """
        if self._bytes_around > _MOST_AROUND_BYTES or self._lines_around > _MOST_AROUND_LINES:
            message = "The answer has too much around its body."
            raise httpcore.RemoteProtocolError(message)
        # An encrypted connection returns what it has unpacked already without a turn of the loop; others never do.
        if self._encrypted and self._read.steps % _TURN_EVERY_ENCRYPTED == 0:
            await anyio.lowlevel.checkpoint()
        with self._waits.for_server():
            data = await self._stream.read(self._at_once, timeout)
        if data:
            self._read.add(len(data))
        if self._in_body:
            self._waits.came(len(data))
        if self._at_once < _BODY_BYTES_AT_ONCE:
            self._bytes_around += len(data)
            self._lines_around += data.count(b"\n")
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109  (the library's)
        """Send."""
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Hang up, and let go of what was held."""
        try:
            await self._stream.aclose()
        finally:
            await self._held.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  (the library's)
    ) -> httpcore.AsyncNetworkStream:
        """Go on encrypted. If that fails, the connection is closed: the library forgets it then."""
        try:
            with self._waits.for_server():
                stream = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self.aclose()
            raise
        return PacedStream(stream, self._held, self._waits, encrypted=True)

    def get_extra_info(self, info: str) -> Any:
        """Tell what the connection knows."""
        return self._stream.get_extra_info(info)
