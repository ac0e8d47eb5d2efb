"""The fitting room from the protocol's side: what hosts are told of it, the page they read, and the tools it calls."""

import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.client.extension import advertise
from mcp.server.apps import APP_MIME_TYPE, EXTENSION_ID
from mcp_types import CallToolResult, TextResourceContents, Tool

from kolors_mcp.images import limits
from kolors_mcp.images.pictures import Pictures
from kolors_mcp.models import TryOn
from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.server import build_server
from kolors_mcp.server.fitting_room.binding import URI
from kolors_mcp.server.fitting_room.page import MAX_GARMENTS, MAX_SIDE_BY_SIDE, page
from kolors_mcp.server.resources import SHRUNK_KEY
from kolors_mcp.settings import Settings
from tests.support.in_memory import server_for, text_of
from tests.support.making import Era, jpeg

pytestmark = pytest.mark.anyio

PHOTOS = {
    "human_image": "data:image/jpeg;base64," + base64.b64encode(jpeg()).decode(),
    "cloth_image": "data:image/jpeg;base64," + base64.b64encode(jpeg(colour="crimson")).decode(),
}
VIEWS = [advertise(EXTENSION_ID, {"mimeTypes": [APP_MIME_TYPE]})]
MAX_LIST_BYTES = 26_000
MOST_TOOL_BYTES = 6_000
"""What the fitting room may add to the list of tools; everything together may add 10 KB."""


@pytest.fixture
async def client(kling: SandboxKling, era: Era) -> AsyncIterator[Client]:
    server = server_for(kling)
    async with Client(server, mode=era, extensions=VIEWS) as made:
        yield made


@pytest.fixture
async def plain_client(era: Era) -> AsyncIterator[Client]:
    """A host that shows no views."""
    async with Client(build_server(Settings()), mode=era) as made:
        yield made


async def tools_of(client: Client) -> dict[str, Tool]:
    return {tool.name: tool for tool in (await client.list_tools()).tools}


def ui_of(tool: Tool) -> dict[str, Any]:
    return (tool.meta or {}).get("ui", {})


async def test_every_try_on_tool_is_bound_to_a_page_that_can_be_read(client: Client) -> None:
    tools = await tools_of(client)
    for name in ("create_try_on", "get_try_on", "list_try_ons", "view_try_on", "open_fitting_room"):
        assert ui_of(tools[name]) == {"resourceUri": URI}, name
    [contents] = (await client.read_resource(URI)).contents
    assert isinstance(contents, TextResourceContents)
    assert contents.mime_type == APP_MIME_TYPE
    assert contents.text == page(sandbox=False)
    assert contents.meta is not None
    ui = contents.meta["ui"]
    assert ui["csp"] == {"connectDomains": [], "resourceDomains": [], "frameDomains": [], "baseUriDomains": []}
    assert ui["permissions"] == {"camera": {}}
    assert URI in {resource.uri for resource in (await client.list_resources()).resources}


async def test_the_tool_that_takes_photos_is_kept_from_models(client: Client) -> None:
    tools = await tools_of(client)
    assert ui_of(tools["start_try_on"]) == {"resourceUri": URI, "visibility": ["app"]}
    assert "create_try_on" in (tools["start_try_on"].description or "")


async def test_the_server_says_that_it_has_views(client: Client) -> None:
    capabilities = client.server_capabilities
    assert capabilities is not None
    if capabilities.extensions is not None:  # the legacy handshake has no place for it
        assert EXTENSION_ID in capabilities.extensions


async def test_a_try_on_started_from_the_page_is_the_one_that_get_try_on_finishes(
    client: Client, kling: SandboxKling
) -> None:
    started = await client.call_tool("start_try_on", PHOTOS)
    assert isinstance(started, CallToolResult)
    first = TryOn.model_validate(started.structured_content)
    assert first.status == "submitted"
    again = TryOn.model_validate((await client.call_tool("start_try_on", PHOTOS)).structured_content)
    assert (again.task_id, again.reused) == (first.task_id, True)
    assert kling.tasks_created == 1
    fresh = TryOn.model_validate(
        (await client.call_tool("start_try_on", {**PHOTOS, "new_render": True})).structured_content
    )
    assert fresh.task_id != first.task_id
    ended = await client.call_tool("get_try_on", {"task_id": fresh.task_id, "wait_seconds": 30})
    assert TryOn.model_validate(ended.structured_content).status == "succeed"


async def test_a_host_without_views_is_told_the_way_that_needs_none(plain_client: Client) -> None:
    text = text_of(await plain_client.call_tool("open_fitting_room", {}))
    for name in ("create_try_on", "get_try_on", "view_try_on", "list_try_ons"):
        assert name in text
    assert "start_try_on" not in await tools_of(plain_client)


async def test_a_host_with_views_is_told_to_leave_the_start_to_the_user(client: Client) -> None:
    text = text_of(await client.call_tool("open_fitting_room", {}))
    assert "is open" in text
    assert "Do not create" in text


async def test_opening_pays_nothing_and_asks_kling_nothing(client: Client, kling: SandboxKling) -> None:
    await client.call_tool("open_fitting_room", {})
    await client.read_resource(URI)
    assert (kling.tasks_created, len(kling.requests)) == (0, 0)


