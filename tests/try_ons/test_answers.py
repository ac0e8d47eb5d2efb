"""What every answer says: the same in both parts, nothing that is not kept, and what to do when something hinders."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from PIL import Image

from kolors_mcp.jobs.in_line import words_of
from kolors_mcp.jobs.sighting import Sighting
from kolors_mcp.kling.task import Task
from kolors_mcp.sandbox import faults
from kolors_mcp.sandbox.requests import CreateRequest
from kolors_mcp.server import build_server
from kolors_mcp.settings import Settings
from kolors_mcp.try_ons.answers import Answers
from tests.support.answering import missing_in_text
from tests.support.making import Era, jpeg
from tests.support.wishing import MINUTE, PERSON, Assistant, World, garment

pytestmark = pytest.mark.anyio
DAY = 24 * 60 * MINUTE
MAX_CHARACTERS = 12_000


def made_fit(kind: str, colour: str) -> bytes:
    """A picture of which Kling takes no copy as it is; of one colour, all kinds come to the same."""
    out = io.BytesIO()
    Image.new("RGB", (320, 400), colour).save(out, kind)
    return out.getvalue()


def noted(colour: str = "crimson", kind: str = "WEBP") -> str:
    """One of which a note tells what was done."""
    return base64.b64encode(made_fit(kind, colour)).decode()


async def test_both_parts_of_every_answer_say_the_same(
    world: World, assistant: Assistant, tmp_path: Path, era: Era
) -> None:
    def fraction_of_a_second() -> None:
        world.time.now += 0.123

    fraction_of_a_second()
    async with world.server(None if era == "auto" else lambda _line: None, save_dir=tmp_path / "kept") as saving:
        said = [
            await assistant.create(),
            await assistant.create(wait_seconds=30),
            await assistant.call("create_try_on", human_image=PERSON, cloth_image=noted()),
            await saving.create("navy", model_name="kolors-virtual-try-on-v1-5", wait_seconds=30),
        ]
        world.kling.faults.next_create(faults.FailLate("Failure to pass the risk control system"))
        said += [await saving.create("gold", wait_seconds=30), await saving.list(), await saving.list(page_size=2)]
        world.time.now += 31 * DAY
        said += [await saving.get(said[3].try_on.task_id), await saving.list()]
    assert [missing_in_text(one) for one in said] == [[]] * len(said)
    texts = "\n".join(one.text for one in said)
    for needed in ("Reused: ", "Saved to: ", "Note: ", "Model: ", "expired on ", "Failure to pass", "page_num 2"):
        assert needed in texts, "the control: these kinds of answers were among them"


async def test_every_block_of_every_answer_is_text_or_a_jpeg(world: World, era: Era) -> None:
    async with Client(
        build_server(world.settings(sandbox=True), lambda: None, open_upstream=None), mode=era
    ) as keyless:
        tools = [tool.name for tool in (await keyless.list_tools()).tools]
    async with world.server(None if era == "auto" else lambda _line: None) as assistant:
        task_id = (await assistant.create(wait_seconds=30)).try_on.task_id
        other = (await assistant.create("navy", wait_seconds=30)).try_on.task_id
        for name in tools:
            takes: dict[str, dict[str, Any]] = {
                "create_try_on": {"human_image": PERSON, "cloth_image": garment("crimson")},
                "compare_try_ons": {"task_ids": [task_id, other]},
            }
            bare = ("list_try_ons", "get_account", "open_fitting_room", "list_pictures")
            arguments = takes.get(name, {} if name in bare else {"task_id": task_id})
            result = await assistant.client.call_tool(name, arguments)
            assert not result.is_error, name
            assert {part.type for part in result.content} <= {"text", "image"}, name


def thirty_at(world: World) -> None:
    """Put a month's try-ons into the account, without their HTTP."""
    for number in range(30):
        request = CreateRequest("kolors-virtual-try-on-v1", jpeg(), jpeg(), None, f"k-{number:024x}")
        world.kling.create(world.kling.accounts[0], request)


async def test_thirty_rows_take_at_most_twelve_thousand_characters_in_either_part(
    world: World, assistant: Assistant
) -> None:
    thirty_at(world)
    world.time.now += MINUTE
    said = await assistant.list()
    assert len(said.page.try_ons) == 30
    assert all(row.images and row.reference and row.images[0].expires_at for row in said.page.try_ons)
    assert len(said.text) <= MAX_CHARACTERS
    assert len(json.dumps(said.structured)) <= MAX_CHARACTERS


async def test_rows_carry_no_notes_and_no_next_step(assistant: Assistant) -> None:
    made = await assistant.call("create_try_on", human_image=PERSON, cloth_image=noted(), wait_seconds=30)
    assert made.try_on.notes
    assert made.try_on.next_step
    said = await assistant.list()
    [row] = said.page.try_ons
    assert (row.notes, row.next_step, row.images[0].resource_uri) == ((), None, None)
    assert row.images[0].url == made.try_on.images[0].url
    for left_out in ("Note", "WebP", "Give the user", "tryon://"):
        assert left_out not in said.text
        assert left_out not in json.dumps(said.structured)


