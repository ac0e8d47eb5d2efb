"""Try-ons as resources: listed, read, completed and watched by the SDK's own client, in both eras of the protocol."""

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
from mcp import Client, MCPError
from mcp.client.subscriptions import ResourcesListChanged, ResourceUpdated
from mcp_types import (
    BlobResourceContents,
    ReadResourceResult,
    ResourceTemplateReference,
    ResourceUpdatedNotification,
    TextResourceContents,
)
from PIL import Image

from kolors_mcp.clock import Clock
from kolors_mcp.models import TryOn
from kolors_mcp.sandbox import faults
from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.server import build_server
from kolors_mcp.server.updates import PAUSES
from tests.support.in_memory import PICTURES, server_for, settings_for, try_on_of
from tests.support.making import Era, api_key
from tests.support.still_time import idle, turn, until

pytestmark = pytest.mark.anyio

INVALID_PARAMS, INTERNAL_ERROR = -32602, -32603
TRY_ON, PICTURE = "tryon://{task_id}", "tryon://{task_id}/images/{index}"


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


@pytest.fixture
def heard() -> Any:
    made = Heard()
    yield made
    made.close()


@pytest.fixture
async def client(kling: SandboxKling, era: Era, heard: Heard) -> AsyncIterator[Client]:
    async with Client(server_for(kling), mode=era, message_handler=heard) as made:
        yield made


@pytest.fixture
async def watcher(kling: SandboxKling, era: Era, heard: Heard) -> AsyncIterator[Client]:
    """A client of a server whose pauses end when the test turns the loop's time; its try-ons take very long."""
    kling.rules.finished_seconds = 10_000
    clock = Clock(wall=kling.clock.now, monotonic=asyncio.get_running_loop().time, jitter=lambda: 0.5)
    server = build_server(settings_for(kling), lambda: api_key(kling), clock=clock)
    async with Client(server, mode=era, message_handler=heard) as made:
        yield made


async def created(client: Client, **more: Any) -> TryOn:
    return try_on_of(await client.call_tool("create_try_on", {**PICTURES, **more}))


def json_of(result: ReadResourceResult, uri: str) -> dict[str, Any]:
    [contents] = result.contents
    assert isinstance(contents, TextResourceContents)
    assert (contents.uri, contents.mime_type) == (uri, "application/json")
    return cast("dict[str, Any]", json.loads(contents.text))


async def subscribe(client: Client, uri: str) -> None:
    with pytest.warns(match="subscribe"):
        await client.subscribe_resource(uri)  # pyright: ignore[reportDeprecated]


async def unsubscribe(client: Client, uri: str) -> None:
    with pytest.warns(match="subscribe"):
        await client.unsubscribe_resource(uri)  # pyright: ignore[reportDeprecated]


def watched() -> dict[str, Any]:
    """What the server is looking at for somebody, and what it saw last."""
    frames = [frame for task in asyncio.all_tasks() for frame in task.get_stack(limit=1)]
    looks = [frame.f_locals for frame in frames if frame.f_code.co_qualname == "Updates._look"]
    return {look["uri"]: look.get("before") for look in looks}


async def refusal(client: Client, uri: str) -> tuple[int, str]:
    with pytest.raises(MCPError) as caught:
        await client.read_resource(uri)
    assert caught.value.error.data == {"uri": uri}
    return caught.value.error.code, caught.value.error.message


async def test_the_server_says_that_it_has_them_and_how_their_addresses_are_made(client: Client, era: Era) -> None:
    capabilities = client.server_capabilities
    assert capabilities is not None
    assert capabilities.resources is not None
    assert capabilities.resources.subscribe
    assert capabilities.completions is not None
    assert capabilities.prompts is not None
    templates = await client.list_resource_templates()
    ours = [template for template in templates.resource_templates if template.uri_template.startswith("tryon:")]
    assert [(one.uri_template, one.mime_type) for one in ours] == [
        (TRY_ON, "application/json"),
        (PICTURE, "image/jpeg"),
    ]
    for one in ours:
        assert one.title
        assert one.description
        assert one.annotations is not None
        assert one.annotations.audience == ["user", "assistant"]
    if era == "auto":
        assert (templates.ttl_ms, templates.cache_scope) == (3_600_000, "public")


