"""A service that two people share, in memory: one server, and whoever calls is the one that the test has set."""

import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from mcp import Client
from mcp.client.extension import advertise
from mcp.server.apps import APP_MIME_TYPE, EXTENSION_ID
from mcp.shared.exceptions import MCPError
from obstore.store import MemoryStore
from pydantic import BaseModel

from kolors_mcp.clock import Clock
from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.server import build_server
from kolors_mcp.server.caller import Caller
from kolors_mcp.server.http.user_photos import UserPhotos
from kolors_mcp.server.sharing import Sharing
from kolors_mcp.shelf.shelf import Shelf
from tests.support.in_memory import settings_for, together_with
from tests.support.making import api_key
from tests.support.tasks_extension import TASKS

Door = Callable[[Client, str], Awaitable[Any]]
"""Asks for something of the try-on that is named."""

ANA = Caller("token ana", owns_account=False, is_local=False)
BEN = Caller("token ben", owns_account=False, is_local=False)
LOOKS_ONLY = Caller("token reads", owns_account=False, may_create=False, is_local=False)
OWNER = Caller("local", owns_account=True, is_local=False)


@dataclass
class Shared:
    """The service, its Kling, and one connection to it."""

    kling: SandboxKling
    client: Client = field(init=False)
    caller: Caller = ANA

    @property
    def requests(self) -> int:
        """How often Kling was asked anything."""
        return len(self.kling.requests)

    async def said(self, through: Door, named: str = "") -> str:
        """Everything that is answered through a door, errors included, as one text."""
        try:
            answer = await through(self.client, named)
        except MCPError as error:
            return f"{error.error.code} {error.error.message} {error.error.data}"
        return text_of_any(answer)


def text_of_any(answer: Any) -> str:
    """An answer as one text."""
    if isinstance(answer, BaseModel):
        answer = answer.model_dump(mode="json", by_alias=True, exclude_none=True)
    return re.sub(r'"serverInfo": \{.*?\}\]?\}', "", json.dumps(answer, ensure_ascii=False))


@asynccontextmanager
async def shared(kling: SandboxKling, clock: Clock | None = None, **changes: Any) -> AsyncGenerator[Shared]:
    """A service that two people share; its client shows views, and has the extension of tasks."""
    made = Shared(kling)
    server = build_server(
        settings_for(kling, **changes),
        lambda: api_key(kling),
        clock=clock or together_with(kling),
        caller=lambda: made.caller,
        over_http=True,
        sharing=Sharing(UserPhotos(Shelf(MemoryStore())).of_user, lambda _user: "https://shop.example/uploads/TOKEN"),
    )
    extensions = [advertise(EXTENSION_ID, {"mimeTypes": [APP_MIME_TYPE]}), advertise(TASKS, {})]
    async with Client(server, mode="2026-07-28", extensions=extensions) as made.client:
        yield made
