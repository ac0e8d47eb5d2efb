"""Two people with tokens at one running service, by both protocols: each has what is theirs; the log names neither."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from kolors_mcp.sandbox.kling import SandboxKling
from tests.support.commands import account_of, environment
from tests.support.making import Era, jpeg
from tests.support.over_http import serving
from tests.support.shared_service import text_of_any

PHOTO, NAVY, PLUM = (base64.b64encode(jpeg(320, 400, colour)).decode() for colour in ("teal", "navy", "plum"))
SHIRTS: dict[Era, str] = {"auto": NAVY, "legacy": PLUM}
"""What is tried on by each protocol, so that each makes try-ons of its own."""
TOKENS = {"ana-canary": "secret-ana-canary", "ben-canary": "secret-ben-canary", "cleo-canary": "secret-cleo-canary"}
SCOPES = {
    "ana-canary": "try_on:read,try_on:create",
    "ben-canary": "try_on:create,try_on:read",
    "cleo-canary": "try_on:read",
}


def client_of(url: str, name: str, era: Era) -> tuple[httpx2.AsyncClient, Client]:
    """A client with somebody's token."""
    http = httpx2.AsyncClient(headers={"authorization": f"Bearer {TOKENS[name]}"})
    return http, Client(streamable_http_client(url, http_client=http), mode=era)


async def said(client: Client, tool: str, **arguments: Any) -> str:
    try:
        return text_of_any(await client.call_tool(tool, arguments))
    except MCPError as error:
        return str(error)


@pytest.mark.process
@pytest.mark.anyio
async def test_each_sees_their_own_and_nothing_of_them_is_in_the_log_or_at_kling(
    fast_kling: SandboxKling, tmp_path: Path
) -> None:
    lines = [f"{name} {hashlib.sha256(token.encode()).hexdigest()} {SCOPES[name]}" for name, token in TOKENS.items()]
    (tmp_path / "tokens").write_text("\n".join(lines))
    env = environment(
        tmp_path,
        **account_of(fast_kling),
        KOLORS_TOKENS=str(tmp_path / "tokens"),
        KOLORS_LOG_LEVEL="DEBUG",
        KOLORS_SAVE_DIR=str(tmp_path / "saved"),
    )
    with serving(env, tmp_path) as service:
        for era, shirt in SHIRTS.items():
            await look_and_create(service.url, era, shirt, fast_kling)
        service.process.terminate()
        _out, log = service.process.communicate()
    assert "KOLORS_SAVE_DIR has no effect over HTTP" in log
    assert not (tmp_path / "saved").exists()
    assert [canary for canary in (*TOKENS, *TOKENS.values()) if canary in log] == []
    heard = json.dumps([[request.path, dict(request.headers)] for request in fast_kling.requests])
    assert [token for token in TOKENS.values() if token in heard] == []


async def look_and_create(url: str, era: Era, shirt: str, kling: SandboxKling) -> None:
    """Have two users make the same try-on, each find their own alone, and a third one make none."""
    pictures = {"human_image": PHOTO, "cloth_image": shirt}
    found: dict[str, str] = {}
    for name, seconds in (("ana-canary", 60), ("ben-canary", 0)):
        http, client = client_of(url, name, era)
        async with http, client:
            answer = await client.call_tool("create_try_on", {**pictures, "wait_seconds": seconds})
            assert answer.structured_content is not None, answer
            found[name] = answer.structured_content["task_id"]
    assert len(set(found.values())) == 2
    for name, other in (("ana-canary", "ben-canary"), ("ben-canary", "ana-canary")):
        http, client = client_of(url, name, era)
        async with http, client:
            listed = await said(client, "list_try_ons")
            assert found[name] in listed
            assert found[other] not in listed
            before = len(kling.requests)
            refused = await said(client, "get_try_on", task_id=found[other])
            assert refused.replace(found[other], "ID") == (
                await said(client, "get_try_on", task_id="999888777666555444")
            ).replace("999888777666555444", "ID")
            assert len(kling.requests) == before
            # So that nothing is under way when the next ones count the requests.
            await said(client, "get_try_on", task_id=found[name], wait_seconds=60)
    http, client = client_of(url, "cleo-canary", era)
    async with http, client:
        assert "try_on:create" in await said(client, "create_try_on", **pictures)
