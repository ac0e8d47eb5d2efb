"""Kept photos of one of many users, on the shelf of a service: an object `NAME.jpg` or `.png` in the user's folder."""

from collections.abc import Sequence
from typing import Protocol

import anyio

from kolors_mcp.errors import KolorsError, PictureRefusedError
from kolors_mcp.images.formats.content import MemoryContent
from kolors_mcp.images.limits import MAX_BYTES
from kolors_mcp.images.refusal import RefusalError
from kolors_mcp.images.sources.photos import MAX_ENTRIES, StoredPhoto, name_in_file, unusable
from kolors_mcp.local_pictures import PHOTO_SCHEME
from kolors_mcp.wording import quoted


class Objects(Protocol):
    """What is needed of a shelf. Every method raises a `KolorsError` where it fails."""

    async def create(self, name: str, data: bytes) -> bool:
        """Keep bytes under a name, over nothing; return False where something lies there."""
        ...

    async def get(self, name: str, max_bytes: int) -> bytes | None:
        """Return what lies under a name; None if nothing does, or more."""
        ...

    async def delete(self, names: Sequence[str]) -> None:
        """Remove what lies under these names."""
        ...

    async def listed(self, folder: str, most: int) -> Sequence[tuple[str, int, float]]:
        """Return what lies in a folder: the name, the bytes, and since when, in seconds since 1970."""
        ...


class PhotoShelf:
    """A store in a folder of a shelf."""

    def __init__(self, shelf: Objects, folder: str) -> None:
        """Touch nothing yet; the folder is one user's."""
        self._shelf = shelf
        self._folder = folder
        self.writing = anyio.Lock()

    async def all(self) -> list[StoredPhoto]:
        """Return those that there are."""
        found: list[StoredPhoto] = []
        for place, size, modified_at in await self._shelf.listed(self._folder, MAX_ENTRIES):
            name = name_in_file(place.removeprefix(f"{self._folder}/"))
            if name is not None:
                found.append(StoredPhoto(name, place, size, modified_at))
        return found

    async def open(self, photo: StoredPhoto) -> MemoryContent:
        """Fetch one."""
        try:
            data = await self._shelf.get(photo.place, MAX_BYTES)
        except KolorsError as error:
            said = f"is a kept photo that cannot be had just now: {quoted(PHOTO_SCHEME + photo.name)}. Try again soon."
            raise RefusalError(said, transient=True) from error
        if not data:
            raise unusable(photo, "was removed just now" if data is None else "is damaged")
        return MemoryContent(data)

    async def holds(self, photo: StoredPhoto, data: bytes) -> bool:
        """Whether one is exactly these bytes."""
        return photo.size == len(data) and await self._shelf.get(photo.place, MAX_BYTES) == data

    async def add(self, name: str, ending: str, data: bytes) -> StoredPhoto | None:
        """Put one there."""
        place = f"{self._folder}/{name}{ending}"
        try:
            is_new = await self._shelf.create(place, data)
        except KolorsError as error:
            raise PictureRefusedError("The photo was not kept: its place cannot be reached. Try again soon.") from error
        return StoredPhoto(name, place, len(data), 0.0) if is_new else None

    async def remove(self, photo: StoredPhoto) -> None:
        """Remove one."""
        try:
            await self._shelf.delete([photo.place])
        except KolorsError as error:
            name = quoted(PHOTO_SCHEME + photo.name)
            raise PictureRefusedError(f"The photo {name} could not be removed just now. Try again soon.") from error
