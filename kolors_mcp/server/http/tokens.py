"""Static tokens: a file says whose each is and what it may be used for, by the hash of the token.

The file is read anew when it has changed. What cannot be read as it should be opens nothing: a file that is missing,
empty or not text has no users, a line that is wrong is nobody's, and a token that two lines give to different users or
for different uses is none.
"""

import hashlib
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from anyio import CapacityLimiter, to_thread

from kolors_mcp.bounds import linear
from kolors_mcp.clock import Clock
from kolors_mcp.jobs.in_flight import InFlight, ends
from kolors_mcp.server.http.scopes import SCOPES

logger = logging.getLogger(__name__)

CHECK_EVERY_SECONDS = 3.0
"""Between two looks at the file, while tokens are asked for."""
MAX_LOOKING_SECONDS = 2.0
"""For one look: the disk may be another machine's."""
MAX_AGE_SECONDS = 8.0
"""After which what was read is not believed any more, if a look does not end; and for a look while nothing is known."""
MAX_FILE_BYTES = 5_000_000
MAX_NAME_CHARACTERS = 200
_HASH = re.compile(r"[0-9a-fA-F]{64}")
_BETWEEN_SCOPES = re.compile(r"[,\s]+")


class FileUnseenError(Exception):
    """What is in the file cannot be told at the moment, which is no fault of any token's."""


@dataclass(frozen=True)
class StaticToken:
    """Whose a token is, and what it may be used for."""

    user: str
    scopes: tuple[str, ...]


@dataclass(frozen=True)
class _Stamp:
    """What tells that a file has changed."""

    modified_ns: int
    size: int
    inode: int
    changed_ns: int


@dataclass(frozen=True)
class _Read:
    stamp: _Stamp | None
    """None: there is no such file, or it cannot be read."""
    tokens: Mapping[str, StaticToken]
    """By the hash of each."""
    fault: str | None = None
    """What is wrong with the whole file, as the end of a sentence."""
    wrong_lines: tuple[int, ...] = ()


class TokenFile:
    """The tokens of a file, at most some seconds old."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Read nothing yet."""
        self._path = path
        self._clock = clock
        self._looks: InFlight[None] = InFlight()
        self._thread = CapacityLimiter(1)
        self._read = _Read(None, {}, "has not been read yet")
        self._looked_at = float("-inf")
        self._asked_at = float("-inf")

    @property
    def is_usable(self) -> bool:
        """Whether anybody can come in with a token of this file."""
        return self._is_known and bool(self._read.tokens)

    async def find(self, token: str) -> StaticToken | None:
        """Return whose a token is; None if it is nobody's.

        Raises:
            FileUnseenError: The file could not be looked at of late: neither the disk nor this process had the time.
        """
        await self.look()
        if not self._is_known:
            raise FileUnseenError
        return self._read.tokens.get(hash_of(token))

    @property
    def _is_known(self) -> bool:
        """Whether what was read is believed."""
        return self._clock.monotonic() - self._looked_at <= MAX_AGE_SECONDS

    async def look(self) -> None:
        """Look whether the file has changed, unless that was done a moment ago."""
        now = self._clock.monotonic()
        if now - self._asked_at < CHECK_EVERY_SECONDS and self._looks.get("file") is None:
            return
        if self._looks.get("file") is None:
            self._asked_at = now
        look = self._looks.join("file", self._look)
        # Who asks while a disk does not answer is answered by what was read before, until that is too old.
        await ends(look, self._clock.deadline(MAX_LOOKING_SECONDS if self._is_known else MAX_AGE_SECONDS))

    async def aclose(self) -> None:
        """Look no more."""
        await self._looks.aclose()

    async def _look(self) -> None:
        began = self._clock.monotonic()
        before = self._read
        read = await to_thread.run_sync(
            partial(_read_again, self._path, before), limiter=self._thread, abandon_on_cancel=True
        )
        self._read, self._looked_at = read, began
        if read is before:
            return
        if read.fault is not None:
            logger.error("the file of tokens %s, so no static token is taken", read.fault)
        elif read.wrong_lines:
            logger.error("the file of tokens has lines that cannot be used: %s", _numbers(read.wrong_lines))
        else:
            logger.info("the file of tokens was read: %d tokens", len(read.tokens))


def hash_of(token: str) -> str:
    """Return what the file knows a token by: the SHA-256 of its bytes, in hexadecimal digits."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


@linear(b"a ", b"\n", b"#", b"name " + b"0" * 64 + b" try_on:read,\n", b",", b" ")
def read_tokens(text: str) -> tuple[dict[str, StaticToken], tuple[int, ...]]:
    """Return the tokens of a file's text, by hash, and the numbers of the lines that cannot be used."""
    tokens: dict[str, StaticToken] = {}
    first_lines: dict[str, int] = {}
    doubled: set[str] = set()
    wrong: list[int] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _token_of(line)
        if found is None:
            wrong.append(number)
            continue
        digest, token = found
        if tokens.setdefault(digest, token) != token:
            wrong += [number] if digest in doubled else [first_lines[digest], number]
            doubled.add(digest)
        first_lines.setdefault(digest, number)
    for digest in doubled:
        del tokens[digest]
    return tokens, tuple(sorted(wrong))


def _token_of(line: str) -> tuple[str, StaticToken] | None:
    fields = line.split(maxsplit=2)
    if len(fields) != 3:  # noqa: PLR2004  (name, hash, scopes)
        return None
    name, digest, listed = fields
    scopes = [scope for scope in _BETWEEN_SCOPES.split(listed) if scope]
    if len(name) > MAX_NAME_CHARACTERS or not name.isprintable() or not _HASH.fullmatch(digest):
        return None
    if not scopes or not set(scopes) <= set(SCOPES):
        return None
    return digest.lower(), StaticToken(name, tuple(scope for scope in SCOPES if scope in scopes))


def _read_again(path: Path, before: _Read) -> _Read:
    """Return what is in the file; what was read before, if it is the same."""
    try:
        if not path.is_file():  # a folder, or a pipe at which opening would wait
            return _same(before, _Read(None, {}, "is no ordinary file" if path.exists() else "is missing"))
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            stamp = _Stamp(status.st_mtime_ns, status.st_size, status.st_ino, status.st_ctime_ns)
            if stamp == before.stamp:
                return before
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        return _same(before, _Read(None, {}, f"cannot be read ({type(error).__name__})"))
    return _understood(stamp, data)


def _understood(stamp: _Stamp, data: bytes) -> _Read:
    if len(data) > MAX_FILE_BYTES:
        return _Read(stamp, {}, f"has more than {MAX_FILE_BYTES // 1_000_000} MB")
    try:
        tokens, wrong_lines = read_tokens(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return _Read(stamp, {}, "is no text in UTF-8")
    if not tokens:
        return _Read(stamp, {}, "has no line that can be used", wrong_lines)
    return _Read(stamp, tokens, None, wrong_lines)


def _same(before: _Read, read: _Read) -> _Read:
    """Return what was read before, if nothing else is true now; so it is said once."""
    return before if read == before else read


def _numbers(lines: tuple[int, ...]) -> str:
    most = 10
    shown = ", ".join(map(str, lines[:most]))
    return shown if len(lines) <= most else f"{shown} and {len(lines) - most} more"
