"""Answers of Kling's that are broken or odd: what is read of them, what is asked again, and what stays in doubt."""

import json

import pytest

from kolors_mcp import errors
from kolors_mcp.kling.client import KlingClient
from kolors_mcp.sandbox import faults
from kolors_mcp.sandbox.kling import SandboxKling
from tests.support.making import create_request

pytestmark = pytest.mark.anyio

BROKEN = {
    "no data": faults.NoData(),
    "html": faults.Raw(502),
    "html with success": faults.Raw(200),
    "cut json": faults.Cut(short_length=True),
    "cut connection": faults.Cut(),
    "an array": faults.Raw(200, "[1, 2]", "application/json"),
    "no code": faults.Raw(200, '{"message": "hi"}', "application/json"),
    "code without a number": faults.Raw(200, '{"code": "ok"}', "application/json"),
    "a code of thousands of digits": faults.Raw(200, '{"code": %s}' % ("9" * 4_000), "application/json"),
    "truth for a code": faults.Raw(200, '{"code": true}', "application/json"),
    "deep nesting": faults.Raw(200, "[" * 100_000, "application/json"),
    "no id": faults.Raw(200, '{"code": 0, "data": {"task_status": "submitted"}}', "application/json"),
    "an error status around success": faults.Raw(500, '{"code": 0, "data": {"task_id": "1"}}', "application/json"),
    "a redirect": faults.Redirect("https://elsewhere.example/", 307),
    "a reset": faults.Disconnect(),
    "a reset after acceptance": faults.Disconnect("after_acceptance"),
    "an end without an answer": faults.Disconnect(fin=True),
}


@pytest.mark.parametrize("fault", BROKEN.values(), ids=BROKEN)
async def test_a_create_with_a_broken_answer_is_in_doubt_and_not_sent_again(
    kling: SandboxKling, client: KlingClient, fault: faults.Fault
) -> None:
    kling.faults.next_create(fault)
    with pytest.raises(errors.UnconfirmedCreateError) as caught:
        await client.create(create_request())
    assert "may exist and be billed" in str(caught.value)
    assert [seen.method for seen in kling.requests] == ["POST"]


@pytest.mark.parametrize("fault", BROKEN.values(), ids=BROKEN)
async def test_a_read_with_a_broken_answer_is_tried_again(
    kling: SandboxKling, client: KlingClient, fault: faults.Fault
) -> None:
    task = await client.create(create_request())
    kling.faults.next_read(fault, times=2)
    assert (await client.read(task.id)).id == task.id


async def test_odd_but_readable_answers_lose_nothing(kling: SandboxKling, client: KlingClient) -> None:
    kling.rules.task_ids_as_numbers = True
    kling.faults.next_create(faults.CodeAsText())
    task = await client.create(create_request())
    assert task.id.isdigit()
    assert len(task.id) == 18
    odd = {
        "task_id": 876543210987654321,
        "task_status": 5,
        "created_at": "soon",
        "updated_at": 1722769557708,
        "task_info": "none",
        "task_result": {"images": [{"index": "first", "url": "https://a.example/1.png?s=1"}, {"url": 5}, "x"]},
    }
    kling.faults.next_read(faults.Raw(200, json.dumps({"code": 0, "data": odd}), "application/json"))
    read = await client.read("876543210987654321")
    assert (read.id, read.status, read.created_at) == ("876543210987654321", "submitted", None)
    assert read.updated_at is not None
    assert read.updated_at.isoformat() == "2024-08-04T11:05:57.708000+00:00"
    assert [image.url for image in read.images] == ["https://a.example/1.png?s=1"]


@pytest.mark.parametrize(
    ("said", "units"), [("1", 1.0), (2.5, 2.5), ("0", 0.0), ("-1", None), ("NaN", None), ("1e400", None), ([], None)]
)
async def test_what_a_task_cost_is_read_where_it_is_a_number_of_units(
    kling: SandboxKling, client: KlingClient, said: object, units: float | None
) -> None:
    data = {"task_id": "1", "task_status": "succeed", "final_unit_deduction": said}
    kling.faults.next_read(faults.Raw(200, json.dumps({"code": 0, "data": data}), "application/json"))
    assert (await client.read("1")).units == units


@pytest.mark.parametrize("word", ["SUCCEED", "Succeeded", " succeed "])
async def test_the_letter_case_of_a_status_and_blanks_around_it_mean_nothing(
    kling: SandboxKling, client: KlingClient, word: str
) -> None:
    images = [{"index": 0, "url": "https://a.example/0"}]
    data = {"task_id": "1", "task_status": word, "task_result": {"images": images}}
    kling.faults.next_read(faults.Raw(200, json.dumps({"code": 0, "data": data}), "application/json"))
    read = await client.read("1")
    assert (read.status, read.message, len(read.images)) == ("succeed", None, 1)


