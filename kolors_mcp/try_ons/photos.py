"""One user's own photos on this machine: those that they keep by name, and those in the folders that may be read."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kolors_mcp import errors
from kolors_mcp.jobs.call import Call
from kolors_mcp.local_pictures import PHOTO_SCHEME, KeptPhotos, LocalPicture, LocalPictures
from kolors_mcp.try_ons.preparing import SourceOf

if TYPE_CHECKING:
    from kolors_mcp.images.pictures import Pictures


MAX_LOOKING_SECONDS = 20.0
"""What looking through the folders may take; a disk over a network may be slow, or gone."""


class Photos:
    """What a user can do with photos of their own. It owns nothing, like the view of their try-ons."""

    def __init__(self, pictures: "Pictures", call: Call, source_of: SourceOf, forget: Callable[[str], None]) -> None:
        """Take what all calls share, the call that this is for, what knows earlier results, what forgets sources."""
        self._pictures = pictures
        self._call = call
        self._source_of = source_of
        self._forget = forget

    async def keep(self, image: str, name: str) -> KeptPhotos:
        """Keep a photo by name until it is removed; another photo of this name stays, and this one gets a number.

        Raises:
            PictureRefusedError: It cannot be had, used or kept.
        """
        with self._call.deadline.scope():
            kept = await self._pictures.kept.keep(await self._source_of(image, "image"), name)
            return KeptPhotos(path=PHOTO_SCHEME + kept, kept=await self.kept())
        raise errors.PictureRefusedError("The photo was not ready in time, and was not kept. Use a smaller one.")

    async def remove(self, name: str) -> KeptPhotos:
        """Take a kept photo from the disk; one that is gone already is no error.

        Raises:
            PictureRefusedError: It is still there.
        """
        await self._pictures.kept.remove(name)
        self._forget(PHOTO_SCHEME + name)
        return KeptPhotos(kept=await self.kept())

    async def list(self, query: str, limit: int) -> LocalPictures:
        """Return the newest pictures that may be used here, and the kept photos, by their names alone.

        Args:
            query: Words that the names have in them; `photo:` and more words: only kept ones.
            limit: Most files.

        Raises:
            PictureRefusedError: The folders could not be looked through in time.
        """
        words = query.strip()
        kept_only = words[: len(PHOTO_SCHEME)].lower() == PHOTO_SCHEME
        words = words[len(PHOTO_SCHEME) :].strip() if kept_only else words
        wanted = words.lower().split()
        kept = tuple(photo for photo in await self.kept() if all(word in photo.path.lower() for word in wanted))
        if kept_only:
            return LocalPictures(kept=kept)
        deadline = self._call.deadline.within(MAX_LOOKING_SECONDS)
        with deadline.scope():
            nearby = await self._pictures.nearby(words, limit, deadline.earlier(1.0).left)
            pictures = tuple(_listed(found.path, found.size, found.modified_at) for found in nearby.pictures)
            return LocalPictures(kept=kept, pictures=pictures, more=nearby.more)
        raise errors.PictureRefusedError(
            "The folders of pictures could not be looked through in time; one may lie on a slow disk. "
            "Nothing was sent. Ask the user for the path."
        )

    async def kept(self) -> tuple[LocalPicture, ...]:
        """Return the kept photos, the newest first."""
        return tuple(
            _listed(PHOTO_SCHEME + photo.name, photo.size, photo.modified_at)
            for photo in await self._pictures.kept.all()
        )


def _listed(path: str, size: int, modified_at: float) -> LocalPicture:
    moment = datetime.fromtimestamp(modified_at, UTC).replace(microsecond=0)
    return LocalPicture(path=path, size_bytes=size, modified_at=moment)
