"""The fitting room's page as the server hears it: a client that shows views, and calls what only pages call."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from mcp import Client
from mcp.client.extension import advertise
from mcp.server.apps import APP_MIME_TYPE, EXTENSION_ID

from kolors_mcp.server import build_server
from tests.support.making import api_key
from tests.support.wishing import Assistant, World

VIEWS = [advertise(EXTENSION_ID, {"mimeTypes": [APP_MIME_TYPE]})]


@asynccontextmanager
async def room_of(world: World, **changes: Any) -> AsyncGenerator[Assistant]:
    """A server of its own, asked by a host that shows views; photos are kept in the world's folder."""
    changes = {"photos_dir": world.folder / "state" / "photos", **changes}
    server = build_server(world.settings(**changes), lambda: api_key(world.kling), clock=world.time.clock())
    async with Client(server, extensions=VIEWS) as client:
        yield Assistant(client)
