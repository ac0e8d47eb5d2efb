"""Pictures that were built to stall the server are answered like any others, and the next call finds it as it was."""

from functools import cache

import anyio
import pytest

from kolors_mcp.bounds import MAX_STEPS
from tests.support.hostile_pictures import MANY_PIECES, with_empty_data
from tests.support.images_support import b64
from tests.support.wishing import PERSON, World

pytestmark = pytest.mark.anyio

PIECES = "human_image is built of more than 50000 pieces, which takes too long to read. Save it anew first."
NO_PICTURE = "human_image is no picture of a kind that can be read. Give a JPEG, PNG, WebP"


@cache
def refused_pictures() -> dict[str, tuple[bytes, str]]:
    """What would stall a reader, and what is said of it."""
    return {
        "comments before a page": (b"<!---->" * 28 + b"x", NO_PICTURE),
        "openings of comments": (b"<!--" * 100_000, NO_PICTURE),
        "declarations": (b"<?xml >" * 100_000, NO_PICTURE),
        "chunks": (MANY_PIECES["PNG, texts"](60_000), PIECES),
        "empty data": (with_empty_data(60_000), PIECES),
        "segments": (MANY_PIECES["JPEG, comments"](60_000), PIECES),
        "tables": (MANY_PIECES["JPEG, tables"](60_000), PIECES),
        "scans": (MANY_PIECES["JPEG, scans"](60_000), PIECES),
    }


async def test_what_would_stall_is_refused_and_an_innocent_create_works_right_after(world: World) -> None:
    async with world.server() as assistant:
        for data, words in refused_pictures().values():
            said = await assistant.call("create_try_on", human_image="data:;base64," + b64(data), cloth_image=PERSON)
            assert said.is_error
            assert words in said.text
            assert "\n" not in said.text
        assert world.posts == 0
        assert (await assistant.create()).try_on.status == "submitted"


async def test_the_same_as_files_all_at_once(world: World) -> None:
    folder = world.folder / "pictures"
    folder.mkdir()
    for name, (data, _) in refused_pictures().items():
        (folder / f"{name}.png").write_bytes(data)
    refused: list[str] = []
    async with world.server(image_dirs=(folder,)) as assistant:

        async def refuse(name: str) -> None:
            said = await assistant.call("create_try_on", human_image=str(folder / f"{name}.png"), cloth_image=PERSON)
            assert refused_pictures()[name][1] in said.text
            refused.append(name)

        async with anyio.create_task_group() as tasks:
            for name in refused_pictures():
                tasks.start_soon(refuse, name)
        assert sorted(refused) == sorted(refused_pictures())
        assert (await assistant.create()).try_on.status == "submitted"


async def test_just_as_many_pieces_as_are_taken_start_a_try_on(world: World) -> None:
    """What Kling gets of it is the picture alone."""
    async with world.server() as assistant:
        for kind in ("PNG, empty data", "JPEG, comments"):
            data = MANY_PIECES[kind](MAX_STEPS - 100)
            said = await assistant.call("create_try_on", human_image=b64(data), cloth_image=PERSON)
            assert said.try_on.status == "submitted"
            sent = world.kling.requests[-1].json["human_image"]
            assert len(sent) < 100_000
    assert world.posts == 2
