"""A try-on has a name that people know it by: kept, shown, taken wherever an id is taken, and never told to Kling."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kolors_mcp.sandbox import faults
from tests.support.making import jpeg
from tests.support.wishing import PERSON, Assistant, Said, World

pytestmark = pytest.mark.anyio


@pytest.fixture
async def assistant(world: World) -> AsyncIterator[Assistant]:
    async with world.server() as made:
        yield made


async def finished(assistant: Assistant, colour: str = "crimson", **more: object) -> str:
    return (await assistant.create(colour, wait_seconds=60, **more)).try_on.task_id


def reads(world: World) -> int:
    return sum(request.method == "GET" for request in world.kling.requests)


async def test_a_label_is_shown_in_every_answer_and_never_sent_to_kling(world: World, assistant: Assistant) -> None:
    made = await assistant.create(label="  Red \u202edress\n", wait_seconds=60)
    task_id = made.try_on.task_id
    for said in (made, await assistant.get(task_id), await assistant.list(), await assistant.view(task_id)):
        assert '"Red dress"' in said.text
    assert made.try_on.label == (await assistant.get(task_id)).try_on.label == "Red dress"
    assert [row.label for row in (await assistant.list()).page.try_ons] == ["Red dress"]
    saved = await assistant.call("save_try_on", task_id=task_id)
    assert saved.structured is not None
    assert saved.structured["label"] == "Red dress"
    assert Path(saved.structured["saved_to"]).stem == "Red-dress"
    client = assistant.client
    assert '"label":"Red dress"' in (await client.read_resource("tryon://recent")).model_dump_json().replace("\\", "")
    titles = [resource.title or "" for resource in (await client.list_resources()).resources]
    assert sum('"Red dress"' in title for title in titles) == 2
    assert not any(b"Red dress" in request.body for request in world.kling.requests)


@pytest.mark.parametrize("named", ["red dress", "RED  DRESS", " Red dress ", "tryon://{id}", "tryon://{id}/images/0"])
async def test_every_tool_takes_it_for_the_id(assistant: Assistant, named: str) -> None:
    task_id = await finished(assistant, label="Red dress")
    await finished(assistant, "navy", label="Navy dress")
    named = named.format(id=task_id)
    assert (await assistant.get(named)).try_on.task_id == task_id
    for tool in ("view_try_on", "save_try_on"):
        said = await assistant.call(tool, task_id=named)
        assert not said.is_error
        assert task_id in said.text


@pytest.mark.parametrize(
    "written",
    [
        *('"{id}"', "`{id}`", "<{id}>", "({id}).", "#{id}", "Try-on {id}:", "task_id: {id}", "**Task ID:** `{id}`"),
        *("reference {reference}", "{upper}", "`tryon://{id}`", "id={id}"),
    ],
)
async def test_an_id_is_known_as_it_stands_in_a_text(assistant: Assistant, written: str) -> None:
    made = await assistant.create(wait_seconds=60)
    reference = made.reference
    named = written.format(id=made.try_on.task_id, reference=reference, upper=reference.upper())
    assert (await assistant.get(named)).try_on.task_id == made.try_on.task_id


@pytest.mark.parametrize("label", ["task 7", "Try-on 2", "(red)", "id: 12345678901", "k-pop"])
async def test_a_label_that_only_resembles_an_id_in_a_text_stays_a_label(assistant: Assistant, label: str) -> None:
    task_id = await finished(assistant, label=label)
    assert (await assistant.get(label)).try_on.task_id == task_id


async def test_a_label_of_several_lists_them_and_one_of_none_is_an_unknown_id(
    world: World, assistant: Assistant
) -> None:
    first = await finished(assistant, label="look")
    second = (await assistant.create("navy", label="Look")).try_on.task_id
    asked = reads(world)
    said = await assistant.get("LOOK")
    assert said.is_error
    assert said.text.startswith(f'Error: 2 try-ons are called "LOOK": {second} (submitted, ')
    assert f"{first} (succeed, 20" in said.text
    unknown = await assistant.get("no such look")
    assert unknown.is_error
    assert reads(world) == asked, "a label is nothing that Kling could know"
    by_id = await assistant.get("999999999999999999")
    assert unknown.text == by_id.text.replace("999999999999999999", "no such look").replace(" (code 1203)", "")


async def test_an_id_comes_before_a_label_and_no_label_looks_like_one(world: World, assistant: Assistant) -> None:
    task_id = await finished(assistant)
    for label in (task_id, "k-0123456789abcdef01234567", "123456789012", "0", "...", "x" * 61, "\u200b\u2060"):
        said = await assistant.create("navy", label=label)
        assert said.is_error, label
        assert said.text.startswith("Error: label "), said.text
    assert world.posts == 1
    other = await finished(assistant, "navy", label="k-9")
    assert (await assistant.get("K-9")).try_on.task_id == other


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("linen_shirt.jpg", "linen shirt"),
        ("红色 连衣裙.JPEG", "红色 连衣裙"),
        ("20240501123456.jpg", None),
        ("3.png", None),
    ],
)
async def test_without_one_the_garments_file_names_it(
    world: World, tmp_path: Path, name: str, label: str | None
) -> None:
    (tmp_path / name).write_bytes(jpeg(colour="gold"))
    async with world.server(image_dirs=(tmp_path,)) as assistant:
        said = await assistant.call("create_try_on", human_image=PERSON, cloth_image=str(tmp_path / name))
        assert said.try_on.label == label
        if label is not None:
            assert (await assistant.get(label)).try_on.task_id == said.try_on.task_id


async def test_what_joins_an_earlier_create_leaves_its_label_and_says_so(world: World, assistant: Assistant) -> None:
    first = (await assistant.create(label="Red dress")).try_on
    assert first.label == "Red dress"
    again = (await assistant.create(label="Crimson")).try_on
    assert (again.task_id, again.label, again.reused) == (first.task_id, "Red dress", True)
    assert 'label: this try-on was started by an earlier call and keeps its label "Red dress"' in again.notes
    for label in (None, "red DRESS"):
        assert not any(note.startswith("label:") for note in (await assistant.create(label=label)).try_on.notes)
    assert world.posts == 1


async def test_pictures_saved_by_themselves_have_speaking_names_and_nothing_is_written_over(
    world: World, tmp_path: Path
) -> None:
    folder = tmp_path / "kept"
    async with world.server(save_dir=folder) as assistant:
        ids = [await finished(assistant, colour, label="Red: dress") for colour in ("crimson", "navy")]
    assert {path.stem for path in folder.iterdir()} == {f"Red-dress-try-on-{task_id}-0" for task_id in ids}
    async with world.server(save_dir=tmp_path / "another") as assistant:
        world.kling.faults.next_read(faults.Refuse(1203), times=None)
        assert not (await assistant.view(ids[0])).is_error, "the copy is known again by its name"


async def test_a_create_in_doubt_is_found_by_its_label(world: World, assistant: Assistant) -> None:
    world.kling.faults.next_create(faults.Disconnect("after_acceptance"))
    world.kling.faults.next_list(faults.Raw(503), times=None)
    world.kling.faults.next_read(faults.Raw(503), times=None)
    doubted = await assistant.create(label="Look")
    assert doubted.in_doubt
    assert (await assistant.get("look")).in_doubt
    named = await picture_refused(assistant, human_image="look")
    assert f'An earlier try-on is called so: give its task_id "{doubted.reference}"' in named.text
    world.kling.faults.clear()
    assert (await assistant.get("look")).try_on.label == "Look"
    assert world.posts == 1


async def picture_refused(assistant: Assistant, **pictures: str) -> Said:
    said = await assistant.call("create_try_on", **{"human_image": PERSON, "cloth_image": PERSON, **pictures})
    assert said.is_error
    return said


async def test_a_label_is_no_picture_and_the_refusal_says_what_to_give(world: World, tmp_path: Path) -> None:
    async with world.server(image_dirs=(tmp_path,)) as assistant:
        task_id = await finished(assistant, label="Red dress")
        said = await picture_refused(assistant, human_image="red dress")
        assert f'An earlier try-on is called so: give its task_id "{task_id}"' in said.text
        assert "called so" not in (await picture_refused(assistant, cloth_image="blue dress")).text
        (tmp_path / "red dress").write_bytes(jpeg(colour="gold"))
        going_on = await assistant.call("create_try_on", human_image="red dress", cloth_image=f"tryon://{task_id}")
        assert not any("human_image: the finished" in note for note in going_on.try_on.notes), "the file is meant"
    assert world.posts == 2


async def test_a_label_is_found_as_it_is_shown_whatever_its_quotes(assistant: Assistant) -> None:
    task_id = await finished(assistant, label='The “cut-out" dress')
    for named in ("The 'cut-out' dress", 'the "cut-out" dress'):
        assert (await assistant.get(named)).try_on.task_id == task_id
