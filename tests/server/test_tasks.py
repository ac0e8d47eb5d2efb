"""Try-ons as tasks of the protocol's tasks extension, as a client on the other side of the wire sees them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.client.extension import advertise
from mcp_types import (
    CallToolResult,
)

from kolors_mcp.sandbox import faults
from kolors_mcp.sandbox.kling import SandboxKling
from tests.support.in_memory import PICTURES
from tests.support.tasks_extension import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    LONG,
    METHODS,
    TASKS,
    Polling,
    ask,
    connected,
    create,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(kling: SandboxKling) -> AsyncIterator[Client]:
    """A client that declares the extension and shows what comes over the wire."""
    kling.rules.finished_seconds = LONG
    async with connected(kling, advertise(TASKS)) as made:
        yield made


async def test_a_new_try_on_is_a_task_named_by_klings_own_id(client: Client, kling: SandboxKling) -> None:
    task = await create(client)
    [made] = kling.tasks.all
    assert (task["resultType"], task["taskId"], task["status"]) == ("task", made.id, "working")
    assert task["statusMessage"] == "Kling says submitted."
    assert task["createdAt"] == task["lastUpdatedAt"]
    assert task["createdAt"].endswith("Z")
    assert (task["ttlMs"], task["pollIntervalMs"]) == (30 * 24 * 3600 * 1000, 3000)
    assert not {"content", "structuredContent", "result", "error", "task", "inputRequests"} & set(task)


async def test_a_task_ends_with_exactly_what_get_try_on_gives(client: Client, kling: SandboxKling) -> None:
    task_id = (await create(client))["taskId"]
    working = await ask(client, "tasks/get", task_id)
    assert (working["resultType"], working["taskId"], working["status"]) == ("complete", task_id, "working")
    assert "result" not in working

    kling.clock.advance(2 * LONG)
    done = await ask(client, "tasks/get", task_id)
    assert (done["resultType"], done["status"], done["statusMessage"]) == ("complete", "completed", "Finished.")
    assert done["createdAt"] == working["createdAt"]
    assert done["lastUpdatedAt"] > done["createdAt"]
    same = await client.call_tool("get_try_on", {"task_id": task_id})
    assert done["result"]["structuredContent"]["images"]
    assert CallToolResult.model_validate(done["result"], by_name=False) == same.model_copy(update={"meta": None})
    assert kling.tasks_created == 1


async def test_a_client_that_follows_tasks_gets_the_picture_from_the_one_call(kling: SandboxKling) -> None:
    kling.rules.finished_seconds = LONG

    async def hours_pass() -> None:
        kling.clock.advance(LONG / 2)

    polling = Polling(hours_pass)
    async with connected(kling, polling) as client:
        result = await client.call_tool("create_try_on", PICTURES)
    assert result.structured_content is not None
    assert result.structured_content["status"] == "succeed"
    assert polling.seen == ["working", "working", "completed"]


async def test_a_failed_try_on_is_a_completed_task_with_an_error_result(client: Client, kling: SandboxKling) -> None:
    kling.faults.next_create(faults.FailLate("Failure to pass the risk control system"))
    task_id = (await create(client))["taskId"]
    kling.clock.advance(2 * LONG)
    done = await ask(client, "tasks/get", task_id)
    assert done["status"] == "completed"
    assert done["statusMessage"] == "The try-on failed: Failure to pass the risk control system."
    assert done["result"]["isError"] is True
    assert "error" not in done
    told = await client.call_tool("get_try_on", {"task_id": task_id})
    assert done["result"]["structuredContent"] == told.structured_content
    assert done["result"]["content"] == [part.model_dump(exclude_none=True) for part in told.content]


async def test_a_task_outlives_the_server_that_made_it(kling: SandboxKling, tmp_path: Path) -> None:
    kling.rules.finished_seconds = LONG
    ledger = f"sqlite:///{tmp_path / 'ledger.db'}"
    async with connected(kling, advertise(TASKS), ledger=ledger) as before:
        task_id = (await create(before))["taskId"]
    kling.clock.advance(2 * LONG)
    async with connected(kling, advertise(TASKS), ledger=ledger) as after:
        done = await ask(after, "tasks/get", task_id)
    assert done["status"] == "completed"
    assert done["result"]["structuredContent"]["reference"].startswith("k-")
    async with connected(kling, advertise(TASKS)) as elsewhere:
        assert (await ask(elsewhere, "tasks/get", task_id))["status"] == "completed", "without any ledger of ours"
    assert kling.tasks_created == 1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("task_id", "code"),
    [("123456789012345678", 1203), ("123456789012345678", 1201), ("nobody's", None), ("..", 1203), ("", 1203)],
)
async def test_an_unknown_task_is_invalid_params(
    client: Client, kling: SandboxKling, method: str, task_id: str, code: int | None
) -> None:
    kling.rules.unknown_task_code = code
    with pytest.raises(MCPError) as refused:
        await ask(client, method, task_id)
    assert refused.value.code == INVALID_PARAMS


async def test_a_cancellation_is_heard_and_stops_nothing_at_kling(client: Client, kling: SandboxKling) -> None:
    task_id = (await create(client))["taskId"]
    heard = await ask(client, "tasks/cancel", task_id)
    assert {name: value for name, value in heard.items() if name != "_meta"} == {"resultType": "complete"}
    assert (await ask(client, "tasks/get", task_id))["status"] == "working"
    kling.clock.advance(2 * LONG)
    assert (await ask(client, "tasks/get", task_id))["status"] == "completed"
    again = await ask(client, "tasks/cancel", task_id)
    assert again["resultType"] == "complete"
    assert {request.method for request in kling.requests} == {"GET", "POST"}


async def test_answers_that_were_never_asked_for_are_acknowledged_and_ignored(client: Client) -> None:
    task_id = (await create(client))["taskId"]
    heard = await ask(client, "tasks/update", task_id)
    assert {name: value for name, value in heard.items() if name != "_meta"} == {"resultType": "complete"}
    assert (await ask(client, "tasks/get", task_id))["status"] == "working"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"wait_seconds": 1000}, "wait_seconds is 1000"),
        ({"speed": 2}, 'no argument "speed"'),
        ({"human_image": "AAAA"}, "human_image"),
    ],
)
async def test_a_refused_call_is_a_tool_error_and_no_task(
    client: Client, kling: SandboxKling, arguments: dict[str, Any], words: str
) -> None:
    refused = await create(client, **arguments)
    assert (refused["resultType"], refused["isError"]) == ("complete", True)
    assert words in refused["content"][0]["text"]
    assert "taskId" not in refused
    assert kling.tasks_created == 0


async def test_a_doubtful_create_is_a_tool_error_that_names_the_reference(kling: SandboxKling) -> None:
    kling.faults.next_create(faults.Disconnect("before_acceptance"))
    async with connected(kling, advertise(TASKS)) as client:
        doubtful = await create(client)
    assert doubtful["isError"] is True
    assert "may exist and be billed" in doubtful["content"][0]["text"]
    assert '"k-' in doubtful["content"][0]["text"]
    assert "taskId" not in doubtful


async def test_a_task_can_be_read_at_once_although_kling_does_not_show_it_yet(
    client: Client, kling: SandboxKling
) -> None:
    kling.rules.not_found_reads = 3
    task_id = (await create(client))["taskId"]
    for _ in range(kling.rules.not_found_reads):
        hidden = await ask(client, "tasks/get", task_id)
        assert (hidden["taskId"], hidden["status"]) == (task_id, "working")
        assert "Kling does not show this try-on just now" in hidden["statusMessage"]
        assert ".." not in hidden["statusMessage"]
    assert (await ask(client, "tasks/get", task_id))["statusMessage"] == "Kling says submitted."


async def test_a_picture_that_is_there_when_the_call_ends_needs_no_task(client: Client, kling: SandboxKling) -> None:
    kling.rules.submitted_seconds, kling.rules.finished_seconds = 0.0, 0.1
    waited = await create(client, wait_seconds=30)
    assert waited["resultType"] == "complete"
    assert waited["structuredContent"]["status"] == "succeed"

    again = await create(client)
    assert again["structuredContent"]["task_id"] == waited["structuredContent"]["task_id"]
    assert again["structuredContent"]["reused"] is True
    assert kling.tasks_created == 1


async def test_the_same_wish_again_is_the_same_task_and_says_so(client: Client, kling: SandboxKling) -> None:
    first = await create(client)
    again = await create(client)
    assert (again["resultType"], again["taskId"]) == ("task", first["taskId"])
    assert "nothing new was paid" in again["statusMessage"]
    assert kling.tasks_created == 1


async def test_a_try_on_that_fails_while_the_call_waits_is_a_completed_task(
    client: Client, kling: SandboxKling
) -> None:
    kling.rules.submitted_seconds, kling.rules.finished_seconds = 0.0, 0.1
    kling.faults.next_create(faults.FailLate("no person found"))
    task = await create(client, wait_seconds=30)
    assert (task["resultType"], task["status"]) == ("task", "completed")
    assert (await ask(client, "tasks/get", task["taskId"]))["result"]["isError"] is True


async def test_a_poll_that_kling_does_not_answer_says_nothing_about_the_task(
    client: Client, kling: SandboxKling
) -> None:
    task_id = (await create(client))["taskId"]
    kling.faults.next_read(faults.Refuse(1102))
    with pytest.raises(MCPError, match="says nothing about its outcome") as failed:
        await ask(client, "tasks/get", task_id)
    assert failed.value.code == INTERNAL_ERROR
    assert (await ask(client, "tasks/get", task_id))["status"] == "working"


async def test_other_tools_answer_as_ever(client: Client) -> None:
    task_id = (await create(client))["taskId"]
    looked = await client.call_tool("get_try_on", {"task_id": task_id, "wait_seconds": 0})
    assert looked.structured_content is not None
    assert looked.structured_content["status"] == "submitted"
    listed = await client.call_tool("list_try_ons", {})
    assert listed.structured_content is not None
    assert [row["task_id"] for row in listed.structured_content["try_ons"]] == [task_id]
