"""The fitting room checks photos before anything is paid, and takes those of earlier try-ons where they are known."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.client.extension import advertise
from mcp.server.apps import APP_MIME_TYPE, EXTENSION_ID
from mcp_types import CallToolResult, ImageContent

from kolors_mcp.models import TryOn
from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.try_ons.uris import InputAddress, input_address_of
from tests.support.in_memory import server_for, text_of, try_on_of
from tests.support.making import jpeg

pytestmark = pytest.mark.anyio


def uri(colour: str) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg(colour=colour)).decode()


PERSON, SHIRT, JEANS = uri("linen"), uri("crimson"), uri("navy")


@pytest.fixture
async def client(kling: SandboxKling, tmp_path: Path) -> AsyncIterator[Client]:
    server = server_for(kling, image_dirs=(tmp_path,))
    async with Client(server, extensions=[advertise(EXTENSION_ID, {"mimeTypes": [APP_MIME_TYPE]})]) as made:
        yield made


async def checked(client: Client, picture: str, **more: Any) -> CallToolResult:
    result = await client.call_tool("check_photo", {"picture": picture, **more})
    assert isinstance(result, CallToolResult)
    return result


async def created(client: Client, human_image: str, cloth_image: str, **more: Any) -> TryOn:
    pictures = {"human_image": human_image, "cloth_image": cloth_image}
    return try_on_of(await client.call_tool("start_try_on", {**pictures, "wait_seconds": 60, **more}))


async def test_a_photo_is_shown_small_with_its_size_and_nothing_is_sent(
    client: Client, kling: SandboxKling, tmp_path: Path
) -> None:
    (tmp_path / "me.jpg").write_bytes(jpeg(900, 1400))
    result = await checked(client, str(tmp_path / "me.jpg"))
    assert result.structured_content == {"name": "me.jpg", "width": 900, "height": 1400, "notes": []}
    [shown] = [part for part in result.content if isinstance(part, ImageContent)]
    assert shown.mime_type == "image/jpeg"
    assert len(shown.data) < 200_000
    assert (kling.tasks_created, len(kling.requests)) == (0, 0)


async def test_what_a_create_would_refuse_is_refused_under_the_name_of_its_place(client: Client) -> None:
    small = "data:image/jpeg;base64," + base64.b64encode(jpeg(200, 260)).decode()
    result = await checked(client, small, role="lower_cloth_image")
    assert result.is_error
    assert text_of(result).startswith("Error: lower_cloth_image is 200 x 260 pixels")


async def test_the_tool_that_checks_is_kept_from_models(client: Client) -> None:
    [tool] = [tool for tool in (await client.list_tools()).tools if tool.name == "check_photo"]
    assert (tool.meta or {})["ui"]["visibility"] == ["app"]
    assert tool.annotations is not None
    assert tool.annotations.read_only_hint
    assert len(tool.model_dump_json(exclude_none=True)) < 900


async def test_an_earlier_try_on_lends_its_photos_to_the_next_one(client: Client, kling: SandboxKling) -> None:
    first = await created(client, PERSON, SHIRT, lower_cloth_image=JEANS)
    for role in ("person", "garment", "lower"):
        assert not (await checked(client, f"tryon://{first.task_id}/{role}")).is_error, role
    again = await created(
        client,
        f"tryon://{first.task_id}/person",
        f"tryon://{first.task_id}/garment",
        lower_cloth_image=f"tryon://{first.reference}/lower",
        new_render=True,
    )
    once, twice = (task.request for task in kling.tasks.all)
    assert (once.human, once.cloth) == (twice.human, twice.cloth)
    # It was given addresses, and lends the photos that they meant all the same.
    other = await created(client, f"tryon://{again.task_id}/person", JEANS)
    assert kling.tasks.all[-1].request.human == once.human
    assert other.status == "succeed"


async def test_photos_that_are_not_remembered_are_refused_and_nothing_is_paid(
    client: Client, kling: SandboxKling
) -> None:
    first = await created(client, PERSON, SHIRT)
    for address in (f"tryon://{first.task_id}/lower", "tryon://12345678901234/person"):
        refused = await client.call_tool("start_try_on", {"human_image": address, "cloth_image": SHIRT})
        assert "is not remembered here" in text_of(refused)
        assert "Nothing was sent." in text_of(refused)
    assert kling.tasks_created == 1


def test_only_the_three_pictures_of_a_try_on_have_an_address() -> None:
    assert input_address_of(" tryon://870/person\n") == InputAddress("870", "person")
    assert input_address_of("tryon://k-1/lower") == InputAddress("k-1", "lower")
    for other in (
        "tryon://870/images/0",
        "tryon://870",
        "tryon:///person",
        "tryon://a b/person",
        "tryon://870/callback",
    ):
        assert input_address_of(other) is None, other
    assert input_address_of("tryon://" + "9" * 2_000 + "/person") is None


async def test_a_model_sees_no_photo_of_this_machine_by_a_guess(kling: SandboxKling, tmp_path: Path) -> None:
    (tmp_path / "me.jpg").write_bytes(jpeg())
    async with Client(server_for(kling, image_dirs=(tmp_path,))) as model:
        said = await checked(model, str(tmp_path / "me.jpg"))
    assert said.is_error
    assert "check_photo is for the fitting room's page. Nothing was done." in text_of(said)
    assert not any(isinstance(part, ImageContent) for part in said.content)
