"""Text and pictures of megabytes that lie in files without a name, so that calls which wait hold none of it in memory.

A file without a name is gone with the last who has it open, however the process ends. Where there is no place for one,
what should lie in it stays in memory.
"""

import logging
import os
import tempfile
import threading
from typing import Self

logger = logging.getLogger(__name__)

LONG = 1_000_000
"""Characters or bytes from which on something lies in a file."""
MOST_FILES = 200
"""Texts that lie in files at once; systems often allow a process 1,024 open files, which pictures and connections need
too."""
_HEAD = 5_000
"""Characters of a long text that are at hand: more than any path, address or id may have."""


class LongText(str):
    """A long text, of which only the beginning is this text; `whole` is all of it."""

    __slots__ = ("_descriptor", "length")
    _lock = threading.Lock()
    _files = 0

    def __new__(cls, text: str, descriptor: int) -> Self:
        """Take a text and the file that it lies in, which is closed with the last who has this."""
        made = super().__new__(cls, text[:_HEAD])
        made._descriptor = descriptor
        made.length = len(text)
        LongText._files += 1
        return made

    @staticmethod
    def of(text: str) -> str:
        """Return a text, put into a file if it is long and ASCII, as base64 is. It blocks."""
        if len(text) < LONG or not text.isascii() or LongText._files >= MOST_FILES:
            return text
        descriptor = put_aside(text.encode("ascii"))
        return text if descriptor is None else LongText(text, descriptor)

    def whole(self) -> str:
        """Return all of it, read from the file. It blocks.

        Raises:
            OSError: It cannot be read.
        """
        with self._lock, os.fdopen(os.dup(self._descriptor), "rb") as file:
            file.seek(0)
            return file.read(self.length).decode("ascii")

    def __del__(self) -> None:
        os.close(self._descriptor)
        LongText._files -= 1


def length_of(text: str) -> int:
    """Return how many characters a text has, whether it lies in a file or not."""
    return text.length if isinstance(text, LongText) else len(text)


def put_aside(data: bytes | bytearray) -> int | None:
    """Return a descriptor of a file without a name with these bytes in it; none if there is no place for one."""
    try:
        with tempfile.TemporaryFile(prefix="kolors-mcp-") as file:
            file.write(data)
            file.flush()
            return os.dup(file.fileno())
    except OSError as error:
        logger.warning("a large picture stays in memory: no temporary file could be written (%s)", error.strerror)
        return None
