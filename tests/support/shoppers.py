"""Users of a service that runs: each with a token, through the door of the protocol."""

import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.support.making import Era
from tests.support.over_http import Serving
from tests.support.rooms import VIEWS
from tests.support.wishing import Assistant


def tokens_of(folder: Path, *names: str, scopes: str = "try_on:read,try_on:create") -> dict[str, str]:
    """The variables of a service that lets these users in; a user's token is `secret-NAME`."""
    lines = [f"{name} {hashlib.sha256(f'secret-{name}'.encode()).hexdigest()} {scopes}\n" for name in names]
    (folder / "tokens").write_text("".join(lines), encoding="utf-8")
    return {"KOLORS_TOKENS": str(folder / "tokens")}


@asynccontextmanager
async def shopper(service: Serving, name: str, *, views: bool = False, era: Era = "auto") -> AsyncGenerator[Assistant]:
    """One of them, in a host that shows views or in one that does not."""
    headers = {"authorization": f"Bearer secret-{name}"}
    async with httpx2.AsyncClient(headers=headers, trust_env=False, timeout=100) as http:
        transport = streamable_http_client(service.url, http_client=http)
        async with Client(transport, extensions=VIEWS if views else None, mode=era) as client:
            yield Assistant(client)
