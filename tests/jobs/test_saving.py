"""A picture that has just been kept is not fetched again for a call that looked at the ledger a moment before."""

from typing import Any, cast

import pytest

from kolors_mcp.clock import Clock
from kolors_mcp.jobs.copies import Kept
from kolors_mcp.jobs.saving import Saving
from kolors_mcp.models import ResultImage, TryOn

pytestmark = pytest.mark.anyio


class Place:
    """Where copies are kept, and where they come from."""

    def __init__(self) -> None:
        self.finished = self
        self.downloads = 0

    async def is_there(self, _user: str, _task_id: str, image: ResultImage) -> bool:
        return image.saved_to is not None

    async def keep(self, _user: str, _try_on: TryOn, _image: ResultImage, _data: bytes) -> Kept:
        return Kept("a place", "a place")

    async def download(self, _url: str) -> bytes:
        self.downloads += 1
        return b"a picture"

    async def write(self, _work: Any) -> None:
        """The ledger has it, and those that have looked there do not know."""


async def test_who_knows_of_no_copy_is_told_of_the_one_that_was_just_made() -> None:
    place = Place()
    saving = Saving(place, cast("Any", place), cast("Any", place), Clock())
    image = ResultImage(index=0, url="https://kling.example/0.png")
    looked_before = TryOn(task_id="1", status="succeed", images=(image,))
    said = [await saving.save("ana", looked_before, Clock().deadline(5)) for _ in range(2)]
    assert [one.images[0].saved_to for one in said] == ["a place", "a place"]
    assert place.downloads == 1
    await saving.aclose()
