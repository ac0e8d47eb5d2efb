"""What came in a message as base64: what is sent of it, and for how long it is held."""

import base64
from functools import partial

import pytest

from kolors_mcp.pictures import InlinePicture
from kolors_mcp.server.lifting import LIFTED, Lifted
from tests.support.making import noise
from tests.support.wishing import World

pytestmark = pytest.mark.anyio

WORDS = {"human_image": "the person", "cloth_image": "the garment"}


async def test_a_create_that_waits_for_its_result_holds_no_picture_and_the_next_one_can_name_it(world: World) -> None:
    gone: list[str] = []
    heard: list[tuple[str, int]] = []
    pictures = {
        word: InlinePicture("", noise(number), partial(gone.append, word)) for number, word in enumerate(WORDS.values())
    }

    def hear(line: str) -> None:
        heard.append((line.partition(" (")[0], sum(len(picture.data) for picture in pictures.values())))

    # What serves inherits it, as what answers a request does.
    LIFTED.set(Lifted(b"", dict(pictures)))
    async with world.server(hear, sent_side="original") as assistant:
        made = (await assistant.call("create_try_on", **WORDS, wait_seconds=60)).try_on
        assert made.status == "succeed"
        assert sorted(gone) == sorted(WORDS.values())
        whole = len(noise(0)) + len(noise(1))
        assert ("preparing the pictures", whole) in heard
        assert ("sending the pictures to Kling", 0) in heard
        await assistant.call(
            "create_try_on",
            human_image=f"tryon://{made.task_id}/person",
            cloth_image=base64.b64encode(noise(2)).decode(),
        )
        await assistant.call(
            "create_try_on",
            human_image=f"tryon://{made.task_id}/person",
            cloth_image=base64.b64encode(noise(3)).decode(),
        )
        assert [task.request.human for task in world.kling.tasks.all] == [noise(0)] * 3
