"""Writes messages to the host: at once where its end has room for them, else in a thread that waits for it."""

import os
import select
import socket
import stat
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import anyio

from kolors_mcp.threads import Threads

if TYPE_CHECKING:
    import io

WriteAtOnce = Callable[[bytes], int]
"""Writes as much of some bytes as there is room for, without waiting, and returns how many that were."""


class Output(anyio.AsyncFile[str]):
    """A file for the SDK, which writes one message after the other."""

    def __init__(self, descriptor: int) -> None:
        """Take a descriptor, which is left open."""
        super().__init__(open(descriptor, "w", encoding="utf-8", closefd=False))  # noqa: SIM115  (open to the end)
        self._write_at_once = writer_at_once(descriptor)
        self._thread = Threads(1)

    async def write(self, b: str) -> int:
        """Write a message, and return how many characters it has."""
        data = b.encode()
        written = self._write_at_once(data)
        if written < len(data):
            await self._thread.run(self._write_out, data[written:])
        return len(b)

    async def flush(self) -> None:
        """Do nothing: what was written is out."""

    def _write_out(self, data: bytes) -> None:
        # Not as text: what is left may begin within a character.
        out = cast("io.TextIOWrapper", self.wrapped).buffer
        out.write(data)
        out.flush()


def writer_at_once(descriptor: int) -> WriteAtOnce:
    """Return what writes to a pipe, a socket, a file or a terminal without waiting; elsewhere, what writes nothing.

    The descriptor is not made one that never waits: others may share it, as a shell does that started this process.
    """
    mode = os.fstat(descriptor).st_mode
    if sys.platform != "win32" and stat.S_ISSOCK(mode):

        def send(data: bytes) -> int:
            connection = socket.socket(fileno=descriptor)
            try:
                return connection.send(data, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return 0  # it has no room
            finally:
                connection.detach()

        return send
    if sys.platform != "win32" and (stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISCHR(mode)):
        room = select.poll()
        room.register(descriptor, select.POLLOUT)

        def write(data: bytes) -> int:
            written = 0
            # A pipe that says it has room takes so many bytes without waiting (POSIX, PIPE_BUF).
            while written < len(data) and room.poll(0):
                written += os.write(descriptor, data[written : written + select.PIPE_BUF])
            return written

        return write
    return lambda _data: 0
