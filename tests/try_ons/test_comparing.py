"""Several results on one sheet to choose between, and a line for each: which it is, or why it is not there."""

import base64
import io
from collections.abc import AsyncIterator
from typing import Any

import pytest
from mcp_types import CallToolResult, ImageContent
from PIL import Image

from kolors_mcp.sandbox import faults
from tests.support.in_memory import text_of
from tests.support.making import jpeg
from tests.support.wishing import Assistant, World

pytestmark = pytest.mark.anyio
DAY = 86_400.0


@pytest.fixture
async def assistant(world: World) -> AsyncIterator[Assistant]:
    async with world.server() as made:
        yield made


async def finished(assistant: Assistant, colour: str, **more: Any) -> str:
    return (await assistant.create(colour, wait_seconds=60, **more)).try_on.task_id


async def sheet(assistant: Assistant, *names: str, task_ids: Any = None) -> tuple[Image.Image, list[str]]:
    result = await assistant.client.call_tool("compare_try_ons", {"task_ids": task_ids or list(names)})
    assert isinstance(result, CallToolResult)
    assert not result.is_error, text_of(result)
    assert result.structured_content is None
    [picture] = [part for part in result.content if isinstance(part, ImageContent)]
    assert len(picture.data) <= 200_000
    shown = Image.open(io.BytesIO(base64.b64decode(picture.data)))
    assert shown.format == "JPEG"
    assert max(shown.size) <= 1200
    return shown, text_of(result).splitlines()


async def test_results_are_laid_out_with_number_label_and_link_and_the_person_first(
    world: World, assistant: Assistant
) -> None:
    ids = [await finished(assistant, colour, label=f"{colour} shirt") for colour in ("crimson", "navy", "gold")]
    _, lines = await sheet(assistant, ids[0], "NAVY shirt", f"tryon://{ids[2]}")
    assert (
        lines[0] == "3 try-ons on one sheet, in reading order, the number of each below its picture; first the person."
    )
    for number, (task_id, colour) in enumerate(zip(ids, ("crimson", "navy", "gold"), strict=True), 1):
        link = (await assistant.get(task_id)).try_on.images[0].url
        assert lines[number].startswith(
            f'{number}. Try-on {task_id} ("{colour} shirt"): picture 0: {link} (kept until '
        )
    assert lines[-1].startswith("Next: ")
    assert world.posts == 3


async def test_the_person_is_left_out_where_it_is_not_the_same_or_not_at_hand(world: World) -> None:
    async with world.server() as assistant:
        first = await finished(assistant, "crimson")
        over = await assistant.call("create_try_on", human_image=first, cloth_image=jpeg_of("navy"), wait_seconds=60)
        shown, lines = await sheet(assistant, first, over.try_on.task_id)
        assert "person" not in lines[0]
    async with world.server() as later:
        alone, lines = await sheet(later, first, over.try_on.task_id)
        assert "person" not in lines[0]
        assert alone.size == shown.size


def jpeg_of(colour: str) -> str:
    return base64.b64encode(jpeg(colour=colour)).decode()


async def test_what_cannot_be_shown_says_why_as_long_as_two_can(world: World, assistant: Assistant) -> None:
    good = [await finished(assistant, colour) for colour in ("crimson", "navy")]
    world.kling.faults.next_create(faults.FailLate("no person found"))
    failed = await finished(assistant, "gold")
    running = (await assistant.create("purple", label="Late")).try_on.task_id
    _, lines = await sheet(assistant, good[0], failed, "late", "no such look", good[0], good[1])
    assert lines[0].startswith("2 try-ons on one sheet")
    assert f'2. "{failed}" is not shown: Try-on "{failed}" failed' in lines[2]
    assert f'3. "late" is not shown: Try-on "{running}" is not finished' in lines[3]
    assert '4. "no such look" is not shown: Kling knows no try-on "no such look"' in lines[4]
    assert lines[5] == f'5. "{good[0]}" is not shown: It is the same try-on as number 1.'
    assert lines[6].startswith(f"6. Try-on {good[1]}")


async def test_fewer_than_two_are_an_error_that_says_why_of_each(world: World, assistant: Assistant) -> None:
    good = await finished(assistant, "crimson")
    running = (await assistant.create("navy")).try_on.task_id
    said = await assistant.call("compare_try_ons", task_ids=[good, running])
    assert said.is_error
    assert said.text.startswith("Error: Fewer than two of these can be shown. 2. ")
    assert "is not finished" in said.text
    await assistant.get(running, 60)
    world.time.now += 31 * DAY
    expired = await assistant.call("compare_try_ons", task_ids=[good, running])
    assert expired.text.count("Its link has expired") == 2


async def test_a_list_may_come_as_text_and_a_wrong_one_is_refused_by_name(assistant: Assistant) -> None:
    ids = [await finished(assistant, colour) for colour in ("crimson", "navy")]
    for written in (f'["{ids[0]}", "{ids[1]}"]', f"{ids[0]}, {ids[1]}", [int(name) for name in ids]):
        assert (await sheet(assistant, task_ids=written))[1][0].startswith("2 try-ons")
    for wrong, why in (
        ([ids[0]], "task_ids is a list; it takes a list of 2 to 9."),
        ([str(number) for number in range(10)], "task_ids is a list; it takes a list of 2 to 9."),
        (7, "task_ids is 7; it takes a list of 2 to 9."),
        ("[", 'task_ids is "["; it takes a list of 2 to 9.'),
        ([ids[0], "x" * 61 + "!"], "task_ids is neither a task_id nor a label"),
    ):
        said = await assistant.call("compare_try_ons", task_ids=wrong)
        assert said.text.startswith(f"Error: {why}"), said.text


async def test_pictures_that_do_not_come_cost_the_sheet_nothing_but_themselves(
    world: World, assistant: Assistant
) -> None:
    ids = [await finished(assistant, colour) for colour in ("crimson", "navy", "gold")]
    world.kling.faults.next_result(faults.Raw(404))
    _, lines = await sheet(assistant, *ids)
    assert lines[0].startswith("2 try-ons")
    assert sum("is not shown: The picture cannot be shown" in line for line in lines) == 1
