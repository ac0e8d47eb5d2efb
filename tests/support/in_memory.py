"""A server in memory as many tests use it: settings, pictures, one time for both sides, and what it answered."""

import base64
from typing import Any

import anyio.lowlevel
from mcp.server import MCPServer
from mcp_types import CallToolResult, TextContent

from kolors_mcp.clock import Clock
from kolors_mcp.models import TryOn
from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.server import build_server
from kolors_mcp.settings import Settings
from tests.support.making import api_key, jpeg

BARE = base64.b64encode(jpeg()).decode()
PICTURES = {"human_image": BARE, "cloth_image": base64.b64encode(jpeg(colour="crimson")).decode()}


def settings_for(kling: SandboxKling, **changes: Any) -> Settings:
    """The settings of a server that uses this simulated Kling and remembers nothing."""
    host = kling.origin.removeprefix("http://")
    made = Settings(api_base=kling.origin, allowed_hosts=frozenset({host}), ledger="sqlite://")
    return made.model_copy(update=changes)


def together_with(kling: SandboxKling) -> Clock:
    """The clock of a server whose sleeps take no time: they turn the simulated Kling's clock, which is its own."""

    async def sleep(seconds: float) -> None:
        kling.clock.advance(seconds)
        await anyio.lowlevel.checkpoint()

    return Clock(wall=kling.clock.now, monotonic=kling.clock.now, sleep=sleep, jitter=lambda: 0.5)


def server_for(kling: SandboxKling, **changes: Any) -> MCPServer:
    """A server that uses this simulated Kling, and lives in its time."""
    return build_server(settings_for(kling, **changes), lambda: api_key(kling), clock=together_with(kling))


def text_of(result: Any) -> str:
    """The text of an answer, a line for each part."""
    assert isinstance(result, CallToolResult)
    return "\n".join(part.text for part in result.content if isinstance(part, TextContent))


def try_on_of(result: Any) -> TryOn:
    """The structured part of an answer that is no error."""
    assert isinstance(result, CallToolResult)
    assert not result.is_error, text_of(result)
    return TryOn.model_validate(result.structured_content)
