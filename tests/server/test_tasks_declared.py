"""Who gets tasks: clients that declare the extension with each request, by whatever transport, and nobody else."""

from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from mcp import Client, MCPError
from mcp.client.extension import advertise
from mcp_types import (
    Request,
    RequestParams,
)

from kolors_mcp.sandbox.kling import SandboxKling
from tests.support.in_memory import PICTURES, server_for
from tests.support.over_stdio import by_hand, hear, say, server, server_environment
from tests.support.tasks_extension import (
    HEADER_MISMATCH,
    INVALID_PARAMS,
    LONG,
    METHOD_NOT_FOUND,
    METHODS,
    MISSING_CAPABILITY,
    NOTHING,
    TASKS,
    VERSION,
    ask,
    connected,
    create,
    envelope,
    send,
)

pytestmark = pytest.mark.anyio


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
    env = server_environment(kling, tmp_path, KLING_API_KEY=kling.api_key)
    # Given its version, the client does not fall back to an older protocol where a server starts slowly.
    async with Client(server(env), mode=VERSION, extensions=[advertise(TASKS)]) as client:
        task_id = (await create(client))["taskId"]
    async with Client(server(env), mode=VERSION, extensions=[advertise(TASKS)]) as client:
        assert (await ask(client, "tasks/get", task_id))["status"] == "working"
        kling.clock.advance(2 * LONG)
        done = await ask(client, "tasks/get", task_id)
        assert done["result"]["structuredContent"]["status"] == "succeed"
    assert kling.tasks_created == 1


def test_what_a_client_declared_on_an_earlier_request_does_not_count(kling: SandboxKling, tmp_path: Path) -> None:
    with by_hand(server_environment(kling, tmp_path, KLING_API_KEY=kling.api_key)) as process:
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
