"""The floor of every start: a bare `MCPServer` with one tool."""

from mcp.server.mcpserver import MCPServer

server = MCPServer("bare", version="1")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


if __name__ == "__main__":
    server.run("stdio")
