"""Which pictures lie in the allowed folders, told by their names alone: none is opened, and no step is without end."""
# Names are put together and listed as plain strings, as in `allowed`.
# ruff: noqa: PTH118, PTH206

import heapq
import os
import stat
import unicodedata
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from kolors_mcp.bounds import linear
from kolors_mcp.folders import ANY_NAME
from kolors_mcp.images.limits import MAX_FILE_BYTES
from kolors_mcp.images.sources.allowed import Allowed
from kolors_mcp.images.sources.names import as_seen
from kolors_mcp.wording import plain

MAX_DEPTH = 3
"""Folders in each other below an allowed one."""
MAX_LOOKED_AT = 5_000
"""Names that are looked at, in all folders together."""
MAX_TOLD_PATH_CHARACTERS = 500
"""Of a path that is told; longer ones are not made by people."""
_ENDINGS = (
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".png",
    ".webp",
    ".heic",
    ".heif",
    ".avif",
    ".gif",
    ".bmp",
    ".tif",
    ".tiff",
)
_NAMES_A_TURN = 200
"""Names of a folder that are looked at before the next folder has its turn: a large one hides no other."""
_MAX_NAME_CHARACTERS = 255
_LAST_SECOND = 253_402_300_799
"""Of the year 9999; some disks tell later ones."""


@dataclass(frozen=True)
class FoundPicture:
    """A picture's file, as its folder tells of it."""

    path: str
    size: int
    """Bytes."""
    modified_at: float
    """Seconds since 1970."""


@dataclass(frozen=True)
class Nearby:
    """What was found."""

    pictures: list[FoundPicture]
    """The newest first."""
    more: bool
    """Whether there are more, or there may be."""


def find_pictures(folders: Sequence[Path], query: str, limit: int, left: Callable[[], float]) -> Nearby:
    """Return the newest pictures in the allowed folders; where links lead is judged as for a file that is opened.

    Args:
        folders: Where files may be read.
        query: Words that the name, or a folder's below the allowed one, has in it, whatever their case; none: any.
        limit: Most of them.
        left: Tells how many seconds are left.
    """
    walk = _Walk(Allowed(folders), _folded(query).split(), left)
    walk.run()
    newest = heapq.nlargest(limit, walk.found, key=lambda picture: picture.modified_at)
    return Nearby(newest, more=len(walk.found) > len(newest) or not walk.whole)


@linear(b"a", b" ", b"\xcc\x81\xcc\xa3", b"\xe2\x80\x8b", b"\n")
def told(path: str) -> str | None:
    """Return a path as it can be told on a line and given back; None if it cannot."""
    if len(path) > MAX_TOLD_PATH_CHARACTERS:
        return None
    # What looks the same opens the same file, so hidden characters can be left out.
    shown = path if plain(path, MAX_TOLD_PATH_CHARACTERS) == path else as_seen(path)
    return shown if plain(shown, MAX_TOLD_PATH_CHARACTERS) == shown and '"' not in shown else None


@linear(b"a", b"A", b" ", b"\xcc\x81\xcc\xa3", b"\xc3\x9f")
def _folded(text: str) -> str:
    # Bringing accents into order takes more than in proportion; no file's name is longer.
    return unicodedata.normalize("NFC", text[:_MAX_NAME_CHARACTERS]).casefold()


@dataclass
class _Folder:
    path: str
    depth: int
    below: str = ""
    """Its name below the allowed folder, for the words of a query."""
    entries: "Iterator[os.DirEntry[str]] | None" = None


@dataclass
class _Walk:
    allowed: Allowed
    words: list[str]
    left: Callable[[], float]
    found: list[FoundPicture] = field(default_factory=list[FoundPicture])
    whole: bool = True
    budget: int = field(default_factory=lambda: MAX_LOOKED_AT)
    seen: set[str] = field(default_factory=set[str])
    waiting: "deque[_Folder]" = field(default_factory=deque["_Folder"])

    def run(self) -> None:
        for root in self.allowed.real:
            for folder in self._expanded(root):
                self._add(_Folder(folder, 0))
        # One level after the other, the folders of a level by turns.
        while self.waiting:
            folder = self.waiting.popleft()
            if self.budget <= 0 or self.left() <= 0:
                self.whole = False
                self._close(folder)
                continue
            if not self._look(folder):
                self.waiting.append(folder)

    def _expanded(self, root: str) -> list[str]:
        """Return the folders that one with `*` in it stands for."""
        parts = root.split(os.sep)
        if ANY_NAME not in parts:
            return [root]
        found = [parts[0] + os.sep]
        for part in parts[1:]:
            if part != ANY_NAME:
                found = [os.path.join(folder, part) for folder in found]
                continue
            found = [os.path.join(folder, name) for folder in found for name in self._names(folder)]
        return found

    def _names(self, folder: str) -> list[str]:
        names: list[str] = []
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                self.budget -= 1
                if self.budget <= 0 or self.left() <= 0:
                    self.whole = False
                    break
                if not entry.name.startswith(".") and entry.is_dir():
                    names.append(entry.name)
        return names

    def _add(self, folder: _Folder) -> None:
        """Take a folder in line, if its names may be known; each once, whatever leads there."""
        real = os.path.realpath(folder.path)
        if real not in self.seen and self.allowed.may_list(folder.path):
            self.seen.add(real)
            self.waiting.append(folder)

    def _look(self, folder: _Folder) -> bool:
        """Look at some names of a folder; return whether those were all."""
        try:
            if folder.entries is None:
                folder.entries = os.scandir(folder.path)
            for _ in range(_NAMES_A_TURN):
                entry = next(folder.entries, None)
                if entry is None:
                    self._close(folder)
                    return True
                self.budget -= 1
                self._take(entry, folder)
                if self.budget <= 0:
                    break
        except OSError:
            self._close(folder)
            return True
        return False

    def _take(self, entry: "os.DirEntry[str]", folder: _Folder) -> None:
        name = entry.name
        if name.startswith("."):
            return
        below = f"{folder.below}/{_folded(name)}"
        with suppress(OSError):
            if name.lower().endswith(_ENDINGS):
                if all(word in below for word in self.words):
                    self._keep(entry)
            elif folder.depth < MAX_DEPTH and entry.is_dir():
                self._add(_Folder(entry.path, folder.depth + 1, below))

    def _keep(self, entry: "os.DirEntry[str]") -> None:
        if entry.is_symlink() and not self.allowed.has(os.path.realpath(entry.path)):
            return
        status = entry.stat()
        path = told(entry.path)
        if path is not None and stat.S_ISREG(status.st_mode) and 0 < status.st_size <= MAX_FILE_BYTES:
            self.found.append(FoundPicture(path, status.st_size, min(max(status.st_mtime, 0), _LAST_SECOND)))

    @staticmethod
    def _close(folder: _Folder) -> None:
        close = getattr(folder.entries, "close", None)
        if close is not None:
            close()
