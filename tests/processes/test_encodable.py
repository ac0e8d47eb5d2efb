"""Halves of characters, wherever they stand: what goes out can be encoded, and the process outlives all of them."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import pytest
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCNotification
from pydantic import BaseModel
from pydantic_core import PydanticSerializationError

from kolors_mcp.sandbox import faults
from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.server.encodable import EncodableStream, encodable
from tests.support.commands import account_of, environment, python
from tests.support.making import jpeg

HALF = "\ud800"
HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "by hand", "version": "1"}}
PICTURE = base64.b64encode(jpeg()).decode()
GARMENT = base64.b64encode(jpeg(colour="gold")).decode()


def call(tool: str, **arguments: Any) -> dict[str, Any]:
    return {"method": "tools/call", "params": {"name": tool, "arguments": arguments}}


def reference(name: str) -> dict[str, str]:
    return {"type": "ref/resource", "uri": name}


ODD: list[dict[str, Any]] = [
    call("get_try_on", task_id=HALF),
    call("get_try_on", task_id=f"842{HALF}", wait_seconds=HALF),
    call("get_try_on", task_id="842", **{f"more{HALF}": 1}),
    call("create_try_on", human_image=HALF, cloth_image=GARMENT),
    call("create_try_on", human_image=f"/nowhere/{HALF}.jpg", cloth_image=GARMENT),
    call("create_try_on", human_image=f"file:///nowhere/{HALF}.jpg", cloth_image=GARMENT),
    call("create_try_on", human_image=f"http://127.0.0.1:1/{HALF}.jpg", cloth_image=GARMENT),
    call("create_try_on", human_image=f"http://{HALF}.example/", cloth_image=GARMENT),
    call("create_try_on", human_image=f"data:image/{HALF},x", cloth_image=GARMENT),
    call("create_try_on", human_image=PICTURE, cloth_image=GARMENT, callback_url=f"https://a.example/{HALF}"),
    call("create_try_on", human_image=PICTURE, cloth_image=GARMENT, model_name=HALF),
    call("view_try_on", task_id="842", compare=HALF, index=HALF),
    call("list_try_ons", page_num=HALF),
    call(f"tool{HALF}"),
    call(HALF, **{HALF: [HALF, {HALF: HALF}]}),
    {"method": f"tools/{HALF}", "params": {}},
    {"method": HALF},
    {"method": "tools/list", "params": {"cursor": HALF}},
    {"method": "prompts/get", "params": {"name": f"prompt{HALF}"}},
    {"method": "prompts/get", "params": {"name": "try_on_garment", "arguments": {"person_photo": HALF, HALF: HALF}}},
    {"method": "resources/read", "params": {"uri": f"tryon://{HALF}"}},
    {"method": "resources/read", "params": {"uri": HALF}},
    {"method": "resources/read", "params": {"uri": "tryon://%ED%A0%80"}},
    {"method": "resources/subscribe", "params": {"uri": f"tryon://842{HALF}"}},
    {
        "method": "completion/complete",
        "params": {"ref": reference("tryon://{task_id}"), "argument": {"name": "task_id", "value": HALF}},
    },
    {
        "method": "completion/complete",
        "params": {"ref": reference(HALF), "argument": {"name": HALF, "value": HALF}},
    },
    {"method": "logging/setLevel", "params": {"level": HALF}},
    {"method": "ping", "params": {"_meta": {"progressToken": HALF, HALF: HALF}}},
    {**call("get_try_on", task_id="842", wait_seconds=0), "params": {**call("get_try_on", task_id="842")["params"]}},
]
LOST: list[bytes] = [
    b'{"jsonrpc":"2.0","id":"\\ud800","method":"ping"}',
    b'{"jsonrpc":"2.0","id":"\\ud800","method":"tools/call","params":{"name":"list_try_ons","arguments":{}}}',
    b'{"jsonrpc":"2.0","method":"notifications/\\ud800","params":{"\\ud800":"\\udc00"}}',
    b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"\\ud800","reason":"\\ud800"}}',
    b'{"jsonrpc":"\\ud800","id":1,"method":"ping"}',
    b'{"jsonrpc":"2.0","id":1,"method":"ping","\\ud800":"\\ud800"}',
    b'"\\ud800"',
    b'{"\\ud800',
    b'{"jsonrpc":"2.0","id":"\xed\xa0\x80","method":"ping"}',
    b"\xff\xfe\x00\xed\xa0\x80",
]
"""What no answer can name by its id."""


class Host:
    """A host that speaks with the real process over its pipes, in raw bytes."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._asked = 100
        self.lines: list[bytes] = []

    def write(self, line: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + b"\n")
        self._process.stdin.flush()

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """Send one request and return its answer, or the error that stands for it."""
        assert self._process.stdout is not None
        self._asked += 1
        # `json` writes a half as an escape, which is what clients do.
        self.write(json.dumps({"jsonrpc": "2.0", "id": self._asked, **message}).encode())
        while True:
            line = self._process.stdout.readline()
            assert line, f"the process has ended at {message}"
            self.lines.append(line)
            answer = json.loads(line.decode())
            if answer.get("id") == self._asked:
                return answer


