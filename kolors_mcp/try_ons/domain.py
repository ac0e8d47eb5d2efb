"""The domain: make a try-on, look at it, wait for it, list them. Knows neither MCP nor HTTP."""

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from kolors_mcp import errors
from kolors_mcp.clock import Clock
from kolors_mcp.models import V1, V1_5, Model, Picture, ResultImage, TryOn, TryOnPage
from kolors_mcp.outcome import Known, file_name_of, try_on_of, why_no_picture
from kolors_mcp.wording import plain

if TYPE_CHECKING:
    from kolors_mcp.images.pictures import Pictures
    from kolors_mcp.kling.client import KlingClient
    from kolors_mcp.kling.wire import KlingTask
    from kolors_mcp.settings import Settings

logger = logging.getLogger(__name__)

FIRST_POLL, LONGEST_POLL = 2.0, 5.0
"""Seconds between two looks at a running task: eased from the first to the second."""
REMEMBERED = 1000
"""Try-ons of this process of which the model, the notes and the saved files are remembered."""
LEAST_READ = 2.0
"""Seconds that a read is given even if the caller's patience is about to end."""
MOST_READ = 20.0
"""Seconds that a read may take, retries included."""
LAST_SENDS = 3.0
"""Seconds that requests in flight are given when the server closes."""

Say = Callable[[str], None]
"""Takes one short line about what is going on, for whoever is waiting."""


@dataclass(frozen=True)
class Wish:
    """What somebody wants: a person dressed in a garment, or in an upper and a lower one."""

    human_image: str
    cloth_image: str
    lower_cloth_image: str | None = None
    model_name: Model | None = None
    callback_url: str | None = None
    new_render: bool = False


@dataclass(frozen=True)
class Patience:
    """How long a caller waits: for the result, and for an answer of any kind."""

    wait_seconds: float = 0.0
    answer_within: float | None = None
    """Seconds after which the host cuts the call; None if progress keeps it alive."""


