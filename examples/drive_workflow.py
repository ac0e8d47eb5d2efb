"""Drives the whole workflow as an assistant does: create, wait with progress, look at the result, hand on the link.

    python examples/drive_workflow.py [person] [garment]

The sandbox answers: simulated, free, no account. With KOLORS_SANDBOX=0 and Kling credentials in the environment the
same lines make a real try-on, which costs money.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters
from mcp_types import CallToolResult, ImageContent, TextContent

from kolors_mcp.sandbox.samples import sample


async def main(person: Path, garment: Path) -> str | None:
    """Make one try-on and print what an assistant would read; return what went wrong, if anything."""
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "kolors_mcp"],
        env={
            "KOLORS_SANDBOX": "1",
            **os.environ,
            # The server opens pictures in these folders and nowhere else.
            "KOLORS_IMAGE_DIRS": os.pathsep.join((str(person.parent), str(garment.parent))),
        },
    )
    async with Client(server) as client:
        # 1. Create. It answers at once with a task_id; with wait_seconds it would wait for the picture.
        result = await client.call_tool("create_try_on", {"human_image": str(person), "cloth_image": str(garment)})
        if result.is_error:
            return text_of(result)
        try_on: dict[str, Any] = result.structured_content or {}
        print(f"Created {try_on['task_id']}: {try_on['status']}")

        # 2. Wait. Progress keeps the call alive; a deadline that passes is no failure, one just asks again.
        while try_on["status"] not in ("succeed", "failed"):
            result = await client.call_tool(
                "get_try_on", {"task_id": try_on["task_id"], "wait_seconds": 60}, progress_callback=show
            )
            if result.is_error:
                return text_of(result)
            try_on = result.structured_content or {}
        if try_on["status"] == "failed":
            return f"The try-on failed: {try_on['status_message']}"

        # 3. Look. A small JPEG, for a model or a screen.
        result = await client.call_tool("view_try_on", {"task_id": try_on["task_id"]})
        if result.is_error:
            return text_of(result)
        preview = next(part for part in result.content if isinstance(part, ImageContent))
        print(f"Preview: {preview.mime_type}, {len(preview.data) * 3 // 4 // 1024} KB")

        # 4. The link, whole: its query is its signature. It lives 30 days.
        for image in try_on["images"]:
            print(f"Link: {image['url']}")
    return None


async def show(progress: float, total: float | None, message: str | None) -> None:
    """Print how the work goes on: seconds so far, seconds at most (none: unknown), and a line of text."""
    print(f"  {progress:4.1f} s" + ("" if total is None else f" of {total:.0f}") + f": {message}")


def text_of(result: CallToolResult) -> str:
    """Return what a model reads."""
    return "\n".join(part.text for part in result.content if isinstance(part, TextContent))


if __name__ == "__main__":
    samples = (str(sample("person")), str(sample("upper")))
    person, garment = (Path(argument).resolve() for argument in (*sys.argv[1:3], *samples[len(sys.argv[1:3]) :]))
    sys.exit(asyncio.run(main(person, garment)))
