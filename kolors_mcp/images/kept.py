"""Keeps photos for the user by name, drawn anew, until they are removed. Where they lie is a store's business."""

from collections.abc import Awaitable, Callable

from kolors_mcp.errors import PictureRefusedError
from kolors_mcp.images.formats.sniff import HEAD_BYTES, kind_of
from kolors_mcp.images.sources.photos import (
    MAX_PHOTO_NAME_CHARACTERS,
    MAX_PHOTOS,
    PhotoStore,
    StoredPhoto,
    photos_in,
)
from kolors_mcp.pictures import PictureSource

_NO_PLACE = (
    "This server has no folder to keep photos in: it knows no home of the user's. The photo was not kept. Set HOME "
    "(on Windows LOCALAPPDATA) where the host starts it."
)
_NO_ROOM = f"{MAX_PHOTOS} photos are kept, which is as many as can be. This one was not kept. Remove one first."
_NO_NAME = "That name was taken again and again meanwhile. The photo was not kept. Choose another name."

Redraw = Callable[[PictureSource, str], Awaitable[bytes]]
"""From a picture and the argument that names it to its pixels alone, as a JPEG or PNG."""


class KeptPhotos:
    """The photos of one user.

    Args:
        store: Where they lie; None: nowhere, and none can be kept.
        redraw: Draws a picture anew.
    """

    def __init__(self, store: PhotoStore | None, redraw: Redraw) -> None:
        self.store = store
        self._redraw = redraw

    async def all(self) -> list[StoredPhoto]:
        """Return those that there are, the newest first."""
        return await photos_in(self.store)

    async def keep(self, source: PictureSource, name: str) -> str:
        """Keep a photo and return its name: the one that is given, with a number if another photo has that.

        Raises:
            PictureRefusedError: The picture cannot be had or used, there are as many as can be, or there is no place
                where it could lie. It was not kept.
        """
        if self.store is None:
            raise PictureRefusedError(_NO_PLACE)
        data = await self._redraw(source, "image")
        async with self.store.writing:
            return await _keep(data, self.store, name)

    async def remove(self, name: str) -> bool:
        """Remove a photo; return whether there was one of this name.

        Raises:
            PictureRefusedError: It is still there.
        """
        if self.store is None:
            return False
        async with self.store.writing:
            found = [photo for photo in await self.store.all() if _is_called(photo, name)]
            for photo in found:
                await self.store.remove(photo)
        return bool(found)


async def _keep(data: bytes, store: PhotoStore, name: str) -> str:
    photos = await store.all()
    for photo in photos:
        if _is_called(photo, name) and await store.holds(photo, data):
            return photo.name
    if len(photos) >= MAX_PHOTOS:
        raise PictureRefusedError(_NO_ROOM)
    ending = ".png" if kind_of(data[:HEAD_BYTES]) == "PNG" else ".jpg"
    for number in range(1, MAX_PHOTOS + 2):
        suffix = "" if number == 1 else f"-{number}"
        chosen = name[: MAX_PHOTO_NAME_CHARACTERS - len(suffix)] + suffix
        # Looked for anew each time: another server of the same user may have kept one meanwhile.
        if any(_is_called(photo, chosen) for photo in await store.all()):
            continue
        added = await store.add(chosen, ending, data)
        if added is None:
            continue
        # Two servers that do this at the same time see each other here, and the one that comes later gives way.
        others = [photo for photo in await store.all() if photo.place != added.place]
        is_alone = not any(_is_called(photo, chosen) for photo in others)
        if is_alone and len(others) < MAX_PHOTOS:
            return chosen
        await store.remove(added)
        if is_alone:
            raise PictureRefusedError(_NO_ROOM)
    raise PictureRefusedError(_NO_NAME)


def _is_called(photo: StoredPhoto, name: str) -> bool:
    return photo.name.lower() == name.lower()
