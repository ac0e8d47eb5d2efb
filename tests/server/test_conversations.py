"""Ten things that people ask for, each as a mid-size model goes about it: it goes right, and nothing is paid for twice.

A conversation is a few calls, made of what the descriptions and the answers before say. What is paid is counted at
Kling. Only what needs a page (kept photos, the room in a browser) is tried elsewhere.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from kolors_mcp.sandbox import faults
from tests.support.making import jpeg
from tests.support.wishing import Assistant, Said, World

pytestmark = pytest.mark.anyio

DAY = 86_400.0
COLOURS = {
    "me": "teal",
    "white shirt": "white",
    "navy shirt": "navy",
    "red shirt": "crimson",
    "skirt": "purple",
    "dress": "maroon",
    "jacket": "olive",
}


@dataclass
class Conversation:
    """What a model does, on a user's machine with a few photos."""

    world: World
    assistant: Assistant
    folder: Path
    calls: list[str] = field(default_factory=list[str])

    def photo(self, name: str) -> str:
        """The path of a photo that the user names."""
        return str(self.folder / f"{name}.jpg")

    async def call(self, tool: str, **arguments: Any) -> Said:
        self.calls.append(tool)
        return await self.assistant.call(tool, **arguments)

    async def wear(self, garment: str, **more: Any) -> Said:
        """Create as the descriptions say: with the photos' paths, and with some time."""
        pictures = {"human_image": self.photo("me"), "cloth_image": self.photo(garment)}
        return await self.call("create_try_on", **{**pictures, "wait_seconds": 60, **more})

    async def description(self, tool: str) -> str:
        tools = (await self.assistant.client.list_tools()).tools
        return next(" ".join((one.description or "").split()) for one in tools if one.name == tool)

    def assert_cost(self, *, paid: int, calls: int) -> None:
        """Check that Kling was paid so often, with no more calls than that takes."""
        assert self.world.kling.tasks_created == paid
        assert len(self.calls) == calls, self.calls


@pytest.fixture
async def talk(world: World, tmp_path: Path) -> AsyncIterator[Conversation]:
    photos = tmp_path / "Pictures"
    photos.mkdir()
    for name, colour in COLOURS.items():
        (photos / f"{name}.jpg").write_bytes(jpeg(colour=colour))
    # With progress, as most hosts ask for it: a call may then wait as long as it says.
    async with world.server(lambda _line: None, image_dirs=(photos,), chosen_dir=photos / "try-ons") as assistant:
        yield Conversation(world, assistant, photos)


async def test_1_a_photo_attached_to_the_chat_is_answered_with_the_way_that_works(talk: Conversation) -> None:
    said = await talk.wear("red shirt", human_image="[Image #1]")
    assert said.is_error
    assert "the path that the host shows" in said.text
    assert "open_fitting_room" in said.text
    assert (await talk.wear("red shirt")).try_on.status == "succeed"
    talk.assert_cost(paid=1, calls=2)


async def test_2_three_shirts_are_tried_on_side_by_side_and_end_in_one_picture(talk: Conversation) -> None:
    assert "compare_try_ons" in await talk.description("create_try_on")
    talk.world.kling.rules.slots = 1  # an account that runs one at a time: the others wait in line
    shirts = ("white shirt", "navy shirt", "red shirt")
    made = await asyncio.gather(*(talk.wear(shirt, wait_seconds=300) for shirt in shirts))
    assert [said.try_on.label for said in made] == list(shirts)
    sheet = await talk.call("compare_try_ons", task_ids=list(shirts))
    assert sheet.pictures == 1
    assert all(said.try_on.images[0].url in sheet.text for said in made)
    assert talk.world.posts > len(shirts), "some were told that the account is busy, and have waited"
    talk.assert_cost(paid=3, calls=4)


async def test_3_a_top_and_a_skirt_go_together_for_one_unit(talk: Conversation) -> None:
    said = await talk.wear("white shirt", lower_cloth_image=talk.photo("skirt"))
    assert (said.try_on.status, said.try_on.label) == ("succeed", "white shirt and skirt")
    talk.assert_cost(paid=1, calls=1)