async def test_the_fitting_room_adds_little_to_the_list_of_tools(client: Client) -> None:
    tools = await tools_of(client)
    added = sum(len(tools[name].model_dump_json(exclude_none=True)) for name in ("open_fitting_room", "start_try_on"))
    bindings = sum(len(json.dumps(tool.meta)) for tool in tools.values())
    assert added + bindings <= MOST_TOOL_BYTES
    listed = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools.values()]
    assert len(json.dumps(listed, separators=(",", ":"), ensure_ascii=False).encode()) < MAX_LIST_BYTES


async def test_an_address_beside_the_page_is_refused(client: Client) -> None:
    with pytest.raises(MCPError):
        await client.read_resource("ui://kolors-mcp/other.html")


class Markup(HTMLParser):
    """What a document holds: its elements, and the texts of its styles and scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inside: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][0] in ("script", "style") and data.strip():
            self.inside.append((self.elements[-1][1].get("type") or self.elements[-1][0], data))


def test_the_page_is_small_and_needs_nothing_else() -> None:
    text = page(sandbox=False)
    assert len(text.encode()) < 96_000
    markup = Markup(text)
    loading = [(tag, name) for tag, given in markup.elements for name in given if name in ("src", "href", "srcset")]
    assert loading == []
    assert not re.search(r"https?://\w+\.\w|@import|url\(", text)


def test_the_page_allows_exactly_its_own_script_and_style() -> None:
    markup = Markup(page(sandbox=True))
    [policy] = [given["content"] for _, given in markup.elements if given.get("http-equiv")]
    texts = dict(markup.inside)
    for directive, text in (("script-src", texts["module"]), ("style-src", texts["style"])):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in (policy or "")
    assert "unsafe" not in (policy or "")
    assert (policy or "").startswith("default-src 'none'; ")
    handlers = [name for _, given in markup.elements for name in given if name.startswith("on") or name == "style"]
    assert handlers == []


def test_the_page_knows_the_limits_of_the_server_and_whether_it_is_a_simulation() -> None:
    for sandbox in (True, False):
        facts = json.loads(dict(Markup(page(sandbox=sandbox)).inside)["application/json"])
        assert facts == {
            "sandbox": sandbox,
            "minSide": limits.MIN_SIDE,
            "maxFileBytes": limits.MAX_FILE_BYTES,
            "maxSentBytes": limits.MAX_FETCHED_BYTES,
            "shrunk": SHRUNK_KEY,
            "samples": {},
            "mostGarments": MAX_GARMENTS,
            "mostCompared": MAX_SIDE_BY_SIDE,
        }


def texts_of(language: str) -> dict[str, str]:
    text = page(sandbox=False)
    block = text[text.index(f"\nTEXTS.{language} = {{") :]
    return dict(re.findall(r'^(\w+): ("(?:[^"\\]|\\.)*"),$', block[: block.index("\n};")], re.MULTILINE))


def test_every_text_is_there_in_both_languages_with_the_same_gaps() -> None:
    english, chinese = texts_of("en"), texts_of("zh")
    assert len(english) > 80
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        gaps = set(re.findall(r"\{\w+\}", text)) - {"{most}"}
        assert gaps == set(re.findall(r"\{\w+\}", chinese[key])) - {"{most}"}, key
        assert json.loads(text)
        assert json.loads(chinese[key])
    untranslated = [key for key in english if english[key] == chinese[key]]
    assert untranslated == []


@pytest.mark.parametrize(
    ("data", "key", "values"),
    [
        (jpeg(280, 410), "too_small", {"width": 280, "height": 410, "least": 300}),
        (b"%PDF-1.7 and so on", "no_picture", {"found": "found_pdf"}),
        (b"PK\x03\x04 and so on", "no_picture", {"found": "found_zip"}),
        (b"<svg xmlns='x'/> and so on", "no_picture", {"found": "found_svg"}),
        (b"<!doctype html><p>and so on", "no_picture", {"found": "found_page"}),
        (b"-----BEGIN PRIVATE KEY-----", "no_picture", {"found": "found_text"}),
        (b"\x00\x00\x00\x18ftypmp42 and so on", "no_picture", {"found": "found_video"}),
        (b"hello, and so on", "no_picture", {"found": "found_unknown"}),
        (jpeg()[:-600], "damaged", {"kind": "JPEG"}),
    ],
)
async def test_the_page_refuses_for_the_reasons_of_the_server_and_speaks_to_shoppers(
    data: bytes, key: str, values: dict[str, Any]
) -> None:
    english = {name: json.loads(text) for name, text in texts_of("en").items()}
    expected = english[key].replace("{subject}", "human_image")
    for name, value in values.items():
        expected = expected.replace("{" + name + "}", english.get(str(value), str(value)))
    reference = "data:image/jpeg;base64," + base64.b64encode(data).decode()
    pictures = Pictures(folders=())
    with pytest.raises(Exception, match=r"human_image") as refused:
        await pictures.prepare(reference, "human_image")
    # What is wrong is the same; the server says what an assistant, the page what a shopper does about it.
    reason, advice = re.fullmatch(r"(.*\.) ([A-Z][^.]*\.)", expected).groups()  # pyright: ignore[reportOptionalMemberAccess]
    assert str(refused.value).startswith(reason + " ")
    assert advice.startswith("Choose ")
    await pictures.aclose()
