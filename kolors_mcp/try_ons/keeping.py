"""Keeps finished pictures on disk, where the settings say so; a failed save never hides a link."""

import asyncio
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from kolors_mcp import errors
from kolors_mcp.clock import Deadline
from kolors_mcp.models import ResultImage, TryOn
from kolors_mcp.try_ons.records import Records
from kolors_mcp.wording import plain

if TYPE_CHECKING:
    from kolors_mcp.images.pictures import Pictures

logger = logging.getLogger(__name__)

Kept = dict[int, Path | str]
"""By a picture's index: where it was saved, or why it could not be."""


class Keeping:
    """Saves each picture once, however many ask for it at the same time, and goes on saving when they leave."""

    def __init__(self, folder: Path, pictures: "Pictures", records: Records) -> None:
        """Save nothing yet."""
        self._folder = folder
        self._pictures = pictures
        self._records = records
        self._saves: dict[str, asyncio.Task[Kept]] = {}

    async def aclose(self) -> None:
        """Save no more. A picture is on disk whole or not at all."""
        saves = list(self._saves.values())
        for save in saves:
            save.cancel()
        await asyncio.gather(*saves, return_exceptions=True)

    async def kept(self, try_on: TryOn, deadline: Deadline) -> TryOn:
        """Save what is not saved yet, and say in the answer where it is, or why it is not.

        Args:
            try_on: A finished one.
            deadline: Until when to wait for it; the saving goes on after it.
        """
        missing = [image for image in try_on.images if not await _is_there(image)]
        if not missing:
            return try_on
        save = self._saves.get(try_on.task_id)
        if save is None:
            save = self._saves[try_on.task_id] = asyncio.create_task(self._save(try_on.task_id, missing))
            save.add_done_callback(lambda _done: self._saves.pop(try_on.task_id, None))
        with deadline.scope():
            await asyncio.wait((save,))
        kept = save.result() if save.done() and not save.cancelled() else {}
        images: list[ResultImage] = []
        notes: list[str] = []
        for image in try_on.images:
            saved = kept.get(image.index, "it takes too long; call get_try_on again to see where it is")
            if image not in missing:
                images.append(image)
            elif isinstance(saved, Path):
                images.append(image.model_copy(update={"saved_to": str(saved)}))
            else:
                images.append(image.model_copy(update={"saved_to": None}))
                notes.append(f"picture {image.index} could not be saved: {saved}")
        return try_on.model_copy(update={"images": tuple(images), "notes": (*try_on.notes, *notes)})

    async def _save(self, task_id: str, images: list[ResultImage]) -> Kept:
        kept: Kept = {}
        for image in images:
            stem = stem_of(task_id, image.index)
            try:
                data = await self._pictures.download(image.url)
                path = await anyio.to_thread.run_sync(_same_file, self._folder, stem, data)
                path = path or await self._pictures.keep(data, self._folder, stem)
            except (errors.PictureRefusedError, OSError) as error:
                reason = error.strerror or type(error).__name__ if isinstance(error, OSError) else str(error)
                kept[image.index] = plain(reason)
                continue
            except Exception as error:  # a link that was paid for is not lost over a mistake of ours
                logger.exception("picture %s of %s was not saved", image.index, plain(task_id))
                kept[image.index] = type(error).__name__
                continue
            kept[image.index] = path
            saved_to = str(path)
            await self._records.write(lambda ledger: ledger.saved(task_id, image.index, saved_to))  # noqa: B023  (awaited here)
        return kept


def stem_of(task_id: str, index: int) -> str:
    """Return how the name of a saved picture begins."""
    # Whatever else an upstream may put into an id has no business in a path.
    return f"try-on-{re.sub(r'[^A-Za-z0-9_-]', '_', task_id)[:64]}-{index}"


async def _is_there(image: ResultImage) -> bool:
    return image.saved_to is not None and await anyio.Path(image.saved_to).is_file()


def _same_file(folder: Path, stem: str, data: bytes) -> Path | None:
    """Return the copy that was saved before, where no ledger remembers it. A link is never one."""
    for path in sorted(folder.glob(f"{stem}*")):
        if not path.is_symlink() and path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data:
            return path
    return None
