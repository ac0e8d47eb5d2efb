"""The protocol's own cost over HTTP: a bare SDK server, stateless, whose tools only forward what they are given.

`python -m benchmarks.programs.bare_http PORT` prints the port on which it serves streamable HTTP at /mcp.
"""

import socket
import sys

import uvicorn
from mcp.server.mcpserver import MCPServer

from benchmarks.programs.raw import Raw

MOST_BODY_BYTES = 30 * 1024 * 1024
raw = Raw(int(sys.argv[1]))
server = MCPServer("bare http", version="1", log_level="WARNING")


@server.tool()
async def create_try_on(human_image: str, cloth_image: str) -> str:
    """Forward a create; both pictures are base64."""
    await raw.work({"base64": [human_image, cloth_image]})
    return "done"


@server.tool()
async def get_try_on(task_id: str) -> str:
    """Forward a get."""
    await raw.work({"get": task_id})
    return "done"


def main() -> None:
    application = server.streamable_http_app(stateless_http=True, max_request_body_size=MOST_BODY_BYTES)
    # With the protocol named, asyncio lets nothing wait for the acknowledgement of what went before.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(4096)
        print(listener.getsockname()[1], flush=True)
        config = uvicorn.Config(application, log_level="warning", access_log=False, backlog=4096)
        uvicorn.Server(config).run([listener])


if __name__ == "__main__":
    main()
