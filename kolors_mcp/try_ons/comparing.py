"""Lays the results of several try-ons side by side, and says of each which it is, or why it is not there."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from kolors_mcp import errors
from kolors_mcp.jobs.call import Call
from kolors_mcp.models import ResultImage, TryOn
from kolors_mcp.try_ons.answers import why_no_picture
from kolors_mcp.wording import plain, quoted

if TYPE_CHECKING:
    from kolors_mcp.try_ons.gallery import Gallery

MAX_AT_ONCE = 3
"""Try-ons that are looked at and fetched at once: Kling bounds the requests of a second."""
SHEET_SECONDS = 8.0
"""Of a call's time that are left for the sheet, when all pictures are there that came in time."""
MIN_SHOWN = 2
"""One alone is compared with nothing."""
MAX_REASON_CHARACTERS = 900
"""Of all reasons together, where they are the answer."""
PERSON = "Person"

Pictured = Callable[[str], Awaitable[tuple[TryOn, ResultImage | None]]]
"""From a name to the try-on, and its picture if it has one."""


@dataclass(frozen=True)
class Compared:
    """One of the try-ons that were to be compared."""

    name: str
    """As it was asked for."""
    try_on: TryOn | None = None
    image: ResultImage | None = None
    why_not: str | None = None
    """Why it is not on the sheet."""
    small: bytes = b""
    """The picture, if it is."""


@dataclass(frozen=True)
class Sheet:
    """Several results in one picture."""

    jpeg: bytes
    compared: Sequence[Compared]
    """In the order in which they were asked for; the number of each stands below its picture."""
    has_person: bool
    """Whether the person's photo is the first picture."""


async def compare(names: Sequence[str], pictured: Pictured, gallery: "Gallery", call: Call) -> Sheet:
    """Return a sheet of the results that can be shown.

    Args:
        names: At least two.
        pictured: Looks at a try-on.
        gallery: Fetches pictures.
        call: Bounds all of it.

    Raises:
        ResultUnavailableError: Fewer than two can be shown; the text says why of each.
    """
    places = anyio.CapacityLimiter(MAX_AT_ONCE)
    found = [Compared(name, why_not="It did not come in time.") for name in names]

    async def look(number: int) -> None:
        async with places:
            found[number] = await _look(names[number], pictured, gallery)

    with call.deadline.earlier(SHEET_SECONDS).scope():
        async with asyncio.TaskGroup() as group:
            for number in range(len(names)):
                group.create_task(look(number))
    found = _without_repetitions(found)
    shown = [one for one in found if one.why_not is None]
    if len(shown) < MIN_SHOWN:
        most = MAX_REASON_CHARACTERS // len(found)
        said = " ".join(
            f"{number}. {quoted(one.name, 40)}: {plain(one.why_not, most)}"
            for number, one in enumerate(found, 1)
            if one.why_not
        )
        raise errors.ResultUnavailableError(f"Fewer than two of these can be shown. {said}")
    person = await gallery.common_person([one.try_on for one in shown if one.try_on is not None])
    captions = [_caption(number, one.try_on) for number, one in enumerate(found, 1) if one.why_not is None]
    smalls = [one.small for one in shown]
    if person is not None:
        smalls, captions = [person, *smalls], [PERSON, *captions]
    return Sheet(await gallery.sheet(smalls, captions), found, person is not None)


async def _look(name: str, pictured: Pictured, gallery: "Gallery") -> Compared:
    try_on: TryOn | None = None
    image: ResultImage | None = None
    try:
        try_on, image = await pictured(name)
        if image is None:
            return Compared(name, try_on, why_not=why_no_picture(try_on, 0))
        image, small = await gallery.small(try_on, image)
    except errors.KolorsError as error:
        return Compared(name, try_on, image, why_not=str(error))
    return Compared(name, try_on, image, small=small)


def _without_repetitions(found: Sequence[Compared]) -> list[Compared]:
    """Say of a try-on that was named before that it is the same."""
    numbers: dict[str, int] = {}
    kept: list[Compared] = []
    for number, one in enumerate(found, 1):
        first = number if one.try_on is None else numbers.setdefault(one.try_on.task_id, number)
        same = Compared(one.name, one.try_on, one.image, why_not=f"It is the same try-on as number {first}.")
        kept.append(one if first == number else same)
    return kept


def _caption(number: int, try_on: TryOn | None) -> str:
    label = None if try_on is None else try_on.label
    return str(number) if label is None else f"{number} {label}"
