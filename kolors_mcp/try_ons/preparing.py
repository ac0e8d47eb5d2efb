"""From a request to what can be sent: the model, two pictures made fit, and what tells this request from others."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from kolors_mcp import errors
from kolors_mcp.models import V1, V1_5, Model, looks_like_an_id
from kolors_mcp.pictures import Given, Picture, PictureSource
from kolors_mcp.try_ons.request import TryOnRequest

if TYPE_CHECKING:
    from kolors_mcp.images.pictures import Pictures

SourceOf = Callable[[Given, str], Awaitable[PictureSource]]
"""From what an argument was given, and the argument's name, to where the picture comes from."""


def model_for(request: TryOnRequest, default: Model | None) -> tuple[Model | None, tuple[str, ...]]:
    """Return the model to ask for, None for Kling's own default, and notes on how it was chosen.

    Raises:
        ArgumentError: The model cannot wear what is asked for.
    """
    if request.lower_cloth_image is None:
        return request.model_name or default, ()
    if request.model_name == V1:
        raise errors.ArgumentError(
            f"model_name {V1} dresses a person in one garment only; an upper and a lower one together need {V1_5}. "
            "Nothing was sent. Leave model_name out, or lower_cloth_image."
        )
    if request.model_name is None and default == V1:
        return V1_5, (f"used {V1_5} instead of the default {V1}, which takes one garment only",)
    return V1_5, ()


async def prepare(request: TryOnRequest, pictures: "Pictures", source_of: SourceOf) -> tuple[Picture, Picture]:
    """Return the person's and the garment's picture, made fit at the same time; the caller closes them.

    Args:
        request: What is asked for.
        pictures: Makes them fit.
        source_of: Says where a picture comes from that an argument names.

    Raises:
        PictureRefusedError: One cannot be had or used, or both are the same picture. Nothing was sent.
    """

    async def human_picture() -> Picture:
        return await pictures.prepare(await source_of(request.human_image, "human_image"), "human_image")

    async def cloth_picture() -> Picture:
        upper = await source_of(request.cloth_image, "cloth_image")
        if request.lower_cloth_image is None:
            return await pictures.prepare(upper, "cloth_image")
        return await pictures.outfit(upper, await source_of(request.lower_cloth_image, "lower_cloth_image"))

    tasks = (asyncio.ensure_future(human_picture()), asyncio.ensure_future(cloth_picture()))
    try:
        human, garment = await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
            # Nothing is awaited here: a task that was cancelled once is cancelled again at the next wait.
            task.add_done_callback(_drop)
        raise
    if human.digest == garment.digest or human.sources & garment.sources:
        for picture in (human, garment):
            picture.close()
        garments = "cloth_image" if request.lower_cloth_image is None else "cloth_image or lower_cloth_image"
        raise errors.PictureRefusedError(
            f"human_image is the same picture as {garments}; it would be paid for and show nothing new. "
            "Nothing was sent. Give a photo of the person and a picture of the garment."
        )
    return human, garment


def notes_on(request: TryOnRequest, human: Picture, cloth: Picture) -> tuple[str, ...]:
    """Return what was done to the pictures, each line with the argument that it is about."""
    if request.lower_cloth_image is None:
        garments = (f"cloth_image: {note}" for note in cloth.notes)
    else:
        garments = iter(cloth.notes)  # an outfit's say themselves which garment
    return (*(f"human_image: {note}" for note in human.notes), *garments)


def label_for(request: TryOnRequest, cloth: Picture) -> str | None:
    """Return what people call the try-on: as they said, else as the garment's file or page is called."""
    if request.label is not None:
        return request.label
    return None if cloth.title is None or looks_like_an_id(cloth.title) else cloth.title


def fingerprint(human: Picture, cloth: Picture) -> str:
    """Return what tells two requests apart: the prepared bytes of both pictures."""
    whole = hashlib.sha256()
    for picture in (human, cloth):
        whole.update(picture.digest)
    return whole.hexdigest()


def _drop(task: "asyncio.Task[Picture]") -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()