async def test_listing_opens_nothing_and_later_shows_what_was_made(client: Client, kling: SandboxKling) -> None:
    at_first = [one.uri for one in (await client.list_resources()).resources]
    assert [uri for uri in at_first if uri.startswith("tryon:")] == ["tryon://recent"]
    assert not kling.requests
    made = await created(client, wait_seconds=30)
    await client.read_resource(f"tryon://{made.task_id}/images/0")
    found = {one.uri: one for one in (await client.list_resources(cache_mode="refresh")).resources}
    one, picture = found[f"tryon://{made.task_id}"], found[f"tryon://{made.task_id}/images/0"]
    assert (one.mime_type, one.title) == ("application/json", f"Try-on {made.task_id}: succeed")
    assert picture.mime_type == "image/jpeg"
    assert picture.size is not None
    assert picture.size > 1000
    assert picture.annotations is not None
    assert picture.annotations.audience == ["user", "assistant"]
    assert picture.annotations.last_modified is not None


async def test_a_try_on_is_read_as_get_try_on_gives_it(client: Client, kling: SandboxKling, era: Era) -> None:
    kling.rules.finished_seconds = 10_000
    running = await created(client)
    uri = f"tryon://{running.task_id}"
    result = await client.read_resource(uri)
    assert TryOn.model_validate(json_of(result, uri)).task_id == running.task_id
    by_reference = f"tryon://{running.reference}"
    assert json_of(await client.read_resource(by_reference), by_reference)["task_id"] == running.task_id
    if era == "auto":
        assert (result.ttl_ms, result.cache_scope) == (2_000, "private")
    kling.clock.advance(20_000)
    got = await client.call_tool("get_try_on", {"task_id": running.task_id, "wait_seconds": 30})
    result = await client.read_resource(uri, cache_mode="refresh")
    assert json_of(result, uri) == got.structured_content
    if era == "auto":
        assert result.ttl_ms == 3_600_000


async def test_a_picture_is_read_as_a_jpeg_below_what_hosts_refuse(client: Client, era: Era) -> None:
    made = await created(client, wait_seconds=30)
    [image] = made.images
    assert image.resource_uri is not None
    result = await client.read_resource(image.resource_uri)
    [contents] = result.contents
    assert isinstance(contents, BlobResourceContents)
    assert (contents.uri, contents.mime_type) == (image.resource_uri, "image/jpeg")
    assert len(contents.blob) < 1_000_000
    assert Image.open(io.BytesIO(base64.b64decode(contents.blob))).format == "JPEG"
    if era == "auto":
        assert (result.ttl_ms, result.cache_scope) == (86_400_000, "private")


async def test_the_recent_ones_are_there_newest_first_also_when_kling_is_away(
    client: Client, kling: SandboxKling
) -> None:
    empty = json_of(await client.read_resource("tryon://recent"), "tryon://recent")
    assert empty == {"try_ons": []}
    first = await created(client, wait_seconds=30)
    second = await created(client, new_render=True)
    rows = json_of(await client.read_resource("tryon://recent", cache_mode="refresh"), "tryon://recent")["try_ons"]
    assert [row["task_id"] for row in rows] == [second.task_id, first.task_id]
    assert rows[1]["images"][0]["expires_at"]
    kling.faults.next_list(faults.Refuse(5001), times=None)
    rows = json_of(await client.read_resource("tryon://recent", cache_mode="refresh"), "tryon://recent")["try_ons"]
    assert [(row["task_id"], row["status"]) for row in rows[1:]] == [(first.task_id, "succeed")]


