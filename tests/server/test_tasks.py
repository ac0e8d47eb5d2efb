"""Try-ons as tasks of the protocol's tasks extension, as a client on the other side of the wire sees them."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal, cast

import httpx
import pytest
from mcp import Client, ClientSession, MCPError
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim, advertise
from mcp_types import (
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    Request,
    RequestParams,
    Result,
)
from pydantic import TypeAdapter

from kolors_mcp.sandbox import faults
from kolors_mcp.sandbox.kling import SandboxKling
from tests.support.in_memory import PICTURES, server_for
from tests.support.over_stdio import by_hand, environment, hear, say, server

pytestmark = pytest.mark.anyio

TASKS = "io.modelcontextprotocol/tasks"
WIRE: Any = TypeAdapter(dict[str, Any])
NOTHING: dict[str, Any] = {}
LONG = 10_000
"""Seconds that a try-on takes here, until a test turns the simulated Kling's clock."""
INVALID_PARAMS, INTERNAL_ERROR, METHOD_NOT_FOUND = -32602, -32603, -32601
HEADER_MISMATCH, MISSING_CAPABILITY = -32020, -32021
VERSION = "2026-07-28"
METHODS = ("tasks/get", "tasks/update", "tasks/cancel")


def envelope(extensions: dict[str, Any]) -> dict[str, Any]:
    """What every request of the protocol says about itself and its sender."""
    return {
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientCapabilities": {"extensions": extensions},
    }


class Handle(Result):
    """What a client with the extension understands as the answer to a call."""

    result_type: Literal["task"]
    task_id: str


class TaskRequest(Request[dict[str, Any], str]):
    name_param = "taskId"


async def send(session: ClientSession, request: Request[Any, Any]) -> dict[str, Any]:
    """Send a request; the answer as it came."""
    answer: dict[str, Any] = await session.send_request(request, WIRE)
    return answer


async def ask(client: Client, method: str, task_id: str) -> dict[str, Any]:
    """Send one of the extension's requests."""
    more = {"inputResponses": {"never-asked": {"action": "accept"}}} if method == "tasks/update" else {}
    request = TaskRequest(method=method, params={"taskId": task_id, **more})
    return await send(client.session, request)


async def create(client: Client, **more: Any) -> dict[str, Any]:
    """Call the tool."""
    params = CallToolRequestParams(name="create_try_on", arguments={**PICTURES, **more})
    return await send(client.session, CallToolRequest(params=params))


class Polling(ClientExtension):
    """The other side of the extension: follows a task to its end and returns its result."""

    identifier = TASKS

    def __init__(self, meanwhile: Callable[[], Awaitable[None]]) -> None:
        self.seen: list[str] = []
        self._meanwhile = meanwhile

    def claims(self) -> Sequence[ResultClaim[Any]]:
        return [ResultClaim(result_type="task", model=Handle, resolve=self._follow)]

    async def _follow(self, handle: Handle, context: ClaimContext) -> CallToolResult:
        request = TaskRequest(method="tasks/get", params={"taskId": handle.task_id})
        while True:
            task = await send(context.session, request)
            self.seen.append(task["status"])
            if task["status"] != "working":
                return CallToolResult.model_validate(task["result"], by_name=False)
            await self._meanwhile()


@asynccontextmanager
async def connected(
    kling: SandboxKling,
    *extensions: ClientExtension,
    mode: Any = "auto",
    ledger: str = "sqlite://",
) -> AsyncGenerator[Client]:
    built = server_for(kling, ledger=ledger)
    async with Client(built, mode=mode, extensions=list(extensions)) as made:
        yield made


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


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_without_the_extension_sees_plain_results(kling: SandboxKling, mode: str) -> None:
    kling.rules.finished_seconds = LONG
    async with connected(kling, mode=mode) as client:
        result = await client.call_tool("create_try_on", PICTURES)
        assert result.structured_content is not None
        assert result.structured_content["status"] == "submitted"
        for method in METHODS:
            with pytest.raises(MCPError) as refused:
                await ask(client, method, result.structured_content["task_id"])
            assert refused.value.code == (MISSING_CAPABILITY if mode == "auto" else METHOD_NOT_FOUND)
            if mode == "auto":
                assert refused.value.data == {"requiredCapabilities": {"extensions": {TASKS: {}}}}