class TryOns:
    """The try-ons of one account."""

    def __init__(
        self,
        kling: "KlingClient",
        pictures: "Pictures",
        settings: "Settings",
        *,
        clock: Clock | None = None,
    ) -> None:
        """Put the parts together. Nothing is connected, read or written before the first call."""
        self._kling = kling
        self._pictures = pictures
        self._settings = settings
        self._clock = clock or Clock()
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._sending: set[asyncio.Task[KlingTask]] = set()

    async def aclose(self) -> None:
        """Give requests in flight a moment to end, then let go of everything."""
        if self._sending:
            _done, late = await asyncio.wait(self._sending, timeout=LAST_SENDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._kling.aclose()
        await self._pictures.aclose()

    async def create(self, wish: Wish, patience: Patience, say: Say) -> TryOn:
        """Prepare the pictures, start the paid task, and wait for it if the caller wants to.

        Raises:
            ArgumentError: The combination of garments and model cannot work. Nothing was sent.
            PictureRefusedError: A picture cannot be had or used. Nothing was sent.
            KlingError: As `KlingClient.create` says.
        """
        answer_by = self._answer_by(patience)
        model_name, notes = self._model_for(wish)
        say("preparing the pictures")
        try:
            with anyio.fail_after(None if answer_by is None else self._left(answer_by)):
                human, cloth = await self._prepared(wish)
        except TimeoutError:
            raise errors.PictureRefusedError(
                "The pictures were not ready in time. Nothing was sent. Use smaller ones, or pictures that load faster."
            ) from None
        say("sending the pictures to Kling")
        known = Known(f"k-{secrets.token_hex(12)}", model_name, (*human.notes, *cloth.notes, *notes))
        task = await self._sent(wish, human, cloth, known, answer_by)
        try_on = self._try_on(task, known)
        self._remember(try_on.task_id, known)
        return await self._followed(try_on, patience.wait_seconds, answer_by, say)

    async def get(self, task_id: str, patience: Patience, say: Say) -> TryOn:
        """Look at a try-on by Kling's id or our reference; wait until it is finished or patience ends.

        Raises:
            TaskNotFoundError: Kling does not know the id.
            KlingError: Kling could not be asked.
        """
        answer_by = self._answer_by(patience)
        say("asking Kling")
        try_on = self._try_on(await self._kling.read(task_id, seconds=min(MOST_READ, self._left(answer_by))))
        return await self._followed(try_on, patience.wait_seconds, answer_by, say)

    async def list(self, page_num: int, page_size: int) -> TryOnPage:
        """List a page of the account's try-ons."""
        tasks = await self._kling.page(page_num, page_size)
        return TryOnPage(
            page_num=page_num,
            page_size=page_size,
            has_more=len(tasks) >= page_size,
            try_ons=tuple(self._try_on(task) for task in tasks),
        )

    async def view(self, task_id: str, index: int) -> tuple[bytes, ResultImage, TryOn]:
        """Return a small JPEG of a finished picture, and what it shows.

        Raises:
            ResultUnavailableError: It is not finished, it failed, has no such picture, or the link is dead.
            KlingError: Kling could not be asked.
        """
        try_on = await self.get(task_id, Patience(), _silent)
        image = next((image for image in try_on.images if image.index == index), None)
        if image is None:
            raise errors.ResultUnavailableError(why_no_picture(try_on, index))
        try:
            if image.saved_to is not None:
                data = await anyio.Path(image.saved_to).read_bytes()
            else:
                data = await self._pictures.download(image.url)
            return await self._pictures.preview(data), image, try_on
        except (errors.PictureRefusedError, OSError) as error:
            raise errors.ResultUnavailableError(
                f"The picture cannot be shown: {error} Its link is {image.url}"
            ) from error

    def _model_for(self, wish: Wish) -> tuple[str | None, tuple[str, ...]]:
        if wish.lower_cloth_image is None:
            return wish.model_name or self._settings.model, ()
        if wish.model_name == V1:
            raise errors.ArgumentError(
                f"model_name {V1} dresses a person in one garment only; an upper and a lower one together need {V1_5}. "
                "Nothing was sent. Leave model_name out, or lower_cloth_image."
            )
        if wish.model_name is None and self._settings.model == V1:
            return V1_5, (f"used {V1_5} instead of the default {V1}, which takes one garment only",)
        return V1_5, ()

    async def _prepared(self, wish: Wish) -> tuple[Picture, Picture]:
        async def cloth() -> Picture:
            if wish.lower_cloth_image is None:
                return await self._pictures.prepare(wish.cloth_image, "cloth_image")
            return await self._pictures.outfit(wish.cloth_image, wish.lower_cloth_image)

        tasks = (
            asyncio.ensure_future(self._pictures.prepare(wish.human_image, "human_image")),
            asyncio.ensure_future(cloth()),
        )
        try:
            human, garment = await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            for made in await asyncio.gather(*tasks, return_exceptions=True):
                if not isinstance(made, BaseException):
                    made.close()
            raise
        return human, garment

    async def _sent(
        self, wish: Wish, human: Picture, cloth: Picture, known: Known, answer_by: float | None
    ) -> "KlingTask":
        """Send the create in a task of its own: a caller who goes away does not take the outcome along."""
        from kolors_mcp.kling.wire import CreateRequest  # noqa: PLC0415  (the HTTP client is loaded on first use)

        assert known.reference is not None
        request = CreateRequest(human, cloth, known.model_name, wish.callback_url, known.reference)

        sending = asyncio.create_task(self._kling.create(request))
        self._sending.add(sending)
        sending.add_done_callback(lambda _sent: (human.close(), cloth.close()))
        sending.add_done_callback(self._ended)
        await asyncio.wait((sending,), timeout=None if answer_by is None else self._left(answer_by))
        if not sending.done():
            raise errors.UnconfirmedCreateError(known.reference, "The pictures are still being sent.")
        return sending.result()

    def _ended(self, sending: "asyncio.Task[KlingTask]") -> None:
        self._sending.discard(sending)
        if not sending.cancelled() and (error := sending.exception()) is not None:
            logger.info("a create ended with %s", plain(str(error), 400))

    async def _followed(self, try_on: TryOn, wait_seconds: float, answer_by: float | None, say: Say) -> TryOn:
        """Poll until the try-on is finished or patience ends; ride out what passes."""
        until = self._clock.monotonic() + wait_seconds
        if answer_by is not None:
            until = min(until, answer_by)
        pause = FIRST_POLL
        while not try_on.finished:
            say(f"Kling says {try_on.status}")
            left = until - self._clock.monotonic()
            if left <= 0:
                break
            # A tenth of jitter keeps many waiters from asking in step.
            await self._clock.sleep(min(left, pause * (0.9 + 0.2 * self._clock.jitter())))
            pause = min(pause * 1.25, LONGEST_POLL)
            try:
                task = await self._kling.read(try_on.task_id, seconds=max(LEAST_READ, until - self._clock.monotonic()))
            except errors.KolorsError as error:
                # "Not found" soon after a create is not true; anything else that passes is ridden out too.
                if isinstance(error, errors.TaskNotFoundError) or error.retryable:
                    continue
                # What is known of a paid task outlives whatever keeps us from watching it.
                try_on = try_on.model_copy(update={"status_message": plain(str(error), 400)})
                break
            try_on = self._try_on(task)
        return await self._kept(try_on)

    async def _kept(self, try_on: TryOn) -> TryOn:
        """Save the pictures of a finished try-on where the settings say; a failed save never hides the link."""
        folder = self._settings.save_dir
        if folder is None or not try_on.images:
            return try_on
        known = self._remember(try_on.task_id)
        notes: list[str] = []
        for image in try_on.images:
            saved = known.saved.get(image.index)
            if saved is not None and saved.is_file():
                continue
            try:
                data = await self._pictures.download(image.url)
                stem = f"try-on-{file_name_of(try_on.task_id)}-{image.index}"
                known.saved[image.index] = await self._pictures.keep(data, folder, stem)
            except (errors.PictureRefusedError, OSError) as error:
                notes.append(f"picture {image.index} could not be saved: {plain(str(error))}")
        saved_images = tuple(
            image.model_copy(update={"saved_to": str(path)}) if (path := known.saved.get(image.index)) else image
            for image in try_on.images
        )
        return try_on.model_copy(update={"images": saved_images, "notes": (*try_on.notes, *notes)})

    def _try_on(self, task: "KlingTask", known: Known | None = None) -> TryOn:
        known = known or self._known.get(task.task_id) or Known()
        return try_on_of(task, known, sandbox=self._settings.sandbox)

    def _remember(self, task_id: str, facts: Known | None = None) -> Known:
        known = self._known[task_id] = facts or self._known.get(task_id) or Known()
        self._known.move_to_end(task_id)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return known

    def _answer_by(self, patience: Patience) -> float | None:
        return None if patience.answer_within is None else self._clock.monotonic() + patience.answer_within

    def _left(self, answer_by: float | None) -> float:
        left = MOST_READ if answer_by is None else answer_by - self._clock.monotonic()
        return max(LEAST_READ, left)


def _silent(_line: str) -> None:
    """Say nothing."""