async def test_what_cannot_be_read_is_a_protocol_error_in_our_words(client: Client, kling: SandboxKling) -> None:
    kling.rules.finished_seconds = 10_000
    running = await created(client)
    code, text = await refusal(client, f"tryon://{running.task_id}/images/0")
    assert code == INVALID_PARAMS
    assert text.startswith(f'Try-on "{running.task_id}" is not finished')
    for uri in ("tryon://", "tryon://1/pictures/0", "tryon://1/images/-1", "tryon://1/images/100", "other://1"):
        code, text = await refusal(client, uri)
        assert code == INVALID_PARAMS
        assert text.startswith(f'There is no resource "{uri}"; there are tryon://recent, ')
    code, text = await refusal(client, "tryon://123456789")
    assert code == INVALID_PARAMS
    assert "Kling" in text


async def test_without_credentials_reading_says_which_variables_to_set(kling: SandboxKling, era: Era) -> None:
    async with Client(build_server(settings_for(kling)), mode=era) as client:
        code, text = await refusal(client, "tryon://123456789")
        assert code == INTERNAL_ERROR
        assert "KLING_API_KEY" in text
        assert json_of(await client.read_resource("tryon://recent"), "tryon://recent") == {"try_ons": []}


async def test_a_picture_that_was_shrunk_says_so(kling: SandboxKling, era: Era, tmp_path: Path) -> None:
    async with Client(server_for(kling, save_dir=tmp_path), mode=era) as client:
        [image] = (await created(client, wait_seconds=30)).images
        assert image.saved_to is not None
        found: dict[int, Any] = {}
        for side in (900, 3000):
            Image.effect_noise((side, 300), 90).convert("RGB").save(image.saved_to, compress_level=1)
            result = await client.read_resource(image.resource_uri or "", cache_mode="refresh")
            [contents] = result.contents
            assert isinstance(contents, BlobResourceContents)
            found[side] = (Image.open(io.BytesIO(base64.b64decode(contents.blob))).width, contents.meta)
    assert found[900] == (900, None)
    assert found[3000][0] < 3000
    assert found[3000][1] == {"kolors-mcp/shrunk": True}


async def test_the_page_of_the_app_has_its_size_and_may_be_kept(client: Client, era: Era) -> None:
    listed = await client.list_resources()
    [page] = [one for one in listed.resources if one.uri.startswith("ui:")]
    read = await client.read_resource(page.uri)
    [contents] = read.contents
    assert isinstance(contents, TextResourceContents)
    assert page.size == len(contents.text.encode())
    assert page.annotations is not None
    assert page.annotations.audience == ["user"]
    if era == "auto":
        assert (read.ttl_ms, read.cache_scope) == (3_600_000, "public")
        assert (listed.ttl_ms, listed.cache_scope) == (2_000, "private")


@pytest.mark.parametrize("era", ["auto"], indirect=True)
async def test_whoever_listens_hears_that_the_list_of_resources_has_grown(client: Client, kling: SandboxKling) -> None:
    kling.rules.finished_seconds = 10_000
    async with client.listen(resources_list_changed=True) as subscription:
        made = await created(client)
        assert (await created(client)).reused
        kling.clock.advance(20_000)
        await client.call_tool("get_try_on", {"task_id": made.task_id, "wait_seconds": 30})
        lengths: list[int] = []
        async for event in subscription:
            assert isinstance(event, ResourcesListChanged)
            lengths.append(len((await client.list_resources(cache_mode="refresh")).resources))
            if lengths[-1] == 4:
                break
    assert len(lengths) <= 2


@pytest.mark.parametrize("era", ["legacy"], indirect=True)
async def test_a_subscription_to_what_is_no_resource_here_is_taken_and_looks_at_nothing(client: Client) -> None:
    for uri in ("bad", "tryon://1/images/x", "test://watched"):
        await subscribe(client, uri)
        await unsubscribe(client, uri)
    assert watched() == {}


async def test_known_ids_are_completed_newest_first(client: Client, kling: SandboxKling) -> None:
    async def offered(template: str, name: str, typed: str) -> list[str]:
        ref = ResourceTemplateReference(type="ref/resource", uri=template)
        return (await client.complete(ref, {"name": name, "value": typed})).completion.values

    first = await created(client, wait_seconds=30)
    kling.rules.finished_seconds = 10_000
    second = await created(client, new_render=True)
    assert await offered(TRY_ON, "task_id", "") == [second.task_id, first.task_id]
    assert await offered(TRY_ON, "task_id", first.task_id[:-1]) == [
        one for one in (second.task_id, first.task_id) if one.startswith(first.task_id[:-1])
    ]
    assert await offered(TRY_ON, "task_id", "x") == []
    assert await offered(PICTURE, "task_id", "") == [first.task_id]
    assert await offered(PICTURE, "index", "") == ["0"]
    assert await offered(TRY_ON, "index", "") == []
    with pytest.raises(MCPError, match="There is no template"):
        await offered("ui://{x}", "x", "")


