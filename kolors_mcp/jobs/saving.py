"""Saves finished pictures, where the settings say so; a failed save never hides a link."""

import asyncio
import logging
from collections import OrderedDict
from typing import TYPE_CHECKING

from kolors_mcp import errors
from kolors_mcp.clock import Clock, Deadline
from kolors_mcp.jobs.copies import Copies, Kept
from kolors_mcp.jobs.in_flight import InFlight, ends
from kolors_mcp.jobs.store import Store
from kolors_mcp.kling.task import Task
from kolors_mcp.ledger.job import Job
from kolors_mcp.models import ResultImage, TryOn
from kolors_mcp.wording import plain

if TYPE_CHECKING:
    from kolors_mcp.images.pictures import Pictures

logger = logging.getLogger(__name__)

UNASKED_AT_ONCE = 2
"""Try-ons that one process saves at the same time while no call waits for them: their pictures are in memory."""
MAX_UNASKED = 1000
"""Of them that wait for that. What is more is saved at a later look."""
RETRIED_AFTER_SECONDS = (60.0, 600.0)
"""The pauses after which a save for which no call waits is tried again. Then the next look at the task tries it."""
MAX_REMEMBERED = 100
"""Copies of which it is remembered where they are."""
Outcomes = dict[int, Kept | str]
"""By a picture's index: where it was saved, or why it could not be."""


class Saving:
    """Saves each picture once, however many ask for it at the same time, and goes on saving when they leave."""

    def __init__(self, copies: Copies, pictures: "Pictures", store: Store, clock: Clock) -> None:
        """Save nothing yet."""
        self._clock = clock
        self._copies = copies
        self._pictures = pictures
        self._store = store
        self._saves: InFlight[Outcomes] = InFlight()
        self._unasked: InFlight[None] = InFlight()
        self._pausing: set[str] = set()
        """Those of them that wait until they are tried again."""
        self._room = asyncio.Semaphore(UNASKED_AT_ONCE)
        self._kept: OrderedDict[tuple[str, int], Kept] = OrderedDict()
        """The latest copies, by task and picture, for calls that have looked at the ledger just before."""

    async def aclose(self) -> None:
        """Save no more. A picture is on disk whole or not at all."""
        await self._unasked.aclose()
        await self._saves.aclose()

    def begin(self, job: Job, task: Task) -> None:
        """Save what a finished task has come to, whether a call waits for it or not. Returns at once.

        Kling's links end after 30 days, and whoever asked for it may come later. What fails is tried again by itself,
        and at once when a call looks.
        """
        if task.id in self._pausing:
            self._unasked.cancel(task.id)
        is_new = any(image.index not in job.saved for image in task.images)
        if is_new and len(self._unasked) < MAX_UNASKED:
            self._unasked.join(task.id, lambda: self._keep_trying(job, task))

    async def _keep_trying(self, job: Job, task: Task) -> None:
        for pause in RETRIED_AFTER_SECONDS:
            if await self._save_unasked(job, task):
                return
            self._pausing.add(task.id)
            try:
                await self._clock.tick(pause)
            finally:
                self._pausing.discard(task.id)
        await self._save_unasked(job, task)

    async def _save_unasked(self, job: Job, task: Task) -> bool:
        """Save what is not saved yet; return whether all is."""
        async with self._room:
            # Another process, or a call, may have saved it meanwhile.
            known = await self._store.find(job.user, task.id)
            saved = job.saved if known is None else known.saved
            missing = [
                ResultImage(index=image.index, url=image.url) for image in task.images if image.index not in saved
            ]
            if not missing:
                return True
            try_on = TryOn(task_id=task.id, label=job.label, status=task.status)
            save = self._saves.join(task.id, lambda: self._save(job.user, try_on, missing))
            outcomes = await asyncio.shield(save)
        reasons = {index: outcome for index, outcome in outcomes.items() if isinstance(outcome, str)}
        for index, reason in reasons.items():
            logger.info("picture %s of %s is not saved yet: %s", index, plain(task.id), reason)
        return not reasons

    async def save(self, user: str, try_on: TryOn, deadline: Deadline) -> TryOn:
        """Save what is not saved yet, and say in the answer where it is, or why it is not.

        Args:
            user: Whose it is.
            try_on: A finished one.
            deadline: Until when to wait for it; the saving goes on after it.
        """
        try_on = try_on.model_copy(
            update={"images": tuple(self._as_just_kept(try_on.task_id, image) for image in try_on.images)}
        )
        missing = [image for image in try_on.images if not await self._is_there(user, try_on, image)]
        if not missing:
            return try_on
        save = self._saves.join(try_on.task_id, lambda: self._save(user, try_on, missing))
        outcomes = save.result() if await ends(save, deadline) and not save.cancelled() else {}
        images: list[ResultImage] = []
        notes: list[str] = []
        for image in try_on.images:
            saved = outcomes.get(image.index, "it takes too long; call get_try_on again to see where it is")
            if image not in missing:
                images.append(image)
            elif isinstance(saved, Kept):
                images.append(image.model_copy(update={"saved_to": saved.shown or image.resource_uri}))
            else:
                images.append(image.model_copy(update={"saved_to": None}))
                notes.append(f"picture {image.index} could not be saved: {saved}")
        return try_on.model_copy(update={"images": tuple(images), "notes": (*try_on.notes, *notes)})

    async def _save(self, user: str, try_on: TryOn, images: list[ResultImage]) -> Outcomes:
        outcomes: Outcomes = {}
        task_id = try_on.task_id
        for image in images:
            try:
                data = await self._pictures.finished.download(image.url)
                kept = await self._copies.keep(user, try_on, image, data)
            except (errors.KolorsError, OSError) as error:
                reason = error.strerror or type(error).__name__ if isinstance(error, OSError) else str(error)
                outcomes[image.index] = plain(reason)
                continue
            except Exception as error:  # a link that was paid for is not lost over a mistake of ours
                logger.exception("picture %s of %s was not saved", image.index, plain(task_id))
                outcomes[image.index] = type(error).__name__
                continue
            outcomes[image.index] = self._kept[task_id, image.index] = kept
            if len(self._kept) > MAX_REMEMBERED:
                self._kept.popitem(last=False)
            await self._store.write(lambda ledger: ledger.saved(task_id, image.index, kept.place))  # noqa: B023  (awaited here)
        return outcomes

    def _as_just_kept(self, task_id: str, image: ResultImage) -> ResultImage:
        kept = self._kept.get((task_id, image.index))
        if kept is None or image.saved_to is not None:
            return image
        return image.model_copy(update={"saved_to": kept.shown or image.resource_uri})

    async def _is_there(self, user: str, try_on: TryOn, image: ResultImage) -> bool:
        try:
            return await self._copies.is_there(user, try_on.task_id, image)
        except errors.KolorsError as error:
            # It is neither copied again nor hidden for that.
            logger.info("whether a picture is saved is not known: %s", plain(str(error)))
            return image.saved_to is not None
