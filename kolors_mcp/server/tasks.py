"""The tasks extension: to a client that declares it a new try-on is a task, whose handle is Kling's own task id.

Nothing is kept here: any process that can ask Kling can answer for a task, also after a restart. The shapes and rules
are those of the extension's draft specification; docs/decisions/0005-tasks.md says what it left to us.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from mcp.server.context import CallNext, HandlerResult
from mcp.server.extension import Extension, MethodBinding
from mcp.server.mcpserver import require_client_extension
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import MCP_NAME_HEADER, decode_header_value
from mcp_types import (
    HEADER_MISMATCH,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    RequestParams,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ConfigDict, Field

from kolors_mcp.clock import Clock
from kolors_mcp.errors import ArgumentError, KolorsError, RequestRefusedError, TaskNotFoundError
from kolors_mcp.models import RESULT_LIFETIME, TryOn, is_id
from kolors_mcp.server.answers import to_result
from kolors_mcp.server.request import RequestContext
from kolors_mcp.wording import iso_utc, quoted

IDENTIFIER = "io.modelcontextprotocol/tasks"
CREATING_TOOL = "create_try_on"
POLL_INTERVAL_MS = 3000
"""A try-on takes 20 to 60 seconds; this is between our own shortest and longest pause."""
TTL_MS = round(RESULT_LIFETIME.total_seconds() * 1000)
"""Counted from the creation, so a little before Kling removes the result."""
MAX_TASK_REQUEST_SECONDS = 20.0
"""For a request about a task."""


class TaskParams(RequestParams):
    """Which task."""

    model_config = ConfigDict(defer_build=True)

    task_id: Annotated[str, Field(min_length=1, max_length=200)]


class UpdateTaskParams(TaskParams):
    """Which task, and answers to what it asked."""

    input_responses: dict[str, Any]


class Tasks(Extension):
    """Try-ons as tasks, for requests of the protocol of 2026 that declare the extension; others see no difference."""

    identifier = IDENTIFIER

    def __init__(self, clock: Clock) -> None:
        """Remember the clock; there is nothing else to remember."""
        self._clock = clock

    def methods(self) -> Sequence[MethodBinding]:
        """Return the extension's three methods, which older protocols do not have."""
        versions = frozenset(MODERN_PROTOCOL_VERSIONS)
        return (
            MethodBinding("tasks/get", TaskParams, self._get, versions),
            MethodBinding("tasks/update", UpdateTaskParams, self._acknowledge, versions),
            MethodBinding("tasks/cancel", TaskParams, self._acknowledge, versions),
        )

    async def intercept_tool_call(
        self, params: CallToolRequestParams, ctx: RequestContext, call_next: CallNext
    ) -> HandlerResult:
        """Hand out a task for a try-on that was made and has no picture yet; everything else goes through as it is.

        A try-on that was made is written down, so that a task can be read from the moment in which it is handed out.
        """
        result = await call_next(ctx)
        if params.name != CREATING_TOOL or not _declares(ctx) or not isinstance(result, CallToolResult):
            return result
        if result.is_error:
            return result
        try_on = TryOn.model_validate(result.structured_content)
        return result if try_on.status == "succeed" else {"resultType": "task", **self._task(try_on)}

    async def _get(self, ctx: RequestContext, params: TaskParams) -> dict[str, Any]:
        try_on = await self._require_try_on(ctx, params)
        task = {"resultType": "complete", **self._task(try_on)}
        if try_on.finished:
            # The task is the wish for a picture, so without one it is an error; `get_try_on` only reports, and is none.
            result = to_result(try_on).model_copy(update={"is_error": try_on.status == "failed"})
            task["result"] = result.model_dump(by_alias=True, mode="json", exclude_none=True)
        return task

    async def _acknowledge(self, ctx: RequestContext, params: TaskParams) -> dict[str, Any]:
        """Answer an update or a cancellation without effect: a try-on asks for no input, and Kling cancels nothing."""
        await self._require_try_on(ctx, params)
        return {"resultType": "complete"}

    async def _require_try_on(self, ctx: RequestContext, params: TaskParams) -> TryOn:
        """Return the try-on that a request is about.

        Raises:
            MCPError: The client may not ask, there is no such task, or Kling cannot be asked.
        """
        require_client_extension(ctx, IDENTIFIER)
        _require_matching_header(ctx, params)
        if not is_id(params.task_id):
            raise MCPError(INVALID_PARAMS, f"Task not found. {quoted(params.task_id, 80)} is no id.")
        try_ons = await ctx.lifespan_context.try_ons(MAX_TASK_REQUEST_SECONDS)
        try:
            return await try_ons.get(params.task_id)
        except (TaskNotFoundError, ArgumentError, RequestRefusedError) as error:
            raise MCPError(INVALID_PARAMS, f"Task not found. {error}") from error
        except KolorsError as error:
            raise MCPError(
                INTERNAL_ERROR, f"The task could not be read; that says nothing about its outcome. {error}"
            ) from error

    def _task(self, try_on: TryOn) -> dict[str, Any]:
        created_at = try_on.created_at or try_on.updated_at or datetime.fromtimestamp(self._clock.wall(), UTC)
        return {
            "taskId": try_on.task_id,
            "status": "completed" if try_on.finished else "working",
            "statusMessage": _message(try_on),
            "createdAt": iso_utc(created_at),
            "lastUpdatedAt": iso_utc(try_on.updated_at or created_at),
            "ttlMs": TTL_MS,
            "pollIntervalMs": POLL_INTERVAL_MS,
        }


async def refuse_undeclared_subscription(ctx: RequestContext, call_next: CallNext) -> HandlerResult:
    """Refuse to a client without the extension the status notifications of tasks, instead of ignoring the wish.

    A client with it is answered that there are none: Kling tells no status unasked, so polling is the way.
    """
    if ctx.method == "subscriptions/listen" and ctx.params is not None:
        wanted: Any = ctx.params.get("notifications")
        if isinstance(wanted, Mapping) and "taskIds" in wanted:
            require_client_extension(ctx, IDENTIFIER)
    return await call_next(ctx)


def _declares(ctx: RequestContext) -> bool:
    capabilities = ctx.session.client_capabilities
    declared = capabilities.extensions if capabilities else None
    return ctx.protocol_version in MODERN_PROTOCOL_VERSIONS and IDENTIFIER in (declared or {})


def _require_matching_header(ctx: RequestContext, params: TaskParams) -> None:
    """Refuse a request whose header names another task than its body; the header may be absent."""
    named = None if ctx.request is None else ctx.request.headers.get(MCP_NAME_HEADER)
    if named is not None and decode_header_value(named) != params.task_id:
        raise MCPError(HEADER_MISMATCH, "The Mcp-Name header is not the taskId of the request.")


def _message(try_on: TryOn) -> str:
    said = (try_on.status_message or "").rstrip(".")
    if try_on.status == "succeed":
        text = "Finished."
    elif try_on.status == "failed":
        text = f"The try-on failed: {said or 'no reason given'}."
    else:
        text = f"Kling says {try_on.status}." + (f" {said}." if said else "")
    if try_on.reused:
        text += " The same request was made before; nothing new was paid."
    return f"{text} Simulated by the sandbox." if try_on.sandbox else text