@pytest.mark.parametrize("era", ["auto"], indirect=True)
async def test_whoever_listens_hears_when_a_watched_try_on_moves(watcher: Client, kling: SandboxKling) -> None:
    made = await created(watcher)
    uri, picture = f"tryon://{made.task_id}", f"tryon://{made.task_id}/images/0"
    async with watcher.listen(resource_subscriptions=[uri, picture]) as subscription:
        await until(lambda: len(watched()) == 2 and all(watched().values()))
        kling.clock.advance(20_000)
        turn(PAUSES.initial_seconds)
        told: set[str] = set()
        async for event in subscription:
            assert isinstance(event, ResourceUpdated)
            told.add(event.uri)
            if told == {uri, picture}:
                break
        assert json_of(await watcher.read_resource(uri), uri)["status"] == "succeed"


@pytest.mark.parametrize("era", ["auto"], indirect=True)
async def test_whoever_listens_to_the_recent_ones_hears_of_a_new_one_and_of_its_end(
    watcher: Client, kling: SandboxKling
) -> None:
    states: list[str] = []
    async with watcher.listen(resource_subscriptions=["tryon://recent"]) as subscription:
        await until(lambda: watched() == {"tryon://recent": ()})
        made = await created(watcher)
        turn(PAUSES.initial_seconds)
        async for _event in subscription:
            rows = json_of(await watcher.read_resource("tryon://recent"), "tryon://recent")["try_ons"]
            assert [row["task_id"] for row in rows] == [made.task_id]
            states.append(rows[0]["status"])
            if states[-1] == "succeed":
                break
            kling.clock.advance(20_000)
            await idle()
            turn(PAUSES.initial_seconds)
    assert states == ["submitted", "succeed"]


@pytest.mark.parametrize("era", ["legacy"], indirect=True)
async def test_whoever_subscribes_hears_when_a_watched_try_on_moves_until_they_unsubscribe(
    watcher: Client, kling: SandboxKling, heard: Heard
) -> None:
    made = await created(watcher)
    uri = f"tryon://{made.task_id}"
    await subscribe(watcher, uri)
    await subscribe(watcher, uri)
    await until(lambda: any(watched().values()))
    kling.clock.advance(20_000)
    turn(PAUSES.initial_seconds)
    assert await heard.next() == uri
    assert json_of(await watcher.read_resource(uri, cache_mode="refresh"), uri)["status"] == "succeed"
    await unsubscribe(watcher, uri)
    await unsubscribe(watcher, uri)
    assert watched() == {}
    assert heard.updated == [uri]


async def test_whoever_watches_one_that_is_finished_is_told_once(client: Client, era: Era, heard: Heard) -> None:
    made = await created(client, wait_seconds=30)
    uri = f"tryon://{made.task_id}"
    if era == "legacy":
        await subscribe(client, uri)
        assert await heard.next() == uri
        return
    async with client.listen(resource_subscriptions=[uri]) as subscription:
        async for event in subscription:
            assert event == ResourceUpdated(uri)
            break


@pytest.mark.parametrize("era", ["auto"], indirect=True)
async def test_looking_stops_when_nobody_listens_any_more(watcher: Client) -> None:
    made = await created(watcher)
    async with (
        watcher.listen(resource_subscriptions=[f"tryon://{made.task_id}", "tryon://recent"]),
        watcher.listen(resource_subscriptions=[f"tryon://{made.task_id}", "elsewhere://1"]),
    ):
        assert sorted(watched()) == ["tryon://" + made.task_id, "tryon://recent"]
    await until(lambda: not watched())
