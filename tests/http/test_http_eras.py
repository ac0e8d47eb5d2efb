"""The official client over HTTP, by both protocols: it creates, hears of progress, looks and lists."""

import base64
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from kolors_mcp.sandbox.kling import SandboxKling
from tests.support.commands import account_of, environment
from tests.support.making import Era, jpeg
from tests.support.over_http import serving

PHOTO, SHIRT = (base64.b64encode(jpeg(320, 400, colour)).decode() for colour in ("teal", "navy"))


@pytest.mark.process
@pytest.mark.anyio
async def test_a_client_of_either_era_creates_hears_of_progress_looks_and_lists(
    era: Era, fast_kling: SandboxKling, tmp_path: Path
) -> None:
    heard: list[str | None] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001  (the client's)
        heard.append(message)

    with serving(environment(tmp_path, **account_of(fast_kling)), tmp_path) as service:
        async with Client(service.url, mode=era) as client:
            created = await client.call_tool(
                "create_try_on",
                {"human_image": PHOTO, "cloth_image": SHIRT, "wait_seconds": 60},
                progress_callback=hear,
            )
            assert not created.is_error, created.content
            try_on: dict[str, Any] = created.structured_content or {}
            assert try_on["status"] == "succeed"
            got = await client.call_tool("get_try_on", {"task_id": try_on["task_id"]})
            assert (got.structured_content or {})["images"] == try_on["images"]
            listed = await client.call_tool("list_try_ons", {})
            page: dict[str, Any] = listed.structured_content or {}
            rows: list[dict[str, Any]] = page["try_ons"]
            assert [row["task_id"] for row in rows] == [try_on["task_id"]]
    assert heard[0] == "starting (0 s)"
    assert any((message or "").startswith("sending the pictures to Kling") for message in heard)


@pytest.mark.process
@pytest.mark.anyio
async def test_each_era_is_served_at_once_by_the_same_process(fast_kling: SandboxKling, tmp_path: Path) -> None:
    with serving(environment(tmp_path, **account_of(fast_kling)), tmp_path) as service:
        async with Client(service.url, mode="auto") as new, Client(service.url, mode="legacy") as old:
            assert (await new.list_tools()).tools == (await old.list_tools()).tools
            assert new.protocol_version != old.protocol_version
