"""Creates and other calls of a service, by an MCP client."""

import base64
from typing import Any

from mcp import Client

from tests.support.making import jpeg

PERSON = base64.b64encode(jpeg(320, 400, "teal")).decode()


def garment(colour: str) -> str:
    return base64.b64encode(jpeg(320, 400, colour)).decode()


async def called(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    answer: dict[str, Any] | None = result.structured_content
    assert answer is not None
    return answer


async def created(client: Client, colour: str) -> dict[str, Any]:
    return await called(client, "create_try_on", human_image=PERSON, cloth_image=garment(colour))
