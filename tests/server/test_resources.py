"""Try-ons as resources: listed, read, completed and watched by the SDK's own client, in both eras of the protocol."""

import base64
import io
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp_types import (
    BlobResourceContents,
    ResourceTemplateReference,
    TextResourceContents,
)
from PIL import Image

from kolors_mcp.models import TryOn
from kolors_mcp.sandbox import faults
from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.server import build_server
from tests.support.in_memory import server_for, settings_for
from tests.support.making import Era
from tests.support.reading import created, json_of

pytestmark = pytest.mark.anyio

INVALID_PARAMS, INTERNAL_ERROR = -32602, -32603
TRY_ON, PICTURE = "tryon://{task_id}", "tryon://{task_id}/images/{index}"


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