async def test_4_a_jacket_goes_over_the_result_of_the_dress(talk: Conversation) -> None:
    assert "for a jacket over it, let the dress finish, then give its task_id" in await talk.description(
        "create_try_on"
    )
    dress = (await talk.wear("dress")).try_on
    both = (await talk.wear("jacket", human_image=dress.task_id)).try_on
    assert any(note.startswith("human_image: the finished picture") for note in both.notes)
    talk.assert_cost(paid=2, calls=2)


async def test_5_a_shops_page_gives_its_product_and_says_which(world: World, talk: Conversation) -> None:
    async def shop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        page = b"<html><title>Linen shirt | Shop</title><meta property=og:image content=/shirt.jpg></html>"
        body = jpeg(colour="gold") if b"shirt.jpg" in asked else page
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(shop, "127.0.0.1", 0) as listening:
        host = f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        hosts = world.settings().allowed_hosts | {host}
        async with world.server(lambda _line: None, image_dirs=(talk.folder,), allowed_hosts=hosts) as assistant:
            talk.assistant = assistant
            said = await talk.wear("none", cloth_image=f"http://{host}/linen")
    assert said.try_on.label == "Linen shirt | Shop"
    assert any('"Linen shirt | Shop"' in note for note in said.try_on.notes)
    talk.assert_cost(paid=1, calls=1)


async def test_6_a_dead_link_is_not_handed_out_and_a_new_picture_is_the_users_choice(
    world: World, talk: Conversation
) -> None:
    await talk.wear("red shirt", label="red")
    world.time.now += 31 * DAY
    said = await talk.call("get_try_on", task_id="red")
    assert said.try_on.images[0].expired
    assert "do not give it on. Only a new create_try_on makes the picture again, and costs again." in said.text
    again = await talk.wear("red shirt", label="red again")
    assert (again.try_on.status, again.try_on.reused) == ("succeed", False)
    talk.assert_cost(paid=2, calls=3)


async def test_7_a_refusal_by_content_says_what_it_cost_and_what_helps(world: World, talk: Conversation) -> None:
    world.kling.faults.next_create(faults.Refuse(1301))
    refused = await talk.wear("dress")
    assert refused.nothing_created
    assert "other pictures" in refused.text.lower()
    world.kling.faults.next_create(faults.FailLate())
    failed = await talk.wear("red shirt")
    assert failed.try_on.status == "failed"
    assert failed.try_on.next_step is not None
    assert "charges nothing" in failed.try_on.next_step
    assert "use other pictures" in failed.try_on.next_step
    assert (await talk.wear("navy shirt")).try_on.status == "succeed"
    talk.assert_cost(paid=2, calls=3)


async def test_8_what_is_left_is_answered_by_kling_and_costs_nothing(talk: Conversation) -> None:
    said = await talk.call("get_account")
    assert said.structured is not None
    assert said.structured["units_left"] > 0
    assert f"Units left for try-ons: {said.structured['units_left']:g}" in said.text
    talk.assert_cost(paid=0, calls=1)


async def test_9_a_result_is_saved_under_the_name_that_the_user_says(talk: Conversation) -> None:
    await talk.wear("dress")
    saved = await talk.call("save_try_on", task_id="Dress", name="red-dress")
    assert saved.structured is not None
    assert Path(saved.structured["saved_to"]) == talk.folder / "try-ons" / "red-dress.png"
    talk.assert_cost(paid=1, calls=2)


async def test_10_another_pose_is_known_not_to_be_had_and_asking_again_costs_nothing(talk: Conversation) -> None:
    assert "Only the garment changes: for another pose or background" in await talk.description("create_try_on")
    first = (await talk.wear("dress", label="dress")).try_on
    again = (await talk.wear("dress", label="dress, sitting")).try_on
    assert (again.task_id, again.reused) == (first.task_id, True)
    talk.assert_cost(paid=1, calls=2)


async def test_every_description_says_first_what_it_is_for_what_it_costs_and_what_comes_next(
    talk: Conversation,
) -> None:
    for tool in (await talk.assistant.client.list_tools()).tools:
        first = (tool.description or "").split("\n\n")[0]
        assert "at no cost; " in first or "for one paid unit" in first, tool.name
        assert "; then " in first, tool.name
        assert len(first) <= 120, tool.name
