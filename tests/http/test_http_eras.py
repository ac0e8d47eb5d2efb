"""The official client over HTTP, by both protocols: it creates, hears of progress, looks and lists."""

import base64
from pathlib import Path
from typing import Any

import pytest

from kolors_mcp.sandbox.kling import SandboxKling
from tests.support.commands import account_of, environment
from tests.support.making import Era, jpeg, noise
from tests.support.over_http import serving
from tests.support.shop import Shop
from tests.support.shoppers import shopper, tokens_of

ERAS: tuple[Era, ...] = ("auto", "legacy")
PHOTO, SHIRT = (base64.b64encode(jpeg(320, 400, colour)).decode() for colour in ("teal", "navy"))


@pytest.mark.process
@pytest.mark.anyio
async def test_a_client_of_either_era_creates_hears_of_progress_looks_and_lists(era: Era, shop: Shop) -> None:
    heard: list[str | None] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001  (the client's)
        heard.append(message)

    async with shopper(shop.service, shop.ana, era=era) as ana:
        created = await ana.client.call_tool(
            "create_try_on",
            {"human_image": PHOTO, "cloth_image": SHIRT, "wait_seconds": 60},
            progress_callback=hear,
        )
        assert not created.is_error, created.content
        try_on: dict[str, Any] = created.structured_content or {}
        assert try_on["status"] == "succeed"
        got = await ana.client.call_tool("get_try_on", {"task_id": try_on["task_id"]})
        assert (got.structured_content or {})["images"] == try_on["images"]
        listed = await ana.client.call_tool("list_try_ons", {})
        page: dict[str, Any] = listed.structured_content or {}
        rows: list[dict[str, Any]] = page["try_ons"]
        assert [row["task_id"] for row in rows] == [try_on["task_id"]]
    assert heard[0] == "starting (0 s)"
    assert any((message or "").startswith("sending the pictures to Kling") for message in heard)


@pytest.mark.process
@pytest.mark.anyio
async def test_large_pictures_in_a_message_reach_kling_and_serve_the_next_try_on(
    fast_kling: SandboxKling, tmp_path: Path
) -> None:
    person, garment, other = noise(1), noise(2), noise(3)
    cases: list[tuple[Era, str]] = [(era, head) for era in ERAS for head in ("", "data:image/jpeg;base64,")]
    # Each has a user of its own, for whom all of this is new.
    users = [f"user-{number}" for number in range(len(cases))]
    variables = {
        **account_of(fast_kling),
        **tokens_of(tmp_path, *users),
        "KOLORS_SENT_SIDE": "original",
        "KOLORS_SLOTS": "12",
    }
    with serving(environment(tmp_path, **variables), tmp_path) as service:
        for user, (era, head) in zip(users, cases, strict=True):
            texts = [head + base64.b64encode(picture).decode() for picture in (person, garment, other)]
            before = len(fast_kling.tasks.all)
            async with shopper(service, user, era=era) as assistant:
                given = {"human_image": texts[0], "cloth_image": texts[1]}
                created = (await assistant.call("create_try_on", **given)).try_on
                again = {"human_image": f"tryon://{created.task_id}/person", "cloth_image": texts[2]}
                await assistant.call("create_try_on", **again)
                last = {**again, "cloth_image": texts[1], "new_render": True}
                await assistant.call("create_try_on", **last)
                # What is refused names the argument, and not what stood in its place.
                refused = await assistant.call("create_try_on", **given | {"human_image": texts[0][:-8] + "********"})
                labelled = await assistant.call("create_try_on", **given, label=texts[2])
            requests = [task.request for task in fast_kling.tasks.all[before:]]
            assert [(request.human, request.cloth) for request in requests] == [
                (person, garment),
                (person, other),
                (person, garment),
            ], (era, head)
            assert "human_image is base64 that is damaged or cut off." in refused.text, (era, head)
            assert f'label is "{texts[2][:40]}' in labelled.text, (era, head)


@pytest.mark.process
@pytest.mark.anyio
async def test_each_era_is_served_at_once_by_the_same_process(shop: Shop) -> None:
    async with (
        shopper(shop.service, shop.ana, era="auto") as ana,
        shopper(shop.service, shop.ben, era="legacy") as ben,
    ):
        assert (await ana.client.list_tools()).tools == (await ben.client.list_tools()).tools
        assert ana.client.protocol_version != ben.client.protocol_version
