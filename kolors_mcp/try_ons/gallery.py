"""What there is to look at: finished pictures, while their links live and from their copies, and what went in."""

import asyncio
import errno
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import anyio

from kolors_mcp import errors
from kolors_mcp.ledger.entry import Entry
from kolors_mcp.long_text import length_of
from kolors_mcp.models import ResultImage, TryOn
from kolors_mcp.try_ons.keeping import stem_of
from kolors_mcp.try_ons.outcome import next_step, picture_uri, status_of, try_on_of, why_no_picture
from kolors_mcp.try_ons.records import Records, known_of
from kolors_mcp.try_ons.wish import Patience, Say, Wish, unheard
from kolors_mcp.wording import plain

if TYPE_CHECKING:
    from kolors_mcp.images.pictures import Pictures
    from kolors_mcp.kling.client import KlingClient

logger = logging.getLogger(__name__)

REMEMBERED = 8_000_000
"""Characters of what creates were given that are remembered, the latest first: mostly paths and links, which are short;
a picture given as base64 counts whole."""
SHOWN_WITHIN, COMPARED_WITHIN = 17.0, 5.0
"""Seconds for looking at a try-on, and again for its picture; then for what went in. Hosts cut at 45 and 60."""
RECENT_ROWS = 100
"""Newest rows of Kling's list in which recent try-ons are looked for."""
RECENT_WITHIN = 5.0
"""Seconds that Kling is given for it; without an answer they are shown as they were."""
SIZES = 200
Beside = Literal["person", "garment"]
Get = Callable[[str, Patience, Say], Awaitable[TryOn]]


@dataclass(frozen=True)
class View:
    """A picture to show, and what it shows."""

    jpeg: bytes
    try_on: TryOn
    image: ResultImage
    beside: Beside | None = None
    """What stands to the left of the result."""


