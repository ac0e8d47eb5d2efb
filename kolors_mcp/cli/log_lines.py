"""Log lines on standard error. Whoever reads it may be slow or have stopped, and nothing else may wait for that."""

import logging
import select
import threading
from queue import SimpleQueue
from typing import TextIO

from kolors_mcp.server.output import writer_at_once

MAX_WAITING_LINES = 2_000
"""That wait for room. What comes beyond is dropped and counted."""
MAX_FLUSH_SECONDS = 1.0
"""For which the end of the process waits for lines that are not out."""


class LogLines(logging.Handler):
    """Writes each record at once where the reader's end has room, else by a thread, in the same order."""

    def __init__(self, descriptor: int) -> None:
        """Take a descriptor, which is left open."""
        super().__init__()
        self._out = open(descriptor, "wb", buffering=0, closefd=False)  # noqa: SIM115  (open to the end)
        self._write_at_once = writer_at_once(descriptor)
        self._pieces: SimpleQueue[bytes] = SimpleQueue()
        self._counting = threading.Lock()
        self._waiting = 0
        self._dropped = 0
        self._is_out = threading.Event()
        self._is_out.set()
        self._writer: threading.Thread | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, or leave it to the thread; never wait."""
        try:
            line = self._line_of(record)
        except Exception:  # noqa: BLE001  (as the library's handlers do: no failure of a log is its caller's)
            self.handleError(record)
            return
        with self._counting:
            if self._waiting >= MAX_WAITING_LINES:
                self._dropped += 1
                return
            if self._waiting == 0:
                line = self._rest_of(line)
            if line:
                self._leave_to_thread(line)

    def flush(self) -> None:
        """Wait a moment until everything is out."""
        self._is_out.wait(MAX_FLUSH_SECONDS)

    def _line_of(self, record: logging.LogRecord) -> bytes:
        return f"{self.format(record)}\n".encode("utf-8", "backslashreplace")

    def _rest_of(self, line: bytes) -> bytes:
        """Write of a line what there is room for; return what is left of it."""
        try:
            return line[self._write_at_once(line) :]
        except OSError:  # the reader has gone, and there is no other place to say so
            return b""

    def _leave_to_thread(self, piece: bytes) -> None:
        self._waiting += 1
        self._is_out.clear()
        self._pieces.put(piece)
        if self._writer is None:
            self._writer = threading.Thread(target=self._write, name="log lines", daemon=True)
            self._writer.start()

    def _write(self) -> None:
        while True:
            self._write_out(self._pieces.get())
            with self._counting:
                self._waiting -= 1
                dropped = self._dropped if self._waiting == 0 else 0
                self._dropped -= dropped
                if dropped:
                    self._leave_to_thread(self._line_of(_told_of(dropped)))
                elif self._waiting == 0:
                    self._is_out.set()

    def _write_out(self, piece: bytes) -> None:
        rest = memoryview(piece)
        try:
            while rest:
                written = self._out.write(rest)
                if written is None:  # the program that started this one has made it a descriptor that never waits
                    select.select((), (self._out,), ())
                rest = rest[written or 0 :]
        except OSError:  # as above
            return


def _told_of(dropped: int) -> logging.LogRecord:
    words = "%d lines of the log were dropped: nobody read it"
    named = {"name": __name__, "levelno": logging.WARNING, "levelname": "WARNING"}
    return logging.makeLogRecord({**named, "msg": words, "args": (dropped,)})


def log_handler(stream: TextIO | None) -> logging.Handler:
    """Return what writes log lines to a stream; to one that is no file, as the library does."""
    if stream is None:
        return logging.NullHandler()
    try:
        return LogLines(stream.fileno())
    except OSError:
        return logging.StreamHandler(stream)
