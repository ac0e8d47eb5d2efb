"""Photos that the user keeps by name: which there are, and opening one. `images/kept.py` keeps and removes them.

Each is `NAME.jpg` or `NAME.png`, wherever they lie. A name is the same whatever its case, as some file systems have it.
"""

import re
from dataclasses import dataclass
from typing import Protocol

import anyio

from kolors_mcp.bounds import linear
from kolors_mcp.images.formats.content import Content
from kolors_mcp.images.refusal import RefusalError
from kolors_mcp.local_pictures import PHOTO_SCHEME
from kolors_mcp.wording import quoted

MAX_PHOTOS = 20
"""Photos that can be kept."""
MAX_PHOTO_NAME_CHARACTERS = 60
MAX_ENTRIES = 1_000
"""Files of a place that are looked at; it has a few more than there are photos."""

_NAME = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_PHOTO_NAME_CHARACTERS}}}")
_FILE = re.compile(rf"({_NAME.pattern})\.(?:jpg|png)")
_MAX_TOLD = 10
"""Names that a refusal tells."""


@dataclass(frozen=True)
class StoredPhoto:
    """A kept photo, as the place tells of it where it lies."""

    name: str
    place: str
    """Where it lies, as its store writes that."""
    size: int
    """Bytes."""
    modified_at: float
    """Seconds since 1970."""


class PhotoStore(Protocol):
    """Where the photos of one user lie. `images/kept.py` has the rules; a store only puts, gives and drops."""

    writing: anyio.Lock
    """Held by whoever changes something; others than this process may change something at the same time."""

    async def all(self) -> list[StoredPhoto]:
        """Return the kept photos, in any order."""
        ...

    async def open(self, photo: StoredPhoto) -> Content:
        """Open a photo.

        Raises:
            RefusalError: It was removed meanwhile, or cannot be read.
        """
        ...

    async def holds(self, photo: StoredPhoto, data: bytes) -> bool:
        """Whether a photo is exactly these bytes."""
        ...

    async def add(self, name: str, ending: str, data: bytes) -> StoredPhoto | None:
        """Put a photo there, whole or not at all; None if there is one of this very name and ending.

        Raises:
            PictureRefusedError: Nothing can be put there.
        """
        ...

    async def remove(self, photo: StoredPhoto) -> None:
        """Remove a photo; one that is gone already is no error.

        Raises:
            PictureRefusedError: It is still there.
        """
        ...


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


@linear(b"a", b"-", b".jpg", b".", "é".encode())
def name_in_file(text: str) -> str | None:
    """Return the name of the photo in a file called so; None if none is."""
    named = _FILE.fullmatch(text)
    return None if named is None else named[1]


async def photos_in(store: PhotoStore | None) -> list[StoredPhoto]:
    """Return the kept photos, the newest first; none where none can be kept."""
    found = [] if store is None else await store.all()
    return sorted(found, key=lambda photo: (-photo.modified_at, photo.name))


async def open_photo(name: str, store: PhotoStore | None) -> Content:
    """Open a kept photo.

    Raises:
        RefusalError: None is kept under this name, or it cannot be read.
    """
    photos = await photos_in(store)
    found = next((photo for photo in photos if photo.name.lower() == name.lower()), None)
    if found is None or store is None:
        raise RefusalError(f"names no kept photo: {quoted(PHOTO_SCHEME + name)}. {_kept_words(photos)}")
    return await store.open(found)


def unusable(photo: StoredPhoto, what: str) -> RefusalError:
    """Return the refusal of a photo that is kept and cannot be had: that it `is damaged`, for example."""
    return RefusalError(f"is a kept photo that {what}: {quoted(PHOTO_SCHEME + photo.name)}. Keep it anew.")


def _kept_words(photos: list[StoredPhoto]) -> str:
    if not photos:
        return 'None is kept. The user keeps one in the fitting room (open_fitting_room), by "Use in chat".'
    told = ", ".join(PHOTO_SCHEME + photo.name for photo in photos[:_MAX_TOLD])
    more = f" and {len(photos) - _MAX_TOLD} more, which list_pictures shows" if len(photos) > _MAX_TOLD else ""
    return f"Kept are {told}{more}."
