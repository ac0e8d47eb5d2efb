"""Everything that speaks MCP. `build_server` is the door for programs that embed the server."""

from kolors_mcp.server.build import build_server
from kolors_mcp.server.service import LocalRoom, Upstream

__all__ = ["LocalRoom", "Upstream", "build_server"]
