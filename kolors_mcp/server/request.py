"""From a tool's request to a call of the domain: whose it is, how long it may take, and who hears of its progress."""

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import Context

from kolors_mcp.server.progress import heartbeat
from kolors_mcp.server.service import Service

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from kolors_mcp.try_ons.try_ons import TryOns

MAX_SILENT_CALL_SECONDS = 40.0
"""Seconds after which a call without a progress token is answered: hosts cut at 45 and 60, and the way back counts."""

if TYPE_CHECKING:
    ToolContext = Context[Service, Any]
    """What the SDK hands to a tool."""
else:
    ToolContext = Context  # of which kind is nothing to a tool that runs, and would make a model at every start
RequestContext = ServerRequestContext[Service, Any]
"""What it hands to the handler of any other request."""


@asynccontextmanager
async def calling(ctx: ToolContext, wait_seconds: float = 0.0) -> "AsyncGenerator[TryOns]":
    """Give the user's try-ons for this call: with progress, within the time that the host gives."""
    service = ctx.request_context.lifespan_context
    meta = ctx.request_context.meta or {}
    hears_progress = meta.get("progress_token") is not None
    # Also without a token: a client in the same process hears of progress without one.
    async with heartbeat(ctx.report_progress, wait_seconds) as report:
        yield await service.try_ons(
            None if hears_progress else MAX_SILENT_CALL_SECONDS, wait=wait_seconds, report=report
        )
