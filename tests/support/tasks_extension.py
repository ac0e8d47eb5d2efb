"""A client of the protocol's tasks extension: what it declares, sends and follows."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

from mcp import Client, ClientSession
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp_types import (
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    Request,
    Result,
)
from pydantic import TypeAdapter

from kolors_mcp.sandbox.kling import SandboxKling
from tests.support.in_memory import PICTURES, server_for

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
