"""The private names of the MCP SDK that this server cannot do without, all of them, each with what it is needed for.

A minor version of the SDK may rename them. So `pyproject.toml` names the minor version in which they were read, and no
other file here uses a private name of the SDK's.
"""
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false

from typing import TYPE_CHECKING, Any

from mcp.shared._stream_protocols import WriteStream

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mcp.server.connection import Connection
    from mcp.server.context import ServerRequestContext
    from mcp.server.lowlevel import Server
    from mcp.server.mcpserver import MCPServer
    from mcp.server.mcpserver.tools import Tool
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
    from starlette.types import ASGIApp

__all__ = [
    "WriteStream",
    "add_tools",
    "answer_of",
    "connection_of",
    "has_tool",
    "http_manager",
    "protocol_server",
    "service_of",
]


def protocol_server(server: "MCPServer[Any]") -> "Server[Any]":
    """Return the part that knows the protocol: a handler for each method, and how to run on a pair of streams.

    `MCPServer` offers no way to add a handler for a method, or to replace one of its own.
    """
    return server._lowlevel_server


def has_tool(server: "MCPServer[Any]", name: str) -> bool:
    """Whether there is a tool of this name; the public way makes the whole list for it."""
    return server._tool_manager.get_tool(name) is not None


def add_tools(server: "MCPServer[Any]", tools: "Iterable[Tool]") -> None:
    """Add tools that are made already; the public way makes them, of functions."""
    server._tool_manager._tools.update({tool.name: tool for tool in tools})


def connection_of(ctx: "ServerRequestContext[Any, Any]") -> "Connection":
    """Return what lasts as long as the connection of a request: `ctx.session` is made anew for each request."""
    return ctx.session._connection


def http_manager(server: "MCPServer[Any]") -> "StreamableHTTPSessionManager":
    """Return what serves over HTTP without sessions, for one run.

    `MCPServer.streamable_http_app` has an application around it whose order of checks cannot be chosen.
    """
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager  # noqa: PLC0415  (a web server's parts)

    return StreamableHTTPSessionManager(protocol_server(server), stateless=True)


def answer_of(manager: "StreamableHTTPSessionManager") -> "ASGIApp":
    """Return how it answers a request, without its own reading of the body, which holds each one twice."""
    return manager._handle_request


def service_of(manager: "StreamableHTTPSessionManager") -> Any:
    """Return what the server's lifespan gave, while the manager runs."""
    return manager._lifespan_state
