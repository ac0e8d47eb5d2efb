"""Embeds the server in a Python program: no process, no pipe, the same tools. For agents written in Python.

    python examples/in_process.py

The sandbox answers here. A program with an account leaves `open_upstream` out and gives `build_server` a function that
returns `Credentials`; it is called at each request, so keys from a vault can be rotated meanwhile.
"""

import asyncio
import sys
from typing import Any

from mcp import Client

from kolors_mcp.cli.sandbox import open_sandbox
from kolors_mcp.sandbox.samples import sample
from kolors_mcp.server import build_server
from kolors_mcp.settings import Settings


async def main() -> str | None:
    """List the tools, make a try-on, print its link; return what went wrong, if anything."""
    pictures = sample("person").parent
    # Settings are plain values: nothing is read from the environment unless the program does it.
    settings = Settings(sandbox=True, image_dirs=(pictures,))
    server = build_server(settings, open_upstream=open_sandbox)
    async with Client(server) as client:
        for tool in (await client.list_tools()).tools:
            print(f"{tool.name}: {tool.title}")
        result = await client.call_tool(
            "create_try_on",
            {
                "human_image": str(pictures / "person.jpg"),
                "cloth_image": str(pictures / "upper.jpg"),
                "lower_cloth_image": str(pictures / "lower.jpg"),
                "wait_seconds": 30,
            },
        )
        try_on: dict[str, Any] = result.structured_content or {}
        if result.is_error or try_on.get("status") != "succeed":
            return f"No picture: {result.content}"
        for note in try_on["notes"]:
            print(f"Note: {note}")
        print(f"Link: {try_on['images'][0]['url']}")
    return None


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
