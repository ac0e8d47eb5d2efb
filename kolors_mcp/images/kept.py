"""Keeps photos for the user by name, drawn anew and readable by the user alone, until they are removed."""

import errno
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import anyio

from kolors_mcp.errors import PictureRefusedError
from kolors_mcp.images import write
from kolors_mcp.images.formats.sniff import HEAD_BYTES, kind_of
from kolors_mcp.images.sources.photos import (
    MAX_PHOTO_NAME_CHARACTERS,
    MAX_PHOTOS,
    PREFIX,
    PhotoFile,
    photos_in,
)
from kolors_mcp.local_pictures import PHOTO_SCHEME
from kolors_mcp.pictures import PictureSource
from kolors_mcp.threads import Threads
from kolors_mcp.wording import quoted

_PRIVATE_FOLDER, _PRIVATE_FILE = 0o700, 0o600
_DRAFT = ".part"
_ABANDONED_SECONDS = 600.0
"""Age from which on a half-written file is left over."""
_NO_PLACE = (
    "This server has no folder to keep photos in: it knows no home of the user's. The photo was not kept. Set HOME "
    "(on Windows LOCALAPPDATA) where the host starts it."
)
_NO_ROOM = f"{MAX_PHOTOS} photos are kept, which is as many as can be. This one was not kept. Remove one first."

Redraw = Callable[[PictureSource, str], Awaitable[bytes]]
"""From a picture and the argument that names it to its pixels alone, as a JPEG or PNG."""


class KeptPhotos:
    """The photos of one user, in a folder that is made with the first of them.

    Args:
        folder: Where they lie; None: nowhere, and none can be kept.
        redraw: Draws a picture anew.
        readers: For work on the disk.
    """

    def __init__(self, folder: Path | None, redraw: Redraw, readers: Threads) -> None:
        self._folder = folder
        self._redraw = redraw
        self._readers = readers
        self._writing = anyio.Lock()

    async def all(self) -> list[PhotoFile]:
        """Return those that there are, the newest first."""
        return await self._readers.run(photos_in, self._folder)

    async def keep(self, source: PictureSource, name: str) -> str:
        """Keep a photo and return its name: the one that is given, with a number if another photo has that.

        Raises:
            PictureRefusedError: The picture cannot be had or used, there are as many as can be, or the folder cannot be
                written to. It was not kept.
        """
        if self._folder is None:
            raise PictureRefusedError(_NO_PLACE)
        data = await self._redraw(source, "image")
        async with self._writing:
            return await self._readers.run(_keep, data, self._folder, name)

    async def remove(self, name: str) -> bool:
        """Take a photo from the disk; return whether there was one of this name.

        Raises:
            PictureRefusedError: It is still there.
        """
        async with self._writing:
            return await self._readers.run(_remove, self._folder, name)


def _keep(data: bytes, folder: Path, name: str) -> str:
    try:
        folder.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        folder.chmod(_PRIVATE_FOLDER)
        photos = photos_in(folder)
        for photo in photos:
            if photo.name.lower() == name.lower() and photo.path.read_bytes() == data:
                return photo.name
        if len(photos) >= MAX_PHOTOS:
            raise PictureRefusedError(_NO_ROOM)
        draft = folder / f".{secrets.token_hex(8)}{_DRAFT}"
        try:
            write.write_whole(draft, data, _PRIVATE_FILE)
            _drop_abandoned(folder, draft.stat().st_mtime)
            return _published(draft, folder, name, ".png" if kind_of(data[:HEAD_BYTES]) == "PNG" else ".jpg")
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        reason = quoted(error.strerror or "unknown reason", 100)
        raise PictureRefusedError(f"The photo could not be kept in {quoted(str(folder))}: {reason}.") from error


def _published(draft: Path, folder: Path, name: str, ending: str) -> str:
    """Give the written file its name, over no other photo's."""
    for number in range(1, MAX_PHOTOS + 2):
        suffix = "" if number == 1 else f"-{number}"
        chosen = name[: MAX_PHOTO_NAME_CHARACTERS - len(suffix)] + suffix
        # Looked for anew each time: another server of the same user may have kept one meanwhile.
        if chosen.lower() in {photo.name.lower() for photo in photos_in(folder)}:
            continue
        target = folder / f"{PREFIX}{chosen}{ending}"
        try:
            write.give_name(draft, target, _PRIVATE_FILE)
        except FileExistsError:
            continue
        # Two servers that do this at the same time see each other here, and the one that comes later gives way.
        others = [photo for photo in photos_in(folder) if photo.path != target]
        is_alone = chosen.lower() not in {photo.name.lower() for photo in others}
        if is_alone and len(others) < MAX_PHOTOS:
            write.settle(folder)
            return chosen
        target.unlink(missing_ok=True)
        if is_alone:
            raise PictureRefusedError(_NO_ROOM)
    raise FileExistsError(errno.EEXIST, "that name is taken")


def _remove(folder: Path | None, name: str) -> bool:
    found = [photo for photo in photos_in(folder) if photo.name.lower() == name.lower()]
    try:
        for photo in found:
            _drop_drafts_of(photo.path)
            photo.path.unlink(missing_ok=True)
        if found and folder is not None:
            _drop_abandoned(folder, folder.stat().st_mtime)
            write.settle(folder)
    except OSError as error:
        reason = quoted(error.strerror or "unknown reason", 100)
        raise PictureRefusedError(f"The photo {quoted(PHOTO_SCHEME + name)} could not be removed: {reason}.") from error
    return bool(found)


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
