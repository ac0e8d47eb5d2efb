"""Fetches finished pictures, from a saved copy or from Kling's link, and puts the photo that was given beside them."""

import asyncio
import errno
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kolors_mcp import errors
from kolors_mcp.jobs.call import Call
from kolors_mcp.jobs.copies import ShelfCopies, stem_of
from kolors_mcp.jobs.memory import Memory
from kolors_mcp.models import ResultImage, SavedPicture, TryOn
from kolors_mcp.pictures import Given
from kolors_mcp.try_ons.preparing import SourceOf
from kolors_mcp.try_ons.uris import SCHEME

if TYPE_CHECKING:
    from kolors_mcp.images.pictures import Pictures

logger = logging.getLogger(__name__)

MAX_STEP_SECONDS, MAX_INPUT_SECONDS = 17.0, 5.0
"""For asking Kling, and again for fetching the picture; then for the photo beside it. Hosts cut at 45 and 60."""
MAX_CHECK_SECONDS = 30.0
"""For a picture that is only looked at, before anything is paid."""
Input = Literal["person", "garment"]


@dataclass(frozen=True)
class View:
    """A picture to show, and what it shows."""

    jpeg: bytes
    try_on: TryOn
    image: ResultImage
    left: Input | None = None
    """What stands to the left of the result."""


@dataclass(frozen=True)
class CheckedPhoto:
    """A picture that a create would take, as it would be sent, and a small JPEG of it."""

    jpeg: bytes
    width: int
    height: int
    label: str
    """Where it comes from, for people."""
    notes: tuple[str, ...]


