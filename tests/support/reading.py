"""Try-ons as resources: made by a call, read as JSON, and what a client is told of them unasked."""

import json
from typing import Any, cast

import anyio
from mcp import Client
from mcp_types import (
    ReadResourceResult,
    ResourceUpdatedNotification,
    TextResourceContents,
)

from kolors_mcp.models import TryOn
from tests.support.in_memory import PICTURES, try_on_of


class Heard:
    """What a client of the older protocols is told unasked."""

    def __init__(self) -> None:
        self.updated: list[str] = []
        self._send, self._receive = anyio.create_memory_object_stream[str](100)

    async def __call__(self, message: Any) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            self.updated.append(message.params.uri)
            self._send.send_nowait(message.params.uri)

    async def next(self) -> str:
        return await self._receive.receive()

    def close(self) -> None:
        self._send.close()
        self._receive.close()


async def created(client: Client, **more: Any) -> TryOn:
    return try_on_of(await client.call_tool("create_try_on", {**PICTURES, **more}))


def json_of(result: ReadResourceResult, uri: str) -> dict[str, Any]:
    [contents] = result.contents
    assert isinstance(contents, TextResourceContents)
    assert (contents.uri, contents.mime_type) == (uri, "application/json")
    return cast("dict[str, Any]", json.loads(contents.text))