async def test_the_extension_is_not_active_on_connections_of_older_protocols(kling: SandboxKling) -> None:
    kling.rules.finished_seconds = LONG
    async with connected(kling, advertise(TASKS), mode="legacy") as client:
        answer = await create(client)
        assert "taskId" not in answer
        assert answer["structuredContent"]["status"] == "submitted"
        with pytest.raises(MCPError) as refused:
            await ask(client, "tasks/get", answer["structuredContent"]["task_id"])
        assert refused.value.code == METHOD_NOT_FOUND


async def test_other_tools_answer_as_ever(client: Client) -> None:
    task_id = (await create(client))["taskId"]
    looked = await client.call_tool("get_try_on", {"task_id": task_id, "wait_seconds": 0})
    assert looked.structured_content is not None
    assert looked.structured_content["status"] == "submitted"
    listed = await client.call_tool("list_try_ons", {})
    assert listed.structured_content is not None
    assert [row["task_id"] for row in listed.structured_content["try_ons"]] == [task_id]


async def test_status_notifications_are_refused_to_those_who_did_not_declare_the_extension(
    kling: SandboxKling,
) -> None:
    class Listening(RequestParams):
        notifications: dict[str, Any]

    request = Request[Listening, str](
        method="subscriptions/listen", params=Listening(notifications={"taskIds": ["1"], "toolsListChanged": True})
    )
    async with connected(kling) as client:
        with pytest.raises(MCPError) as refused:
            await send(client.session, request)
    assert refused.value.code == MISSING_CAPABILITY


@pytest.mark.process
async def test_the_real_process_serves_tasks_over_stdio_and_knows_them_after_a_restart(
    kling: SandboxKling, tmp_path: Path
) -> None:
    kling.rules.finished_seconds = LONG
    env = environment(kling, tmp_path, KLING_API_KEY=kling.api_key)
    async with Client(server(env), extensions=[advertise(TASKS)]) as client:
        task_id = (await create(client))["taskId"]
    async with Client(server(env), extensions=[advertise(TASKS)]) as client:
        assert (await ask(client, "tasks/get", task_id))["status"] == "working"
        kling.clock.advance(2 * LONG)
        done = await ask(client, "tasks/get", task_id)
        assert done["result"]["structuredContent"]["status"] == "succeed"
    assert kling.tasks_created == 1


def test_what_a_client_declared_on_an_earlier_request_does_not_count(kling: SandboxKling, tmp_path: Path) -> None:
    with by_hand(environment(kling, tmp_path, KLING_API_KEY=kling.api_key)) as process:
        answers: list[dict[str, Any]] = []
        for number, extensions in enumerate(({TASKS: NOTHING}, NOTHING, {TASKS: NOTHING})):
            params = {"name": "create_try_on", "arguments": PICTURES, "_meta": envelope(extensions)}
            say(process.stdin, {"id": number, "method": "tools/call", "params": params})
            answers.append(hear(process.stdout, number)["result"])
    assert [answer["resultType"] for answer in answers] == ["task", "complete", "task"]


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [("1", 400, INVALID_PARAMS), ("2", 400, HEADER_MISMATCH), ("=?base64?MQ==?=", 400, INVALID_PARAMS)],
)
async def test_over_http_the_routing_header_must_name_the_task(
    kling: SandboxKling, name: str, status: int, code: int
) -> None:
    message: dict[str, Any] = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tasks/get",
        "params": {"taskId": "1", "_meta": envelope({TASKS: NOTHING})},
    }
    headers = {
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": VERSION,
        "Mcp-Method": "tasks/get",
        "Mcp-Name": name,
    }
    app = server_for(kling).streamable_http_app()
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http,
    ):
        answer = await http.post("/mcp", json=message, headers=headers)
    assert (answer.status_code, cast("dict[str, Any]", answer.json())["error"]["code"]) == (status, code)
