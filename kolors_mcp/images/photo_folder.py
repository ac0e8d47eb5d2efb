"""Kept photos in a folder of the user's own machine, readable by the user alone: a file `photo-NAME.jpg` or `.png`."""

import errno
import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import anyio

from kolors_mcp.errors import PictureRefusedError
from kolors_mcp.images import write
from kolors_mcp.images.formats.content import FileContent
from kolors_mcp.images.limits import MAX_BYTES
from kolors_mcp.images.sources.photos import MAX_ENTRIES, StoredPhoto, name_in_file, unusable
from kolors_mcp.local_pictures import PHOTO_SCHEME
from kolors_mcp.threads import Threads
from kolors_mcp.wording import quoted

PREFIX = "photo-"
"""How the files' names begin: no name of a photo alone becomes a device of Windows or a hidden file."""
_PRIVATE_FOLDER, _PRIVATE_FILE = 0o700, 0o600
_DRAFT = ".part"
_ABANDONED_SECONDS = 600.0
"""Age from which on a half-written file is left over."""

T = TypeVar("T")


class PhotoFolder:
    """A store in a folder that is made with the first photo.

    Args:
        folder: Where they lie.
        readers: For work on the disk.
    """

    def __init__(self, folder: Path, readers: Threads) -> None:
        self._folder = folder
        self._readers = readers
        self.writing = anyio.Lock()

    async def all(self) -> list[StoredPhoto]:
        """Return those that there are."""
        return await self._readers.run(_photos_in, self._folder)

    async def open(self, photo: StoredPhoto) -> FileContent:
        """Open one."""
        return await self._readers.run(_opened, photo)

    async def holds(self, photo: StoredPhoto, data: bytes) -> bool:
        """Whether one is exactly these bytes."""
        return await self._doing(lambda: photo.size == len(data) and Path(photo.place).read_bytes() == data)

    async def add(self, name: str, ending: str, data: bytes) -> StoredPhoto | None:
        """Put one there."""
        return await self._doing(partial(_added, self._folder, name, ending, data))

    async def remove(self, photo: StoredPhoto) -> None:
        """Remove one."""
        await self._readers.run(_remove, self._folder, photo)

    async def _doing(self, deed: Callable[[], T]) -> T:
        try:
            return await self._readers.run(deed)
        except OSError as error:
            reason = quoted(error.strerror or "unknown reason", 100)
            where = quoted(str(self._folder))
            raise PictureRefusedError(f"The photo could not be kept in {where}: {reason}.") from error


def _photos_in(folder: Path) -> list[StoredPhoto]:
    found: list[StoredPhoto] = []
    try:
        with os.scandir(folder) as entries:
            for _, entry in zip(range(MAX_ENTRIES), entries, strict=False):
                if not entry.name.startswith(PREFIX) or not entry.is_file(follow_symlinks=False):
                    continue
                name = name_in_file(entry.name.removeprefix(PREFIX))
                if name is not None:
                    status = entry.stat(follow_symlinks=False)
                    found.append(StoredPhoto(name, entry.path, status.st_size, status.st_mtime))
    except OSError:  # nothing was ever kept
        return found
    return found


def _opened(photo: StoredPhoto) -> FileContent:
    flags = os.O_RDONLY
    for option in ("O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "O_BINARY", "O_NOINHERIT"):
        flags |= getattr(os, option, 0)
    try:
        descriptor = os.open(photo.place, flags)
    except OSError as error:
        gone = error.errno == errno.ENOENT
        raise unusable(photo, "was removed just now" if gone else "cannot be read") from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or not 0 < status.st_size <= MAX_BYTES:
        os.close(descriptor)
        raise unusable(photo, "is damaged")
    return FileContent(descriptor, status.st_size)


def _added(folder: Path, name: str, ending: str, data: bytes) -> StoredPhoto | None:
    folder.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
    folder.chmod(_PRIVATE_FOLDER)
    draft = folder / f".{secrets.token_hex(8)}{_DRAFT}"
    target = folder / f"{PREFIX}{name}{ending}"
    try:
        write.write_whole(draft, data, _PRIVATE_FILE)
        now = draft.stat().st_mtime
        _drop_abandoned(folder, now)
        write.give_name(draft, target, _PRIVATE_FILE)
        write.settle(folder)
        return StoredPhoto(name, str(target), len(data), now)
    except FileExistsError:
        return None
    finally:
        draft.unlink(missing_ok=True)


def _remove(folder: Path, photo: StoredPhoto) -> None:
    path = Path(photo.place)
    try:
        _drop_drafts_of(path)
        path.unlink(missing_ok=True)
        _drop_abandoned(folder, folder.stat().st_mtime)
        write.settle(folder)
    except OSError as error:
        name, reason = quoted(PHOTO_SCHEME + photo.name), quoted(error.strerror or "unknown reason", 100)
        raise PictureRefusedError(f"The photo {name} could not be removed: {reason}.") from error


def _drop_drafts_of(photo: Path) -> None:
    """Take away what is still the same file by its first name: its process ended in between."""
    for entry in photo.parent.glob(f".*{_DRAFT}"):
        with suppress(FileNotFoundError):
            if entry.samefile(photo):
                entry.unlink()


def _drop_abandoned(folder: Path, now: float) -> None:
    """Take away what a process left that ended while it wrote: what is much older than now, by the disk's own clock."""
    for entry in folder.glob(f".*{_DRAFT}"):
        with suppress(OSError):
            if now - entry.stat().st_mtime > _ABANDONED_SECONDS:
                entry.unlink()
