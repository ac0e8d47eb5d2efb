"""Photos that the user keeps by name: which there are, and opening one. `images/kept.py` writes and removes them.

They lie in a folder of their own, each as `photo-NAME.jpg` or `.png`. A name is the same whatever its case, as some
file systems have it.
"""

import errno
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from kolors_mcp.bounds import linear
from kolors_mcp.images.formats.content import FileContent
from kolors_mcp.images.limits import MAX_BYTES
from kolors_mcp.images.refusal import RefusalError
from kolors_mcp.local_pictures import PHOTO_SCHEME
from kolors_mcp.wording import quoted

MAX_PHOTOS = 20
"""Photos that can be kept."""
MAX_PHOTO_NAME_CHARACTERS = 60
PREFIX = "photo-"
"""How the files' names begin: no name of a photo alone becomes a device of Windows or a hidden file."""

_NAME = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_PHOTO_NAME_CHARACTERS}}}")
_FILE = re.compile(rf"{PREFIX}({_NAME.pattern})\.(?:jpg|png)")
_MAX_ENTRIES = 1_000
"""Files of the folder that are looked at; it has a few more than there are photos."""
_MAX_TOLD = 10
"""Names that a refusal tells."""


@dataclass(frozen=True)
class PhotoFile:
    """A kept photo, as the folder tells of it."""

    name: str
    path: Path
    size: int
    """Bytes."""
    modified_at: float
    """Seconds since 1970."""


@linear(b"photo:", b"a", b"-", b":", b" ", "é".encode())
def photo_name(text: str) -> str | None:
    """Return the name in `photo:NAME`; None if the text is nothing of that form."""
    if text[: len(PHOTO_SCHEME)].lower() != PHOTO_SCHEME:
        return None
    return text[len(PHOTO_SCHEME) :] if is_photo_name(text[len(PHOTO_SCHEME) :]) else None


@linear(b"a", b"-", b"_", b" ", "é".encode())
def is_photo_name(text: str) -> bool:
    """Whether a photo can be kept under this name."""
    return _NAME.fullmatch(text) is not None


def photos_in(folder: Path | None) -> list[PhotoFile]:
    """Return the kept photos, the newest first; none where nothing was ever kept."""
    found: list[PhotoFile] = []
    if folder is None:
        return found
    try:
        with os.scandir(folder) as entries:
            for _, entry in zip(range(_MAX_ENTRIES), entries, strict=False):
                named = _FILE.fullmatch(entry.name)
                if named is not None and entry.is_file(follow_symlinks=False):
                    status = entry.stat(follow_symlinks=False)
                    found.append(PhotoFile(named[1], Path(entry.path), status.st_size, status.st_mtime))
    except OSError:
        return found
    return sorted(found, key=lambda photo: (-photo.modified_at, photo.name))


def open_photo(name: str, folder: Path | None) -> FileContent:
    """Open a kept photo.

    Raises:
        RefusalError: None is kept under this name, or it cannot be read.
    """
    photos = photos_in(folder)
    found = next((photo for photo in photos if photo.name.lower() == name.lower()), None)
    if found is None:
        raise RefusalError(f"names no kept photo: {quoted(PHOTO_SCHEME + name)}. {_kept_words(photos)}")
    flags = os.O_RDONLY
    for option in ("O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "O_BINARY", "O_NOINHERIT"):
        flags |= getattr(os, option, 0)
    try:
        descriptor = os.open(found.path, flags)
    except OSError as error:
        gone = error.errno == errno.ENOENT
        what = "was removed just now" if gone else "cannot be read"
        raise RefusalError(f"is a kept photo that {what}: {quoted(PHOTO_SCHEME + name)}. Keep it anew.") from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or not 0 < status.st_size <= MAX_BYTES:
        os.close(descriptor)
        raise RefusalError(f"is a kept photo that is damaged: {quoted(PHOTO_SCHEME + name)}. Keep it anew.")
    return FileContent(descriptor, status.st_size)


def _kept_words(photos: list[PhotoFile]) -> str:
    if not photos:
        return 'None is kept. The user keeps one in the fitting room (open_fitting_room), by "Use in chat".'
    told = ", ".join(PHOTO_SCHEME + photo.name for photo in photos[:_MAX_TOLD])
    more = f" and {len(photos) - _MAX_TOLD} more, which list_pictures shows" if len(photos) > _MAX_TOLD else ""
    return f"Kept are {told}{more}."
