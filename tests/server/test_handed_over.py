"""Arguments as models and hosts fill them in: what is left out, and in which wrappings a picture arrives."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.server.handed_over import picture_reference
from tests.support.in_memory import PICTURES, server_for, text_of, try_on_of
from tests.support.making import jpeg

pytestmark = pytest.mark.anyio

SHOWN = "https://shop.example/dress.jpg"
BASE64 = base64.b64encode(jpeg()).decode()

LEFT_OUT: list[Any] = [None, "", " \n", [], {}, "null", "None", "undefined"]
NOTHING: list[Any] = [None, "", " ", [], {}]
OPTIONAL = {
    "create_try_on": ["lower_cloth_image", "model_name", "callback_url", "wait_seconds", "new_render"],
    "get_try_on": ["wait_seconds"],
    "list_try_ons": ["page_num", "page_size"],
    "view_try_on": ["index", "compare"],
    "save_try_on": ["index", "name"],
}


async def test_what_plainly_means_left_out_is_left_out_for_every_optional_argument(
    kling: SandboxKling, tmp_path: Path
) -> None:
    async with Client(server_for(kling, chosen_dir=tmp_path)) as client:
        task = try_on_of(await client.call_tool("create_try_on", {**PICTURES, "wait_seconds": 30}))
        needed: dict[str, dict[str, Any]] = {
            "create_try_on": PICTURES,
            "get_try_on": {"task_id": task.task_id},
            "list_try_ons": {},
            "view_try_on": {"task_id": task.task_id},
            "save_try_on": {"task_id": task.task_id},
        }
        for tool in (await client.list_tools()).tools:
            if tool.name not in needed:
                continue
            properties, required = tool.input_schema["properties"], tool.input_schema.get("required", [])
            assert set(properties) - set(required) >= set(OPTIONAL[tool.name])
            for value in LEFT_OUT:
                filled = dict.fromkeys(set(properties) - set(required), value)
                result = await client.call_tool(tool.name, {**needed[tool.name], **filled})
                assert not result.is_error, (tool.name, value, text_of(result))
            for name in required:
                for value in NOTHING:
                    result = await client.call_tool(tool.name, {**needed[tool.name], name: value})
                    assert result.is_error, (tool.name, name, value)
                    assert name in text_of(result)
    assert [request.method for request in kling.requests].count("POST") == 1


async def test_zero_means_left_out_only_where_counting_begins_at_one(kling: SandboxKling) -> None:
    async with Client(server_for(kling)) as client:
        for zero in (0, "0", 0.0):
            assert not (await client.call_tool("list_try_ons", {"page_num": zero, "page_size": zero})).is_error
        for wrong in ({"page_num": -1}, {"page_size": 501}, {"page_num": False}, {"page_size": "many"}):
            assert (await client.call_tool("list_try_ons", wrong)).is_error, wrong
        # As text a number is a number, and what has a meaning keeps it.
        assert not (await client.call_tool("list_try_ons", {"page_num": "1", "page_size": "30"})).is_error
        for wrong in ({"model_name": "auto"}, {"new_render": "perhaps"}, {"wait_seconds": "soon"}):
            assert (await client.call_tool("create_try_on", {**PICTURES, **wrong})).is_error, wrong
    assert not any(request.method == "POST" for request in kling.requests)


@pytest.mark.parametrize(
    ("value", "reference"),
    [
        ([SHOWN], SHOWN),
        ([[SHOWN]], SHOWN),
        ({"url": SHOWN}, SHOWN),
        ([{"url": SHOWN, "detail": "high"}], SHOWN),
        ({"type": "image_url", "image_url": {"url": SHOWN}}, SHOWN),  # OpenAI, chat completions
        ({"type": "input_image", "image_url": SHOWN, "detail": "auto"}, SHOWN),  # OpenAI, responses
        ({"type": "image", "source": {"type": "url", "url": SHOWN}}, SHOWN),  # Anthropic
        ({"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": BASE64}}, BASE64),
        ({"type": "image", "data": BASE64, "mimeType": "image/jpeg"}, BASE64),  # MCP
        ({"type": "resource_link", "uri": SHOWN, "name": "dress"}, SHOWN),
        ({"type": "resource", "resource": {"uri": "a://b", "mimeType": "image/jpeg", "blob": BASE64}}, BASE64),
        ({"inlineData": {"mimeType": "image/jpeg", "data": BASE64}}, BASE64),  # Gemini
        ({"file_data": {"file_uri": SHOWN}}, SHOWN),
        ({"type": "file", "data": SHOWN, "mediaType": "image/jpeg"}, SHOWN),  # the AI SDK
        ({"type": "image", "image": SHOWN}, SHOWN),
        ({"type": "image", "base64": BASE64, "mime_type": "image/jpeg"}, BASE64),  # LangChain
        ([{"type": "text", "text": "the dress"}, {"type": "image", "data": BASE64}], BASE64),
        ({"path": "/home/anna/dress.jpg", "size": 7}, "/home/anna/dress.jpg"),
        ({"index": 0, "url": SHOWN, "saved_to": None, "resource_uri": "tryon://1/images/0"}, SHOWN),  # our own answers
        ({"url": SHOWN, "path": SHOWN}, SHOWN),
        ({"human_image": SHOWN}, SHOWN),
        ({"photoUrl": SHOWN, "id": 7, "profile": "mine"}, SHOWN),
        ({"type": "image", "download_url": SHOWN, "title": "a dress"}, SHOWN),
        (json.dumps({"url": SHOWN}), SHOWN),
        (json.dumps([SHOWN]), SHOWN),
        ("[Image #1]", "[Image #1]"),
        ("{dress}.jpg", "{dress}.jpg"),
        (f"[a]({SHOWN})", f"[a]({SHOWN})"),
        (7, 7),
    ],
)  # fmt: skip
def test_one_picture_is_found_in_what_is_around_it(value: Any, reference: Any) -> None:
    assert picture_reference(value) == reference


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([SHOWN, "https://shop.example/b.jpg"], "names 2 pictures; it takes one: make a call for each"),
        ({"url": SHOWN, "path": "/home/anna/a.jpg"}, "names 2 pictures"),
        (json.dumps([SHOWN, "b.jpg"]), "names 2 pictures"),
        ([{"url": SHOWN}, {"url": "b.jpg"}, {"url": "c.jpg"}], "names 3 pictures"),
        ({"name": "dress"}, "is an object that names no picture; give one http(s) link"),
        ({"human_image": SHOWN, "cloth_image": "b.jpg"}, "names 2 pictures"),
        ({"profile": SHOWN}, "is an object that names no picture"),
        ([7], "is a list that names no picture"),
        ({"type": "text", "text": SHOWN}, "is an object that names no picture"),
        ({"type": "input_image", "file_id": "file-abc123"}, "names an upload of the chat"),
        ({"type": "image", "source": {"type": "file", "file_id": "file_011C"}}, "names an upload of the chat"),
        ({"a": {"b": {"c": {"d": {"e": {"url": SHOWN}}}}}}, "is an object that names no picture"),
    ],
)
async def test_none_or_several_are_refused_with_what_to_give(kling: SandboxKling, value: Any, words: str) -> None:
    async with Client(server_for(kling)) as client:
        for name in ("human_image", "cloth_image", "lower_cloth_image"):
            result = await client.call_tool("create_try_on", {**PICTURES, name: value})
            assert result.is_error
            assert text_of(result).startswith(f"Error: {name} {words}")
    assert not kling.requests


async def test_a_wrapped_picture_is_dressed_as_any(kling: SandboxKling, tmp_path: Path) -> None:
    (tmp_path / "my dress.jpg").write_bytes(jpeg(colour="crimson"))
    async with Client(server_for(kling, image_dirs=(tmp_path,))) as client:
        human = {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": BASE64}}
        cloth = [{"path": f"{tmp_path}/my\\ dress.jpg"}]
        assert try_on_of(await client.call_tool("create_try_on", {"human_image": human, "cloth_image": cloth}))
        refused = await client.call_tool(
            "create_try_on", {"human_image": {"path": "/etc/passwd"}, "cloth_image": cloth}
        )
        assert "human_image names no file that may be read" in text_of(refused)
    assert [request.method for request in kling.requests].count("POST") == 1