def test_the_process_outlives_halves_of_characters_from_the_host_from_kling_and_in_file_names(
    fast_kling: SandboxKling, tmp_path: Path
) -> None:
    fast_kling.rules.finished_seconds = 0
    env = environment(tmp_path, **account_of(fast_kling), KOLORS_IMAGE_DIRS=str(tmp_path))
    env["KOLORS_LEDGER"] = f"sqlite:///{tmp_path}/ledger.db"
    names_are_bytes = os.name == "posix" and sys.platform != "darwin"
    """Elsewhere no file can have such a name."""
    if names_are_bytes:
        env["KOLORS_SAVE_DIR"] = os.fsdecode(os.fsencode(tmp_path) + b"/kept \xff")
    with subprocess.Popen(
        [python(), "-m", "kolors_mcp"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=env,
    ) as process:
        host = Host(process)
        try:
            assert "result" in host.ask({"method": "initialize", "params": HELLO})
            host.write(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')
            # JSON has no place for half a character, so the SDK may leave such a message without an answer.
            for number, message in enumerate(ODD, 1_000):
                host.write(json.dumps({"jsonrpc": "2.0", "id": number, **message}).encode())
                assert "result" in host.ask({"method": "ping"}), message
            for line in LOST:
                host.write(line)
                assert "result" in host.ask({"method": "ping"}), line

            said = '"\\ud800 \\udfff\\ud83d"'
            for body in (
                f'{{"code":0,"data":{{"task_id":{said}}}}}',
                f'{{"code":0,"data":{{"task_id":"842","task_status":{said},"task_status_msg":{said}}}}}',
                f'{{"code":0,"data":{{"task_id":"842","task_info":{{"external_task_id":{said}}}}},"message":{said}}}',
                f'{{"code":1301,"message":{said},"request_id":{said}}}',
                f'{{"code":{said}}}',
                f"{{{said}:{said}}}",
            ):
                fast_kling.faults.next_read(faults.Raw(200, body, "application/json"), times=1)
                host.ask(call("get_try_on", task_id="842", wait_seconds=0))

            if names_are_bytes:
                odd = os.fsencode(tmp_path) + b"/me \xff.jpg"
                Path(os.fsdecode(odd)).write_bytes(jpeg())
                missing = host.ask(call("create_try_on", human_image=f"{tmp_path}/me .jpg", cloth_image=GARMENT))
                assert missing["result"]["isError"]

            innocent = host.ask(call("create_try_on", human_image=PICTURE, cloth_image=GARMENT, wait_seconds=30))
            assert innocent["result"]["structuredContent"]["status"] == "succeed", innocent["result"]
            if names_are_bytes:
                assert "/kept \ufffd/" in innocent["result"]["structuredContent"]["images"][0]["saved_to"]
            assert process.stdin is not None
            process.stdin.close()
            assert process.stdout is not None
            host.lines += process.stdout.readlines()
            assert process.wait(60) == 0
        finally:
            process.kill()
    assert all(json.loads(line.decode())["jsonrpc"] == "2.0" for line in host.lines)


class _Nested(BaseModel):
    text: str


def test_only_what_cannot_be_encoded_is_changed_and_two_halves_become_one_character() -> None:
    sound: dict[str, Any] = {"a": ["é", {"b": "\U0001f600"}], "c": (1, None), "d": _Nested(text="x")}
    assert encodable(sound) is sound
    odd: dict[str, Any] = {f"{HALF}": [f"a{HALF}b", {"b": "\ud83d\ude00"}], "d": _Nested(text=f"é{HALF}")}
    assert encodable(odd) == {"\ufffd": ["a\ufffdb", {"b": "\U0001f600"}], "d": _Nested(text="é\ufffd")}


@pytest.mark.anyio
async def test_a_message_that_the_sdk_cannot_write_goes_out_all_the_same() -> None:
    sent: list[SessionMessage] = []

    class Sink:
        async def send(self, item: SessionMessage, /) -> None:
            sent.append(item)

        async def aclose(self) -> None: ...

        async def __aenter__(self) -> Self:
            return self

        async def __aexit__(self, *_: object) -> None: ...

    odd = JSONRPCNotification(jsonrpc="2.0", method=f"a{HALF}", params={"b": [HALF]})
    with pytest.raises((PydanticSerializationError, UnicodeEncodeError)):
        odd.model_dump_json().encode()
    async with EncodableStream(Sink()) as stream:  # pyright: ignore[reportArgumentType]  (all that is used of one)
        await stream.send(SessionMessage(odd))
    [item] = sent
    assert json.loads(item.message.model_dump_json().encode()) == {
        "jsonrpc": "2.0",
        "method": "a\ufffd",
        "params": {"b": ["\ufffd"]},
    }
