"""How bytes go between the server and its decoding process: a socket where there is one for this, else two pipes."""

import os
import socket
import struct
from collections.abc import Sequence

from kolors_mcp.images.worker.messages import MAX_PICTURES, MalformedError

MAX_HEADER_BYTES = 4_000_000
"""Bytes of a header: the spans of a picture in very many pieces are most of it."""
_PREFIX = struct.Struct(">I")
_PIECE_BYTES = 1 << 18
HANDS_OVER = hasattr(socket, "send_fds")
"""Whether open files can be handed over on this system."""


class EndedError(Exception):
    """The other side is gone."""


class Channel:
    """Reads and writes whole messages on descriptors that it owns; it blocks, so it belongs into a thread.

    Args:
        reading: Where to read.
        writing: Where to write; with a socket, the same.
    """

    def __init__(self, reading: int, writing: int) -> None:
        self._reading = reading
        self._writing = writing
        self.hands_over = reading == writing and HANDS_OVER
        """Whether open files can go along with a header."""

    def send(self, header: bytes, files: Sequence[int] = ()) -> None:
        """Send a header, and open files with it, which stay open here.

        Raises:
            EndedError: The other side is gone.
        """
        message = _PREFIX.pack(len(header)) + header
        if files:
            try:
                with self._socket(self._writing) as end:
                    sent = socket.send_fds(end, [message], list(files))
            except OSError as error:
                raise EndedError from error
            message = message[sent:]
        self.write(message)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes as they are.

        Raises:
            EndedError: The other side is gone.
        """
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._writing, view[:_PIECE_BYTES]) :]
        except OSError as error:
            raise EndedError from error

    def receive(self) -> bytes:
        """Return the next header; open files that come with it are not taken.

        Raises:
            EndedError: The other side is gone.
            MalformedError: The header is longer than any.
        """
        return self._header(self.read(_PREFIX.size))

    def receive_with_files(self) -> tuple[bytes, list[int]]:
        """Return the next header and the open files that came with it; the caller closes them.

        Raises:
            EndedError, MalformedError: As `receive`.
        """
        if not self.hands_over:
            return self.receive(), []
        try:
            with self._socket(self._reading) as end:
                prefix, files, _, _ = socket.recv_fds(end, _PREFIX.size, MAX_PICTURES)
        except OSError as error:
            raise EndedError from error
        if not prefix:
            raise EndedError
        return self._header(prefix + self.read(_PREFIX.size - len(prefix))), files

    def read(self, count: int) -> bytearray:
        """Return exactly so many bytes.

        Raises:
            EndedError: The other side is gone.
        """
        data = bytearray(count)
        filled = 0
        try:
            while filled < count:
                piece = os.read(self._reading, min(_PIECE_BYTES, count - filled))
                if not piece:
                    raise EndedError
                data[filled : filled + len(piece)] = piece
                filled += len(piece)
        except OSError as error:
            raise EndedError from error
        return data

    def close(self) -> None:
        """Close the descriptors; may be called again."""
        for descriptor in {self._reading, self._writing} - {-1}:
            os.close(descriptor)
        self._reading = self._writing = -1

    def _header(self, prefix: bytes | bytearray) -> bytes:
        (length,) = _PREFIX.unpack(prefix)
        if length > MAX_HEADER_BYTES:
            raise MalformedError
        return bytes(self.read(length))

    @staticmethod
    def _socket(descriptor: int) -> socket.socket:
        """Return the socket behind a descriptor, to be closed by itself."""
        end = socket.socket(fileno=os.dup(descriptor))
        end.setblocking(True)  # a program that we are a part of may have set a default time-out
        return end