@pytest.mark.parametrize(
    ("written", "moment"),
    [(1_722_769_557, "2024-08-04T11:05:57+00:00"), ("1722769557", "2024-08-04T11:05:57+00:00"), (0, None), (-1, None)],
)
async def test_a_time_in_seconds_is_known_as_such_and_zero_is_none(
    kling: SandboxKling, client: KlingClient, written: object, moment: str | None
) -> None:
    data = {"task_id": "1", "task_status": "succeed", "updated_at": written}
    kling.faults.next_read(faults.Raw(200, json.dumps({"code": 0, "data": data}), "application/json"))
    read = await client.read("1")
    assert (read.updated_at and read.updated_at.isoformat()) == moment


NOT_THERE = (
    *("task not found", "The task does not exist", "Task not exist", "task id notfound", "No such task"),
    *("The task doesn't exist.", "\u4efb\u52a1\u4e0d\u5b58\u5728", "\u672a\u627e\u5230\u4efb\u52a1"),
)


@pytest.mark.parametrize("words", NOT_THERE)
async def test_a_failure_for_not_being_there_is_none_wherever_it_is_said(
    kling: SandboxKling, client: KlingClient, words: str
) -> None:
    data = {"task_id": "1", "task_status": "failed", "task_status_msg": words}
    kling.faults.next_read(faults.Raw(200, json.dumps({"code": 0, "data": data}), "application/json"))
    with pytest.raises(errors.TaskNotFoundError):
        await client.read("1")
    kling.faults.next_list(faults.Raw(200, json.dumps({"code": 0, "data": [data]}), "application/json"))
    assert [(row.status, row.message) for row in await client.page(1, 9)] == [("submitted", None)]
    kling.faults.next_create(faults.Raw(200, json.dumps({"code": 0, "data": data}), "application/json"))
    assert (await client.create(create_request())).status == "submitted"


@pytest.mark.parametrize(
    "words",
    [
        "Failure to pass the risk control system",
        "Face not found",
        "Task failed: human not found in the image",
        "",
        None,
    ],
)
async def test_a_failure_for_anything_else_stays_one(
    kling: SandboxKling, client: KlingClient, words: str | None
) -> None:
    data = {"task_id": "1", "task_status": "failed", "task_status_msg": words}
    kling.faults.next_read(faults.Raw(200, json.dumps({"code": 0, "data": data}), "application/json"))
    assert (await client.read("1")).status == "failed"


async def test_no_list_is_a_list_of_nothing(kling: SandboxKling, client: KlingClient) -> None:
    kling.faults.next_list(faults.Raw(200, '{"code": 0, "data": null}', "application/json"))
    assert await client.page(1, 9) == []


async def test_links_that_are_no_web_addresses_are_dropped(kling: SandboxKling, client: KlingClient) -> None:
    bad = ["javascript:alert(1)", "file:///etc/passwd", "https://a.example/\u202e", "https://a b/", "http://"]
    images = [{"index": number, "url": url} for number, url in enumerate(bad)]
    data = {"task_id": "1", "task_status": "succeed", "task_result": {"images": images}}
    kling.faults.next_read(faults.Raw(200, json.dumps({"code": 0, "data": data}), "application/json"))
    assert (await client.read("1")).images == ()


@pytest.mark.parametrize(
    ("given", "numbers"), [([3, None], [3, 1]), ([0, 0], [0, 1]), ([1, None], [0, 1]), ([7, 7, 2], [0, 1, 2])]
)
async def test_a_picture_has_the_number_that_kling_gives_it_else_its_place(
    kling: SandboxKling, client: KlingClient, given: list[int | None], numbers: list[int]
) -> None:
    images = [{"index": index, "url": f"https://a.example/{place}"} for place, index in enumerate(given)]
    data = {"task_id": "1", "task_status": "succeed", "task_result": {"images": images}}
    kling.faults.next_read(faults.Raw(200, json.dumps({"code": 0, "data": data}), "application/json"))
    read = await client.read("1")
    assert [image.index for image in read.images] == numbers
    assert [image.url[-1] for image in read.images] == [str(place) for place in range(len(given))]


async def test_an_endless_answer_is_cut_off(
    kling: SandboxKling, client: KlingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kolors_mcp.kling.content.MAX_ANSWER_BYTES", 100_000)
    kling.faults.next_list(faults.Raw(200, "[" + " " * 110_000 + "]", "application/json"), times=None)
    with pytest.raises(errors.UnexpectedAnswerError, match="too large"):
        await client.page(1, 1)
    monkeypatch.setattr("kolors_mcp.kling.content.MAX_ANSWER_BYTES", 110_002)
    with pytest.raises(errors.UnexpectedAnswerError, match="not its JSON envelope"):
        await client.page(1, 1)
