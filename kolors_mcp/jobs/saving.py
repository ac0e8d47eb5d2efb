"""Saves finished pictures on disk, where the settings say so; a failed save never hides a link."""

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from kolors_mcp import errors
from kolors_mcp.clock import Deadline
from kolors_mcp.jobs.in_flight import InFlight, ends
from kolors_mcp.jobs.store import Store
from kolors_mcp.models import ResultImage, TryOn
from kolors_mcp.wording import plain

if TYPE_CHECKING:
    from kolors_mcp.images.pictures import Pictures

logger = logging.getLogger(__name__)

MAX_LABEL_BYTES = 100
"""Of a label in a file's name: what tells the picture from others comes after it, and has to fit too."""

Outcomes = dict[int, Path | str]
"""By a picture's index: where it was saved, or why it could not be."""


class Saving:
    """Saves each picture once, however many ask for it at the same time, and goes on saving when they leave."""

    def __init__(self, folder: Path, pictures: "Pictures", store: Store) -> None:
        """Save nothing yet."""
        self._folder = folder
        self._pictures = pictures
        self._store = store
        self._saves: InFlight[Outcomes] = InFlight()

    async def aclose(self) -> None:
        """Save no more. A picture is on disk whole or not at all."""
        await self._saves.aclose()

    async def save(self, try_on: TryOn, deadline: Deadline) -> TryOn:
        """Save what is not saved yet, and say in the answer where it is, or why it is not.

        Args:
            try_on: A finished one.
            deadline: Until when to wait for it; the saving goes on after it.
        """
        missing = [image for image in try_on.images if not await _is_there(image)]
        if not missing:
            return try_on
        save = self._saves.join(try_on.task_id, lambda: self._save(try_on, missing))
        outcomes = save.result() if await ends(save, deadline) and not save.cancelled() else {}
        images: list[ResultImage] = []
        notes: list[str] = []
        for image in try_on.images:
            saved = outcomes.get(image.index, "it takes too long; call get_try_on again to see where it is")
            if image not in missing:
                images.append(image)
            elif isinstance(saved, Path):
                images.append(image.model_copy(update={"saved_to": str(saved)}))
            else:
                images.append(image.model_copy(update={"saved_to": None}))
                notes.append(f"picture {image.index} could not be saved: {saved}")
        return try_on.model_copy(update={"images": tuple(images), "notes": (*try_on.notes, *notes)})

    async def _save(self, try_on: TryOn, images: list[ResultImage]) -> Outcomes:
        outcomes: Outcomes = {}
        task_id = try_on.task_id
        for image in images:
            stem = stem_of(task_id, image.index)
            if try_on.label is not None:
                label = try_on.label.encode("utf-8", "ignore")[:MAX_LABEL_BYTES].decode("utf-8", "ignore")
                stem = f"{label}-{stem}"
            try:
                data = await self._pictures.finished.download(image.url)
                path = await self._pictures.finished.keep(data, self._folder, stem)
            except (errors.PictureRefusedError, OSError) as error:
                reason = error.strerror or type(error).__name__ if isinstance(error, OSError) else str(error)
                outcomes[image.index] = plain(reason)
                continue
            except Exception as error:  # a link that was paid for is not lost over a mistake of ours
                logger.exception("picture %s of %s was not saved", image.index, plain(task_id))
                outcomes[image.index] = type(error).__name__
                continue
            outcomes[image.index] = path
            saved_to = str(path)
            await self._store.write(lambda ledger: ledger.saved(task_id, image.index, saved_to))  # noqa: B023  (awaited here)
        return outcomes


def stem_of(task_id: str, index: int) -> str:
    """Return what the name of every picture has in it that is saved automatically, so that it is known again."""
    # Whatever else an upstream may put into an id has no business in a path.
    return f"try-on-{re.sub(r'[^A-Za-z0-9_-]', '_', task_id)[:64]}-{index}"


async def _is_there(image: ResultImage) -> bool:
    return image.saved_to is not None and await anyio.Path(image.saved_to).is_file()
