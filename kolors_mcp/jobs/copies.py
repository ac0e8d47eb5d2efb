"""Where copies of finished pictures are kept: in a folder of the user's own machine, or on the shelf of a service."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import anyio

from kolors_mcp.models import ResultImage, TryOn
from kolors_mcp.shelf.owners import owner_mark

if TYPE_CHECKING:
    from kolors_mcp.images.pictures import Pictures
    from kolors_mcp.shelf.shelf import Shelf

MAX_LABEL_BYTES = 100
"""Of a label in a file's name: what tells the picture from others comes after it, and has to fit too."""
MAX_RESULT_BYTES = 64_000_000
LINK_SECONDS = 3600.0
"""For which a link to a copy on the shelf is signed, anew at each look."""


class Kept(NamedTuple):
    """A copy that was made."""

    place: str
    """As the ledger has it."""
    shown: str | None
    """As a caller is told where it is; None: by the picture's own address, under which it is read."""


class Copies(Protocol):
    """A place for them."""

    async def is_there(self, user: str, task_id: str, image: ResultImage, /) -> bool:
        """Whether there is a copy of a picture."""
        ...

    async def keep(self, user: str, try_on: TryOn, image: ResultImage, data: bytes, /) -> Kept:
        """Keep one.

        Raises:
            KolorsError, OSError: It cannot be kept.
        """
        ...


class FolderCopies:
    """In a folder."""

    def __init__(self, folder: Path, pictures: "Pictures") -> None:
        """Write nothing yet."""
        self._folder = folder
        self._pictures = pictures

    async def is_there(self, _user: str, _task_id: str, image: ResultImage) -> bool:
        """Whether the file is there."""
        return image.saved_to is not None and await anyio.Path(image.saved_to).is_file()

    async def keep(self, _user: str, try_on: TryOn, image: ResultImage, data: bytes) -> Kept:
        """Write a file, over no other one."""
        stem = stem_of(try_on.task_id, image.index)
        if try_on.label is not None:
            label = try_on.label.encode("utf-8", "ignore")[:MAX_LABEL_BYTES].decode("utf-8", "ignore")
            stem = f"{label}-{stem}"
        path = str(await self._pictures.finished.keep(data, self._folder, stem))
        return Kept(path, path)


class ShelfCopies:
    """On a shelf, where names are known from the try-on, and links are signed for an hour if the shelf can do that."""

    def __init__(self, shelf: "Shelf") -> None:
        """Touch nothing yet."""
        self._shelf = shelf

    async def is_there(self, user: str, task_id: str, image: ResultImage) -> bool:
        """Whether the ledger says so, and the shelf has it still."""
        return image.saved_to is not None and await self._shelf.has(_place_of(user, task_id, image.index))

    async def keep(self, user: str, try_on: TryOn, image: ResultImage, data: bytes) -> Kept:
        """Put one there; one that lies there already is the same."""
        place = _place_of(user, try_on.task_id, image.index)
        await self._shelf.create(place, data)
        return Kept(place, None)

    async def read(self, user: str, task_id: str, index: int) -> bytes | None:
        """Return a copy; None if there is none.

        Raises:
            KolorsError: The shelf does not say.
        """
        return await self._shelf.get(_place_of(user, task_id, index), MAX_RESULT_BYTES)

    async def link(self, user: str, task_id: str, index: int) -> str | None:
        """Return a link to a copy, good for an hour; None where the shelf signs none.

        Raises:
            KolorsError: It could not be signed.
        """
        return await self._shelf.sign("GET", _place_of(user, task_id, index), LINK_SECONDS)


def stem_of(task_id: str, index: int) -> str:
    """Return what the name of every picture has in it that is saved automatically, so that it is known again."""
    return f"try-on-{_in_a_path(task_id)}-{index}"


def _place_of(user: str, task_id: str, index: int) -> str:
    return f"results/{owner_mark(user)}/{_in_a_path(task_id)}/{index}.jpg"


def _in_a_path(task_id: str) -> str:
    # Whatever else an upstream may put into an id has no business in a path.
    return re.sub(r"[^A-Za-z0-9_-]", "_", task_id)[:64]
