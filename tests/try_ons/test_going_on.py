"""A result is a picture like any other: named by its id or its address, it is what the next garment goes over."""

import base64
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from kolors_mcp.sandbox import faults
from tests.support.making import jpeg
from tests.support.wishing import PERSON, Assistant, Said, World, garment

pytestmark = pytest.mark.anyio
DAY = 86_400.0


@pytest.fixture
async def assistant(world: World) -> AsyncIterator[Assistant]:
    async with world.server() as made:
        yield made


def sent_person(world: World) -> bytes:
    return world.kling.tasks.all[-1].request.human


async def finished(assistant: Assistant, colour: str = "crimson") -> str:
    return (await assistant.create(colour, wait_seconds=60)).try_on.task_id


async def layered(assistant: Assistant, person: str, colour: str = "navy") -> Said:
    return await assistant.call("create_try_on", human_image=person, cloth_image=garment(colour))


@pytest.mark.parametrize(
    "named",
    ["{id}", "{reference}", "tryon://{id}", "tryon://{id}/images/0", "<tryon://{reference}/images/0>", " {id} "],
)
async def test_a_garment_goes_over_an_earlier_result(world: World, assistant: Assistant, named: str) -> None:
    first = (await assistant.create(wait_seconds=60)).try_on
    second = (await layered(assistant, named.format(id=first.task_id, reference=first.reference))).try_on
    assert second.task_id != first.task_id
    assert any(note.startswith("human_image: the finished picture of try-on ") for note in second.notes)
    assert world.posts == 2
    # The person is what came out the last time, whole.
    result = world.kling.tasks.all[0].result
    assert result is not None
    assert Image.open(io.BytesIO(sent_person(world))).size == Image.open(io.BytesIO(result)).size
    assert sent_person(world) != base64.b64decode(PERSON)


async def test_an_earlier_result_is_a_garment_too_and_may_be_half_of_an_outfit(assistant: Assistant) -> None:
    first = await finished(assistant)
    worn = await assistant.call("create_try_on", human_image=PERSON, cloth_image=f"tryon://{first}")
    assert any(note.startswith("cloth_image: the finished picture") for note in worn.try_on.notes)
    both = await assistant.call(
        "create_try_on", human_image=PERSON, cloth_image=garment("navy"), lower_cloth_image=first
    )
    assert any(note.startswith("lower_cloth_image: the finished picture") for note in both.try_on.notes)


async def test_a_result_can_be_compared_with_the_result_that_it_went_over(assistant: Assistant) -> None:
    first = await finished(assistant)
    second = (
        await assistant.call("create_try_on", human_image=first, cloth_image=garment("navy"), wait_seconds=60)
    ).try_on
    shown = await assistant.call("view_try_on", task_id=second.task_id, compare=True)
    assert shown.text.startswith("Left: the person's photo.")


async def test_the_saved_copy_is_used_when_the_link_has_died(world: World, tmp_path: Path) -> None:
    async with world.server(save_dir=tmp_path / "kept") as assistant:
        first = await finished(assistant)
        world.time.now += 31 * DAY
        assert (await layered(assistant, first)).try_on.task_id != first


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ("tryon://99999", "which Kling does not know"),
        ("tryon://recent", "names no picture of a try-on"),
        ("tryon://../images/0", "names no picture of a try-on"),
        ("tryon://{id}/images/7", "no picture with index 7"),
    ],
)
async def test_what_is_no_result_is_refused_before_anything_is_sent(
    world: World, assistant: Assistant, named: str, why: str
) -> None:
    said = await layered(assistant, named.format(id=await finished(assistant)))
    assert said.is_error
    assert said.text.startswith("Error: human_image")
    assert why in said.text
    assert "Nothing was sent." in said.text
    assert world.posts == 1


async def test_a_result_that_is_not_there_yet_failed_or_cannot_be_asked_for_says_what_to_do(
    world: World, assistant: Assistant
) -> None:
    running = (await assistant.create()).try_on.task_id
    said = await layered(assistant, running)
    assert "is not finished" in said.text
    assert "get_try_on" in said.text
    world.kling.faults.next_read(faults.Raw(503), times=None)
    world.kling.faults.next_list(faults.Raw(503), times=None)
    said = await layered(assistant, running)
    assert "could not be looked at" in said.text
    assert "Nothing was sent." in said.text
    assert world.posts == 1


async def test_an_expired_result_is_not_sent(world: World, assistant: Assistant) -> None:
    first = await finished(assistant)
    world.time.now += 31 * DAY
    said = await layered(assistant, first)
    assert said.is_error
    assert "Nothing was sent." in said.text
    assert world.posts == 1


async def test_a_known_id_comes_before_a_file_of_its_name_and_a_file_before_an_unknown_one(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with world.server(image_dirs=(tmp_path,)) as assistant:
        first = await finished(assistant)
        for name in (first, "123456789012345678", "dress"):
            (tmp_path / name).write_bytes(jpeg(colour="gold"))
        assert any("the finished picture" in note for note in (await layered(assistant, first)).try_on.notes)
        for name in ("123456789012345678", "dress"):
            assert not any("the finished picture" in note for note in (await layered(assistant, name)).try_on.notes)
            assert sent_person(world) == jpeg(colour="gold")
