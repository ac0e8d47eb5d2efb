"""What one user can do with pictures for nothing: show, compare and save results, check and keep their own photos."""

from collections.abc import Sequence
from functools import cached_property

from kolors_mcp import errors
from kolors_mcp.jobs.memory import Inputs
from kolors_mcp.models import ResultImage, SavedPicture, TryOn
from kolors_mcp.pictures import Given, PictureSource
from kolors_mcp.try_ons.answers import numbered, why_no_picture
from kolors_mcp.try_ons.comparing import Sheet, compare
from kolors_mcp.try_ons.earlier import source_of
from kolors_mcp.try_ons.gallery import CheckedPhoto, Gallery, View
from kolors_mcp.try_ons.inputs import given_for
from kolors_mcp.try_ons.looking import Looking
from kolors_mcp.try_ons.photos import Photos


class Showing(Looking):
    """The pictures of try-ons, and those that go into them. Nothing of it costs anything."""

    async def view(self, name: str, index: int, *, compare: bool = False) -> View:
        """Return a small JPEG of a finished picture, with what went in to its left if that is wanted and at hand.

        Raises:
            ResultUnavailableError: It is not finished, it failed, has no such picture, or the link is dead.
            KlingError: Kling could not be asked.
        """
        try_on, image = await self._finished(name, index)
        return await self._gallery.view(try_on, image, compare=compare)

    async def compare(self, names: Sequence[str]) -> Sheet:
        """Return the results of several try-ons on one sheet, with the person's photo where it is at hand.

        Raises:
            ResultUnavailableError: Fewer than two of them can be shown.
        """
        self._jobs.require_credentials()

        async def pictured(name: str) -> tuple[TryOn, ResultImage | None]:
            try_on, image, _ = await self._pictured(name, 0)
            return try_on, image

        return await compare(names, pictured, self._gallery, self._call)

    async def picture(self, name: str, index: int) -> tuple[bytes, bool]:
        """Return a finished picture as a JPEG of at most 700,000 bytes, and whether it was shrunk for that.

        Raises:
            ResultUnavailableError, KlingError: As `view`.
        """
        return await self._gallery.picture(*await self._finished(name, index))

    async def save(self, name: str, index: int, chosen: str | None) -> SavedPicture:
        """Save a finished picture whole, over nothing, under a chosen name or the try-on's; return where.

        Raises:
            ResultUnavailableError: As `view`, or there is no folder to save it in.
            PictureRefusedError: The folder cannot be written to.
            KlingError: Kling could not be asked.
        """
        try_on, image = await self._finished(name, index)
        saved = await self._gallery.save(try_on, image, chosen)
        if image.saved_to != saved.saved_to:
            await self._jobs.note_saved(saved.task_id, saved.index, saved.saved_to)
        return saved

    async def check(self, source: str, argument: str) -> CheckedPhoto:
        """Fetch and check a picture as a create would, and return it small. Nothing is sent to Kling, or paid.

        Args:
            source: What a create would be given.
            argument: What it would be given as; refusals begin with it.

        Raises:
            PictureRefusedError: It cannot be had or used, or not in time.
        """
        return await self._gallery.check(await self._given(source, argument), argument)

    def size_of(self, task_id: str, index: int) -> int | None:
        """Return how many bytes of a picture were handed out, if they were of late."""
        return self._jobs.memory.size_of(task_id, index)

    async def _source_of(self, reference: Given, argument: str) -> PictureSource:
        """Return where a picture comes from that an argument names, which may be an earlier result."""

        async def is_known(name: str) -> bool:
            return await self._visible(name) is not None

        async def original(name: str, index: int) -> bytes:
            return await self._gallery.original(*await self._finished(name, index))

        return await source_of(reference, argument, is_known, original, has_files=self._is_local)

    async def _given(self, reference: Given, argument: str) -> Given:
        """Return what an argument is given; where it names what an earlier create was given, that."""

        async def inputs_of(name: str) -> Inputs | None:
            job = await self._visible(name)
            return None if job is None else self._jobs.memory.inputs_of(job.reference)

        return await given_for(reference, argument, inputs_of)

    @property
    def photos(self) -> Photos:
        """The user's own photos on this machine."""

        async def source_of_any(reference: Given, argument: str) -> PictureSource:
            return await self._source_of(await self._given(reference, argument), argument)

        return Photos(self._pictures, self._call, source_of_any, self._jobs.memory.forget_source)

    @cached_property
    def _gallery(self) -> Gallery:
        folders = filter(None, (self._settings.save_dir, self._settings.chosen_dir))
        return Gallery(
            self._jobs.memory, self._pictures, self._call, tuple(folders), self._source_of, self._jobs.copies
        )

    async def _finished(self, name: str, index: int) -> tuple[TryOn, ResultImage]:
        """Return a try-on and its picture with this index; raise `ResultUnavailableError` if there is none."""
        try_on, image, index = await self._pictured(name, index)
        if image is None:
            raise errors.ResultUnavailableError(why_no_picture(try_on, index))
        return try_on, image

    async def _pictured(self, name: str, index: int) -> tuple[TryOn, ResultImage | None, int]:
        """Return a try-on, its picture or the copy here where Kling has none any more, and the index that is meant."""
        meant = await self._meant(name)
        if meant.index is not None and index not in (0, meant.index):
            raise errors.ArgumentError(f"task_id names picture {meant.index}, and index is {index}. Leave one out.")
        index = index if meant.index is None else meant.index
        try_on = await self._look(meant)
        image = numbered(try_on.images, index) or numbered(
            self._answers.copies_of(await self._visible(try_on.task_id)), index
        )
        return try_on, image, index
