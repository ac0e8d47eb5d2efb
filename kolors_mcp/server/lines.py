"""Reads what the host writes line by line, with a bound on the length of a line."""

import os

from kolors_mcp.server.messages import Read, message_of, refusal_of

MAX_LINE_BYTES = 56_000_000
"""Two pictures of 20 MB in base64, and what stands around them."""
_PIECE_BYTES = 256 * 1024
_ENDS_BYTES = 4_096
"""At both ends of a line that is too long; the number of the request is looked for there."""


class LineReader:
    """Reads lines from a descriptor; it blocks, so it belongs into a thread.

    Args:
        descriptor: Where to read.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._held = bytearray()
        self._ended = False

    def next(self) -> Read | None:
        """Return the next line that says anything; None at the end of all."""
        while (line := self._line()) is not None:
            if isinstance(line, bytes | bytearray):
                read = message_of(line) if line and not line.isspace() else None
            else:
                read = refusal_of(*line, f"is longer than {MAX_LINE_BYTES:,} bytes; give pictures as files or links")
            if read is not None:
                return read
        return None

    def _line(self) -> bytes | bytearray | tuple[bytes, bytes] | None:
        """Return the next line, or both ends of one that is too long; None at the end of all."""
        searched = 0
        while (end := self._held.find(b"\n", searched)) < 0:
            searched = len(self._held)
            if searched > MAX_LINE_BYTES:
                return self._ends_of_a_long_one()
            if not self._more():
                line, self._held = self._held, bytearray()
                return line or None
        rest = len(self._held) - end - 1
        if rest > end:
            line = bytes(self._held[:end])
            del self._held[: end + 1]  # which moves nothing
            return line
        line, self._held = self._held, self._held[end + 1 :]
        del line[end:]
        return line

    def _ends_of_a_long_one(self) -> tuple[bytes, bytes]:
        head = bytes(self._held[:_ENDS_BYTES])
        while (end := self._held.find(b"\n")) < 0:
            self._held = self._held[-_ENDS_BYTES:]
            if not self._more():
                end = len(self._held)
                break
        tail = bytes(self._held[max(end - _ENDS_BYTES, 0) : end])
        del self._held[: end + 1]
        return head, tail

    def _more(self) -> bool:
        if not self._ended:
            piece = os.read(self._descriptor, _PIECE_BYTES)
            self._held += piece
            self._ended = not piece
        return not self._ended