class Gallery:
    """The try-ons of one user, as something to look at."""

    def __init__(
        self,
        kling: "KlingClient",
        pictures: "Pictures",
        records: Records,
        get: Get,
        *,
        folder: Path | None,
        sandbox: bool,
    ) -> None:
        """Remember nothing yet.

        Args:
            kling: Asked for its list.
            pictures: Fetches and shows.
            records: What is written down.
            get: How to look at one try-on, as `TryOns.get`.
            folder: Where pictures are saved, if they are.
            sandbox: Whether all of it is simulated.
        """
        self._folder = folder
        self._kling = kling
        self._pictures = pictures
        self._records = records
        self._get = get
        self._sandbox = sandbox
        self.sizes: dict[tuple[str, int], int] = {}
        """Bytes of the pictures that were handed out lately, by task id and index."""
        self._given: dict[str, Wish] = {}

    def remember(self, reference: str, wish: Wish) -> None:
        """Keep what a create was given, and forget the oldest: it costs nothing until somebody wants to compare."""
        self._given.setdefault(reference, wish)
        while sum(map(_length, self._given.values())) > REMEMBERED:
            self._given.pop(next(iter(self._given)))

    async def look(self, task_id: str) -> TryOn:
        """Look at a try-on, at Kling or, where that cannot tell, at what is kept of it on this machine.

        Raises:
            KlingError: As `TryOns.get`, and no picture of it is kept.
        """
        try:
            return await self._get(task_id, Patience(answer_within=SHOWN_WITHIN), unheard)
        except errors.KlingError:
            entry = await self._records.find(task_id)
            kept = remembered_of(entry, sandbox=self._sandbox) if entry is not None and entry.saved else None
            if kept is None:
                raise
            return kept

    async def view(self, task_id: str, index: int, *, compare: bool = False) -> View:
        """Return a small JPEG of a finished picture, with what went in to its left if that is wanted and at hand.

        Raises:
            ResultUnavailableError: It is not finished, it failed, has no such picture, or the link is dead.
            KlingError: Kling could not be asked.
        """
        try_on, image, data = await self._found(task_id, index)
        jpeg = await self._pictures.preview(data)
        given = self._given.get(try_on.reference or "") if compare else None
        if given is not None:
            sides: tuple[tuple[Beside, str], ...] = (("person", given.human_image), ("garment", given.cloth_image))
            with anyio.move_on_after(COMPARED_WITHIN):
                for beside, source in sides:
                    left = await self._small(source)
                    if left is not None:
                        return View(await self._pictures.beside(left, jpeg), try_on, image, beside)
        return View(jpeg, try_on, image)

    async def picture(self, task_id: str, index: int) -> tuple[bytes, bool]:
        """Return a finished picture as a JPEG of at most 700,000 bytes, and whether it was shrunk for that.

        Raises:
            ResultUnavailableError, KlingError: As `view`.
        """
        try_on, image, data = await self._found(task_id, index)
        jpeg, shrunk = await self._pictures.handed_out(data)
        self.sizes[try_on.task_id, image.index] = len(jpeg)
        while len(self.sizes) > SIZES:
            self.sizes.pop(next(iter(self.sizes)))
        return jpeg, shrunk

    async def remembered(self, most: int) -> list[TryOn]:
        """Return the latest try-ons that were made here, the newest first, as they were last seen."""
        shown = [remembered_of(entry, sandbox=self._sandbox) for entry in await self._records.recent(most)]
        return [try_on for try_on in shown if try_on is not None]

    async def recent(self, most: int) -> list[TryOn]:
        """Return the latest try-ons that were made here, the newest first, as they are now if Kling can be asked."""
        remembered = await self.remembered(most)
        if not remembered:
            return []
        try:
            tasks = await self._kling.page(1, RECENT_ROWS, seconds=RECENT_WITHIN)
        except errors.KolorsError as error:
            logger.info("the latest try-ons are shown as they were: %s", plain(str(error), 400))
            return remembered
        entries = await self._records.find_many([try_on.task_id for try_on in remembered])
        now = {
            task.task_id: try_on_of(task, known_of(entries.get(task.task_id)), sandbox=self._sandbox) for task in tasks
        }
        return [now.get(try_on.task_id, try_on) for try_on in remembered]

    async def _found(self, task_id: str, index: int) -> tuple[TryOn, ResultImage, bytes]:
        """Return a finished picture as it was served."""
        try_on = await self.look(task_id)
        image = _numbered(try_on.images, index)
        if image is None:
            image = _numbered(_copies(try_on.task_id, await self._records.find(try_on.task_id)), index)
        if image is None:
            raise errors.ResultUnavailableError(why_no_picture(try_on, index))
        try:
            with anyio.fail_after(SHOWN_WITHIN):
                return try_on, *await self._data_of(try_on.task_id, image)
        except (errors.PictureRefusedError, TimeoutError) as error:
            reason = "It did not come in time." if isinstance(error, TimeoutError) else str(error)
            raise errors.ResultUnavailableError(
                f"The picture cannot be shown: {reason} Its link is {image.url} . Kling keeps pictures for 30 days; "
                "after that only a saved copy is left."
            ) from error

    async def _data_of(self, task_id: str, image: ResultImage) -> tuple[ResultImage, bytes]:
        """Return a picture from its copy or else from its link, and where it is to be had from then."""
        if image.saved_to is not None:
            try:
                return image, await self._pictures.saved(await asyncio.to_thread(self._ours, task_id, image))
            except (OSError, errors.PictureRefusedError) as error:
                logger.info("the saved picture cannot be shown (%s)", type(error).__name__)
                if image.url.startswith("file:"):
                    raise errors.ResultUnavailableError(
                        "Kling does not have this picture any more, and its saved copy is gone or damaged."
                    ) from error
                image = image.model_copy(update={"saved_to": None})
        return image, await self._pictures.download(image.url)

    def _ours(self, task_id: str, image: ResultImage) -> Path:
        """Return where a saved picture lies, which must be where and how pictures are saved here.

        Raises:
            OSError: It is any other file, whatever the ledger says.
        """
        path = Path(image.saved_to or "")
        here = self._folder is not None and path.parent.resolve() == self._folder.resolve()
        # The folder may have been another one when it was saved, but never the name.
        if not here and not path.name.startswith(stem_of(task_id, image.index)):
            raise PermissionError(errno.EACCES, "not a picture that was saved here")
        return path

    async def _small(self, source: str) -> bytes | None:
        """Return what was given, made small; none if it is not there any more."""
        try:
            picture = await self._pictures.prepare(source, "picture")
            try:
                data = await asyncio.to_thread(lambda: b"".join(picture.blocks()))
            finally:
                picture.close()
            return await self._pictures.preview(data)
        except errors.PictureRefusedError as error:
            logger.info("nothing to compare with: %s", error)
            return None


def _length(wish: Wish) -> int:
    return sum(map(length_of, (wish.human_image, wish.cloth_image, wish.lower_cloth_image or "")))


def remembered_of(entry: Entry, *, sandbox: bool) -> TryOn | None:
    """Return what is known of a create without asking Kling; none if it is not known to have become a task."""
    if entry.task_id is None:
        return None
    images = _copies(entry.task_id, entry)
    status, odd = status_of("succeed" if images else entry.status)
    return TryOn(
        task_id=entry.task_id,
        reference=entry.reference,
        status=status,
        status_message=odd,
        created_at=datetime.fromtimestamp(entry.created_at, UTC),
        updated_at=datetime.fromtimestamp(entry.updated_at, UTC),
        model_name=entry.model_name,
        images=images,
        notes=entry.notes,
        sandbox=sandbox,
        next_step=next_step(entry.task_id, status, images=bool(images)),
    )


def _numbered(images: Sequence[ResultImage], index: int) -> ResultImage | None:
    """Return the picture with this index; if there is none, the first for 0, should Kling count from another number."""
    exact = next((image for image in images if image.index == index), None)
    return images[0] if exact is None and index == 0 and images else exact


def _copies(task_id: str, entry: Entry | None) -> tuple[ResultImage, ...]:
    return tuple(
        ResultImage(
            index=index,
            url=Path(path).absolute().as_uri(),
            saved_to=path,
            resource_uri=picture_uri(task_id, index),
        )
        for index, path in sorted(entry.saved.items() if entry else ())
    )