class Gallery:
    """Shows the pictures of try-ons, for the time of one call."""

    def __init__(
        self,
        memory: Memory,
        pictures: "Pictures",
        call: Call,
        folders: Sequence[Path],
        source_of: SourceOf,
        copies: ShelfCopies | None = None,
    ) -> None:
        """Take what is needed.

        Args:
            memory: Of what creates were given.
            pictures: Fetches and shows.
            call: Bounds all of it.
            folders: Where pictures are saved.
            source_of: Says where a picture comes from that a create was given.
            copies: Where pictures of many users are kept instead, if they are.
        """
        self._copies = copies
        self._memory = memory
        self._pictures = pictures
        self._call = call
        self._folders = folders
        self._source_of = source_of

    async def small(self, try_on: TryOn, image: ResultImage) -> tuple[ResultImage, bytes]:
        """Return a small JPEG of a finished picture, and where the whole one is to be had from then."""
        image, data = await self._fetch_in_time(try_on, image)
        return image, await self._pictures.finished.preview(data)

    async def common_person(self, try_ons: Sequence[TryOn]) -> bytes | None:
        """Return a small JPEG of the person's photo, if it was the same for all of them and is at hand."""
        inputs = [self._memory.inputs_of(try_on.reference or "") for try_on in try_ons]
        people = {None if given is None else given.person for given in inputs}
        person = people.pop()
        if people or person is None:
            return None
        with self._call.deadline.within(MAX_INPUT_SECONDS).scope():
            return await self._input_preview(person)
        return None

    async def sheet(self, smalls: Sequence[bytes], captions: Sequence[str]) -> bytes:
        """Return small pictures on one sheet, each above its caption."""
        return await self._pictures.finished.sheet(smalls, captions)

    async def view(self, try_on: TryOn, image: ResultImage, *, compare: bool) -> View:
        """Return a small JPEG of a finished picture, with what went in to its left if that is wanted and at hand."""
        image, jpeg = await self.small(try_on, image)
        inputs = self._memory.inputs_of(try_on.reference or "") if compare else None
        if inputs is not None:
            sides: tuple[tuple[Input, Given | None], ...] = (("person", inputs.person), ("garment", inputs.garment))
            with self._call.deadline.within(MAX_INPUT_SECONDS).scope():
                for name, source in sides:
                    photo = None if source is None else await self._input_preview(source)
                    if photo is not None:
                        return View(await self._pictures.finished.side_by_side(photo, jpeg), try_on, image, name)
        return View(jpeg, try_on, image)

    async def original(self, try_on: TryOn, image: ResultImage) -> bytes:
        """Return a finished picture whole, as it was served."""
        return (await self._fetch_in_time(try_on, image))[1]

    async def save(self, try_on: TryOn, image: ResultImage, chosen: str | None) -> SavedPicture:
        """Save a finished picture whole, under a chosen name or its label, in the first folder that there is."""
        if not self._folders:
            raise errors.ResultUnavailableError(
                "There is no folder for pictures on this machine. Set KOLORS_SAVE_DIR to one, or open the link."
            )
        image, data = await self._fetch_in_time(try_on, image)
        stem = chosen or try_on.label or stem_of(try_on.task_id, image.index)
        path = await self._pictures.finished.keep(data, self._folders[0], stem)
        return SavedPicture(
            task_id=try_on.task_id,
            label=try_on.label,
            index=image.index,
            saved_to=str(path),
            url=image.url,
            expires_at=image.expires_at,
            expired=image.expired,
            sandbox=try_on.sandbox,
        )

    async def picture(self, try_on: TryOn, image: ResultImage) -> tuple[bytes, bool]:
        """Return a finished picture as a JPEG of at most 700,000 bytes, and whether it was shrunk for that."""
        image, data = await self._fetch_in_time(try_on, image)
        jpeg, shrunk = await self._pictures.finished.for_host(data)
        self._memory.keep_size(try_on.task_id, image.index, len(jpeg))
        return jpeg, shrunk

    async def _fetch_in_time(self, try_on: TryOn, image: ResultImage) -> tuple[ResultImage, bytes]:
        """Return a finished picture in time, as it was served."""
        try:
            with self._call.deadline.within(MAX_STEP_SECONDS).scope():
                return await self._fetch(try_on.task_id, image)
        except errors.PictureRefusedError as error:
            raise _not_shown(try_on, image, str(error)) from error
        raise _not_shown(try_on, image, "It did not come in time.")

    async def _fetch(self, task_id: str, image: ResultImage) -> tuple[ResultImage, bytes]:
        """Return a picture from its copy or else from its link, and where it is to be had from then."""
        if image.saved_to is not None:
            try:
                return image, await self._copy_of(task_id, image)
            except (OSError, errors.KolorsError) as error:
                logger.info("the saved picture cannot be shown (%s)", type(error).__name__)
                if image.url.startswith(("file:", SCHEME)):
                    raise errors.ResultUnavailableError(
                        "Kling does not have this picture any more, and its saved copy is gone or damaged."
                    ) from error
                image = image.model_copy(update={"saved_to": None})
        return image, await self._pictures.finished.download(image.url)

    async def _copy_of(self, task_id: str, image: ResultImage) -> bytes:
        if self._copies is None:
            path = await asyncio.to_thread(self._path_of_copy, task_id, image)
            return await self._pictures.finished.saved(path)
        data = await self._copies.read(self._call.user, task_id, image.index)
        if data is None:
            raise FileNotFoundError(errno.ENOENT, "no copy")
        return data

    def _path_of_copy(self, task_id: str, image: ResultImage) -> Path:
        """Return where a saved picture lies, which must be where and how pictures are saved here.

        Raises:
            OSError: It is any other file, whatever the ledger says.
        """
        path = Path(image.saved_to or "")
        here = any(path.parent.resolve() == folder.resolve() for folder in self._folders)
        # The folder may have been another one when it was saved, but never the name.
        if not here and stem_of(task_id, image.index) not in path.name:
            raise PermissionError(errno.EACCES, "not a picture that was saved here")
        return path

    async def check(self, source: Given, argument: str) -> CheckedPhoto:
        """Return a picture as a create would take it, made small.

        Raises:
            PictureRefusedError: It cannot be had or used, or not in time.
        """
        with self._call.deadline.within(MAX_CHECK_SECONDS).scope():
            picture = await self._pictures.prepare(await self._source_of(source, argument), argument)
            try:
                data = await asyncio.to_thread(lambda: b"".join(picture.blocks()))
            finally:
                picture.close()
            jpeg = await self._pictures.finished.preview(data)
            return CheckedPhoto(jpeg, picture.width, picture.height, picture.label, picture.notes)
        raise errors.PictureRefusedError(f"{argument} was not there in time. Nothing was sent.")

    async def _input_preview(self, source: Given) -> bytes | None:
        """Return what was given, made small; None if it is not there any more."""
        try:
            return (await self.check(source, "picture")).jpeg
        except errors.PictureRefusedError as error:
            logger.info("nothing to compare with: %s", error)
            return None


def _not_shown(try_on: TryOn, image: ResultImage, reason: str) -> errors.ResultUnavailableError:
    if image.expired:
        left = "Its link has expired: Kling keeps pictures for 30 days, and no copy was saved here."
    elif try_on.sandbox:
        left = f"Its link is {image.url} . It is simulated, and ends with this server's process."
    else:
        left = f"Its link is {image.url} . Kling keeps pictures for 30 days; after that only a saved copy is left."
    return errors.ResultUnavailableError(f"The picture cannot be shown: {reason} {left}")