async def test_an_expired_link_is_marked_wherever_it_stands_and_never_offered(
    world: World, assistant: Assistant
) -> None:
    made = (await assistant.create(wait_seconds=30)).try_on
    fresh = await assistant.get(made.task_id)
    assert not fresh.try_on.images[0].expired
    assert "Give the user the link" in fresh.text
    world.time.now += 30 * DAY - MINUTE
    assert not (await assistant.get(made.task_id)).try_on.images[0].expired, "a minute before it is good"
    world.time.now += 2 * MINUTE
    got, listed = await assistant.get(made.task_id), await assistant.list()
    for said, images in ((got, got.try_on.images), (listed, listed.page.try_ons[0].images)):
        assert [image.expired for image in images] == [True]
        assert "expired on" in said.text
        assert "kept until" not in said.text
        assert "Give the user the link" not in said.text
    assert "no copy was saved here: do not give it on. Only a new create_try_on makes" in got.text
    assert "saved copy" not in got.text
    shown = await assistant.view(made.task_id)
    assert shown.is_error
    assert "Its link has expired" in shown.text
    assert made.images[0].url not in shown.text


async def test_a_saved_copy_is_offered_in_place_of_an_expired_link(world: World, tmp_path: Path) -> None:
    async with world.server(save_dir=tmp_path / "kept") as assistant:
        made = (await assistant.create(wait_seconds=30)).try_on
        world.time.now += 31 * DAY
        fetched = len(world.kling.requests)
        said = await assistant.get(made.task_id)
        assert said.try_on.images[0].saved_to == made.images[0].saved_to
        assert "the saved copy" in (said.try_on.next_step or "")
        assert not [request for request in list(world.kling.requests)[fetched:] if "/results/" in request.path]
        shown = await assistant.view(made.task_id)
        assert shown.pictures == 1
        assert made.images[0].saved_to in shown.text.split()
        assert made.images[0].url not in shown.text


async def test_notes_say_which_picture_they_are_about(assistant: Assistant) -> None:
    said = await assistant.call("create_try_on", human_image=noted("teal"), cloth_image=noted("crimson", "BMP"))
    [human, cloth] = said.try_on.notes
    assert human.startswith("human_image: converted from WebP")
    assert cloth.startswith("cloth_image: converted from BMP")


async def test_notes_on_an_outfit_say_which_garment_they_are_about(assistant: Assistant) -> None:
    said = await assistant.call(
        "create_try_on",
        human_image=PERSON,
        cloth_image=noted(),
        lower_cloth_image=base64.b64encode(turned_photo()).decode(),
    )
    [*notes, canvas] = said.try_on.notes
    assert [note for note in notes if note.startswith("lower_cloth_image: turned by 90 degrees")]
    assert {note.split(":")[0] for note in notes} <= {"cloth_image", "lower_cloth_image"}
    assert canvas.startswith("both garments put on one white canvas")


def turned_photo() -> bytes:
    out, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (400, 320), "navy").save(out, "JPEG", exif=exif)
    return out.getvalue()


async def test_a_joined_create_tells_of_its_own_pictures(assistant: Assistant) -> None:
    said = [
        await assistant.call("create_try_on", human_image=PERSON, cloth_image=noted(kind=kind))
        for kind in ("BMP", "GIF")
    ]
    assert [one.try_on.reused for one in said] == [False, True]
    assert [one.try_on.notes[0].split(" to ")[0] for one in said] == [
        "cloth_image: converted from BMP",
        "cloth_image: converted from GIF",
    ]
    found = await assistant.get(said[0].try_on.task_id)
    assert found.try_on.notes == said[0].try_on.notes, "what was sent is what the first create was given"


async def test_the_sandbox_promises_no_link_beyond_its_process(world: World) -> None:
    async with world.server(sandbox=True) as assistant:
        said = await assistant.create(wait_seconds=30)
        shown = await assistant.view(said.try_on.task_id)
        listed = await assistant.list()
    assert said.try_on.images[0].expires_at is None
    assert listed.page.try_ons[0].images[0].expires_at is None
    for text in (said.text, shown.text, listed.text):
        assert "with this server's process" in text
        assert "until" not in text
    assert "this server's process" in (said.try_on.next_step or "")
    async with world.server() as assistant:
        assert "this server's process" not in (await assistant.create("navy", wait_seconds=30)).text


async def test_what_the_instructions_say_stands_in_descriptions_too() -> None:
    async with Client(build_server(Settings())) as client:
        said = {tool.name: tool.description or "" for tool in (await client.list_tools()).tools}
    create = said["create_try_on"]
    for needed in (
        "Create each try-on once",
        "when the user wants",
        "in doubt",
        "get_try_on or list_try_ons",
        "A dress goes",
    ):
        assert needed in create
    assert "until the status is succeed or failed" in said["get_try_on"]
    assert "whole" in said["get_try_on"]
    assert "30 days" in said["get_try_on"]


def test_what_is_being_sent_is_not_said_to_wait_for_a_slot() -> None:
    seen = Sighting(Task("k-1", "k-1", "submitted", words_of(None)), None)
    step = Answers(lambda: 0.0, sandbox=False).of_task(seen).next_step or ""
    assert "slot" not in step
    assert "it goes on by itself" in step
