"""One user's own photos on this machine: those that they keep by name."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kolors_mcp import errors
from kolors_mcp.jobs.call import Call
from kolors_mcp.local_pictures import PHOTO_SCHEME, KeptPhotos, LocalPicture
from kolors_mcp.try_ons.preparing import SourceOf

if TYPE_CHECKING:
    from kolors_mcp.images.pictures import Pictures


class Photos:
    """What a user can do with photos of their own. It owns nothing, like the view of their try-ons."""

    def __init__(self, pictures: "Pictures", call: Call, source_of: SourceOf) -> None:
        """Take what all calls share, the call that this is for, and what knows earlier results."""
        self._pictures = pictures
        self._call = call
        self._source_of = source_of

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
        return KeptPhotos(kept=await self.kept())

    async def kept(self) -> tuple[LocalPicture, ...]:
        """Return the kept photos, the newest first."""
        return tuple(
            LocalPicture(
                path=PHOTO_SCHEME + photo.name,
                size_bytes=photo.size,
                modified_at=datetime.fromtimestamp(photo.modified_at, UTC).replace(microsecond=0),
            )
            for photo in await self._pictures.kept.all()
        )
