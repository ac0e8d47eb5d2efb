"""The protocol's own cost: a bare `MCPServer` whose one tool does what the floor does.

`python -m benchmarks.programs.bare_relay PORT` serves MCP over stdio.
"""

import sys
from typing import Any

from mcp.server.mcpserver import MCPServer

from benchmarks.programs.raw import Raw

raw = Raw(int(sys.argv[1]))
server = MCPServer("bare relay", version="1")


@server.tool()
async def work(call: dict[str, Any]) -> str:
    """Do a call."""
    await raw.work(call)
    return "done"


if __name__ == "__main__":
    server.run("stdio")
