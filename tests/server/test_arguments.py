"""Arguments of tools: what the table says of them, and that a wrong one is refused in a sentence that names it."""

import json
import random
from typing import Any, cast

import pytest
from mcp import Client

from kolors_mcp.sandbox.kling import SandboxKling
from tests.support.in_memory import BARE, PICTURES, server_for, text_of

pytestmark = pytest.mark.anyio

MAX_LIST_BYTES = 26_000
"""Of tools/list as compact JSON."""

WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("create_try_on", {}, "human_image is missing; it is required. cloth_image is missing; it is required."),
    ("create_try_on", {**PICTURES, "n": 4}, 'create_try_on has no argument "n"; it takes human_image, cloth_image,'),
    ("create_try_on", {**PICTURES, "wait_seconds": 301}, "wait_seconds is 301; it takes a number from 0 to 300."),
    ("create_try_on", {**PICTURES, "wait_seconds": True}, "wait_seconds must be a number, not true or false."),
    ("create_try_on", {**PICTURES, "model_name": "v1.5"}, 'model_name is "v1.5"; it takes kolors-virtual-try-on-v1 or'),
    ("create_try_on", {**PICTURES, "callback_url": "ftp://x"}, "callback_url must be an http or https address"),
    (
        "create_try_on",
        {**PICTURES, "human_image": [1]},
        "human_image is a list that names no picture; give one http(s) link",
    ),
    ("create_try_on", {**PICTURES, "new_render": "maybe"}, 'new_render is "maybe"; it takes true or false.'),
    ("get_try_on", {"task_id": ""}, 'task_id is ""; it takes text of 1 to 240 characters.'),
    ("get_try_on", {"task_id": "1", "wait_seconds": -1}, "wait_seconds is -1; it takes a number from 0 to 300."),
    ("list_try_ons", {"page_num": -1}, "page_num is -1; it takes a whole number from 1 to 1000."),
    ("list_try_ons", {"page_num": 1001}, "page_num is 1001; it takes a whole number from 1 to 1000."),
    ("list_try_ons", {"page_size": 501}, "page_size is 501; it takes a whole number from 1 to 500."),
    ("list_try_ons", {"pageNum": 1}, 'list_try_ons has no argument "pageNum"; it takes page_num, page_size.'),
    ("view_try_on", {"task_id": "1", "index": 1.5}, "index is 1.5; it takes a whole number from 0 to 99."),
]


@pytest.mark.parametrize(("name", "arguments", "sentence"), WRONG)
async def test_wrong_arguments_are_refused_by_name_in_a_sentence(
    client: Client, kling: SandboxKling, name: str, arguments: dict[str, Any], sentence: str
) -> None:
    result = await client.call_tool(name, arguments)
    assert result.is_error
    assert text_of(result).startswith(f"Error: {sentence}")
    assert not kling.requests


def odd_values(chance: random.Random) -> Any:
    values: list[Any] = [
        None, True, False, 0, -1, 1, 7, 10**30, 10**4000, 1.5, -0.0, 1e308, "", " ", "0", "20", "null", "x" * 5000,
        "\x00", "\u202egnp.exe", "\ud83d", "../../etc/passwd", "/etc/passwd", "~root/.ssh/id_rsa",
        "file:///etc/shadow", "http://127.0.0.1/", "http://169.254.169.254/latest/meta-data", "https://[::1]/",
        "ftp://a/b", "http://", "data:image/png;base64,AAAA", "data:,", "iVBORw0KGgo=", BARE, BARE[:-3], BARE + "\n",
        [], [1, [2]], {}, {"a": {}}, "kolors-virtual-try-on-v1", "k-0", "..", "%2e%2e", "';DROP TABLE", "{{7*7}}",
        "C:\\Windows\\win.ini", "\\\\host\\x",
    ]  # fmt: skip
    return chance.choice(values)


async def test_a_thousand_odd_calls_end_in_answers_or_readable_sentences(kling: SandboxKling) -> None:
    chance = random.Random(20_250_728)  # noqa: S311  (a seed, not a secret)
    server = server_for(kling, image_dirs=())
    async with Client(server) as client:
        tools = {
            tool.name: list(cast("dict[str, Any]", tool.input_schema["properties"]))
            for tool in (await client.list_tools()).tools
        }
        for _ in range(1000):
            name = chance.choice(list(tools))
            names = [*tools[name], "extra", "human_Image", "__class__"]
            arguments = {key: odd_values(chance) for key in chance.sample(names, chance.randint(0, len(names)))}
            arguments["wait_seconds"] = 0 if chance.random() < 0.5 else odd_values(chance)
            if arguments["wait_seconds"] in (1, 7, 1.5, "20"):
                arguments["wait_seconds"] = 0  # in range, and too long for a test
            if "wait_seconds" not in tools[name]:
                del arguments["wait_seconds"]
            result = await client.call_tool(name, arguments)
            text = text_of(result)
            context = (name, str(arguments)[:300], text)
            assert "Traceback" not in text, context
            assert "Error executing tool" not in text, context
            assert "failed inside this server" not in text, context
            assert "validation error" not in text.lower(), context
            if result.is_error:
                assert text.startswith("Error: "), context
                assert "\n" not in text, context
                assert text.endswith((".", "?")), context
                assert len(text) < 1500, context


async def test_the_tool_table_keeps_its_rules(client: Client) -> None:
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert list(tools) == [
        "create_try_on",
        "get_try_on",
        "list_try_ons",
        "view_try_on",
        "compare_try_ons",
        "get_account",
        "save_try_on",
        "open_fitting_room",
        "list_pictures",
    ]
    for name, tool in tools.items():
        assert "Kling" in (tool.title or "")
        assert tool.icons
        hints = tool.annotations
        assert hints is not None
        looking = name not in ("create_try_on", "save_try_on")
        assert (hints.read_only_hint, hints.destructive_hint, hints.idempotent_hint, hints.open_world_hint) == (
            looking, False, name != "create_try_on", name not in ("open_fitting_room", "list_pictures"),
        )  # fmt: skip
        assert tool.description is not None
        assert 2 <= len(tool.description.splitlines()) <= 7
        assert not set(tool.input_schema) & {"anyOf", "oneOf", "allOf"}
        assert tool.input_schema["additionalProperties"] is False
        assert (tool.output_schema is None) == (name in ("view_try_on", "compare_try_ons", "open_fitting_room"))
        for argument, schema in tool.input_schema["properties"].items():
            assert schema["description"], argument
            kind = schema.get("anyOf", [schema])[0]
            if "maximum" in kind:  # some hosts strip the limits of the schema
                assert f"{kind['minimum']:g} to {kind['maximum']:g}" in schema["description"], argument


async def test_the_list_of_tools_is_short_for_every_model_pays_it(client: Client) -> None:
    listed = (await client.list_tools()).model_dump(mode="json", by_alias=True, exclude_none=True)["tools"]
    assert len(json.dumps(listed, separators=(",", ":"), ensure_ascii=False).encode()) < MAX_LIST_BYTES
    schemas = json.dumps([[tool["inputSchema"], tool.get("outputSchema")] for tool in listed])
    assert '"title"' not in schemas, "made by Pydantic of the names"
