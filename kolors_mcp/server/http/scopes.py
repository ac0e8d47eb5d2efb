"""What a token may be used for: one scope for what costs money, and one for everything else."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from mcp.shared.inbound import MCP_METHOD_HEADER, MCP_NAME_HEADER, decode_header_value

if TYPE_CHECKING:
    from starlette.datastructures import Headers

READ, CREATE = "try_on:read", "try_on:create"
SCOPES = (READ, CREATE)
PAID_TOOLS = frozenset({"create_try_on", "start_try_on"})
"""Those that start what costs money."""


def scopes_in(text: str) -> list[str]:
    """Return those scopes of ours that a text names, in which they are separated by blanks."""
    named = text.split()
    return [scope for scope in SCOPES if scope in named]


def scope_for(headers: "Headers") -> str:
    """Return the scope that a request needs, as far as its headers say what it is for.

    Since 2026 the headers name the tool, and the protocol's own handler refuses a request whose body names another.
    Before, only the body does; a call that costs money is then refused where it begins.
    """
    if headers.get(MCP_METHOD_HEADER) == "tools/call":
        return CREATE if decode_header_value(headers.get(MCP_NAME_HEADER)) in PAID_TOOLS else READ
    return READ


def scopes_to_ask_for(headers: "Headers", missing: str) -> Collection[str]:
    """Return what a client is told to ask its authorization server for.

    Clients of 2026 add what they are told to what they had, so they are told what this request needs. Older ones ask
    for exactly what the first challenge says, and never again: told only of this request, they could never create.
    """
    return (missing,) if MCP_METHOD_HEADER in headers else SCOPES
