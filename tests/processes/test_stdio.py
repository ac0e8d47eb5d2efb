"""The real process over stdio, driven by the SDK's client and by hand, against a simulated Kling on loopback."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import anyio
import jwt
import pytest
from mcp import Client
from mcp_types import CallToolResult

from kolors_mcp.sandbox.kling import SandboxKling
from tests.support.commands import HANG_SECONDS, environment, kolors
from tests.support.making import jpeg
from tests.support.over_stdio import HELLO, by_hand, hear, say, server, server_environment


@pytest.fixture
def shop() -> Iterator[str]:
    """A shop's web server that serves one picture."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = jpeg(colour="gold")
            self.send_response(200)
            self.send_header("Content-Type", "image/jpeg")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the library's name)
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{listening.server_address[1]}/shirt.jpg?size=xl"
    listening.shutdown()
    thread.join()
    listening.server_close()


@pytest.mark.process
@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_bytes_on_the_wire_are_the_pages_for_every_kind_of_source(
    fast_kling: SandboxKling, tmp_path: Path, shop: str, mode: str
) -> None:
    access, secret = fast_kling.key_pair
    # Five people, so that none of them is the same request as another.
    people = [base64.b64encode(jpeg(colour=colour)).decode() for colour in ("navy", "teal", "plum", "olive", "coral")]
    files = [tmp_path / f"me at home {number}.jpg" for number in range(3)]
    for file, bare in zip(files, people, strict=False):
        file.write_bytes(base64.b64decode(bare))
    sources = [str(files[0]), f"~/{files[1].name}", files[2].as_uri(), f"data:image/jpeg;base64,{people[3]}", people[4]]
    env = server_environment(fast_kling, tmp_path, KLING_ACCESS_KEY=access, KLING_SECRET_KEY=f" {secret}\n")
    async with Client(server(env), mode=mode) as client:
        for source in sources:
            arguments = {"human_image": source, "cloth_image": shop}
            result = await client.call_tool("create_try_on", arguments)
            assert isinstance(result, CallToolResult)
            assert not result.is_error, (source[:80], result.content)
    creates = [request for request in fast_kling.requests if request.method == "POST"]
    for request, bare in zip(creates, people, strict=True):
        body = request.json
        assert set(body) == {"human_image", "cloth_image", "external_task_id"}
        assert body["human_image"] == bare
        assert body["cloth_image"] == base64.b64encode(jpeg(colour="gold")).decode()
        claims = jwt.decode(request.headers["authorization"].removeprefix("Bearer "), secret, algorithms=["HS256"])
        assert set(claims) == {"iss", "exp", "nbf"}


@pytest.mark.process
@pytest.mark.anyio
async def test_an_api_key_instead_of_the_pair_works(kling: SandboxKling, tmp_path: Path) -> None:
    async with Client(server(server_environment(kling, tmp_path, KLING_API_KEY=kling.api_key))) as client:
        result = await client.call_tool("list_try_ons", {})
    assert not result.is_error
    assert kling.requests[0].headers["authorization"] == f"Bearer {kling.api_key}"


@pytest.mark.process
@pytest.mark.anyio
async def test_the_embedded_sandbox_needs_no_account_and_says_so(kling: SandboxKling, tmp_path: Path) -> None:
    env = server_environment(kling, tmp_path, KOLORS_SANDBOX="1", KOLORS_SAVE_DIR=str(tmp_path / "kept"))
    picture = base64.b64encode(jpeg()).decode()
    async with Client(server(env)) as client:
        result = await client.call_tool(
            "create_try_on",
            {"human_image": picture, "cloth_image": base64.b64encode(jpeg(colour="gold")).decode(), "wait_seconds": 30},
        )
        assert result.structured_content is not None
        assert result.structured_content["sandbox"] is True
        assert result.structured_content["status"] == "succeed"
        [image] = result.structured_content["images"]
        assert Path(image["saved_to"]).parent == tmp_path / "kept"
        assert (await anyio.Path(image["saved_to"]).stat()).st_size > 1000
    assert not kling.requests
    assert not await anyio.Path(tmp_path / "state").exists(), "a simulated task is not written into the user's ledger"


def test_standard_output_carries_nothing_but_the_protocol_even_when_everything_is_logged(
    fast_kling: SandboxKling, tmp_path: Path
) -> None:
    secret = "very-secret-key-0123456789"
    fast_kling.accounts[0].api_keys.add(secret)
    env = server_environment(fast_kling, tmp_path, KLING_API_KEY=secret, KOLORS_LOG_LEVEL="DEBUG")
    picture = base64.b64encode(jpeg()).decode()
    with by_hand(env, installed=True) as process:
        say(process.stdin, {"id": 1, "method": "initialize", "params": HELLO})
        hear(process.stdout, 1)
        say(process.stdin, {"method": "notifications/initialized"})
        arguments = {
            "human_image": picture,
            "cloth_image": base64.b64encode(jpeg(colour="gold")).decode(),
            "wait_seconds": 10,
        }
        call = {"name": "create_try_on", "arguments": arguments, "_meta": {"progressToken": 0}}
        say(process.stdin, {"id": 2, "method": "tools/call", "params": call})
        url = hear(process.stdout, 2)["result"]["structuredContent"]["images"][0]["url"]
        output, log = process.communicate(timeout=HANG_SECONDS)
    for line in output.splitlines():
        assert json.loads(line)["jsonrpc"] == "2.0"
    assert process.returncode == 0
    assert secret.encode() not in log
    assert url.partition("?")[2].encode() not in log, "links are logged without their query"
    assert picture[:60].encode() not in log


def test_what_other_code_prints_while_the_server_runs_goes_to_the_log_and_never_to_the_host(tmp_path: Path) -> None:
    (tmp_path / "chatty.py").write_text(
        "import os\n"
        "from kolors_mcp.cli import main\n"
        "from mcp.server.mcpserver import MCPServer\n"
        "listed = MCPServer.list_tools\n"
        "def list_tools(server):\n"
        "    print('printed')\n"
        "    os.write(1, b'written\\n')\n"
        "    return listed(server)\n"
        "MCPServer.list_tools = list_tools\n"
        "main()\n"
    )
    with by_hand(environment(tmp_path, KOLORS_SANDBOX="1"), "chatty", cwd=tmp_path) as process:
        say(process.stdin, {"id": 1, "method": "initialize", "params": HELLO})
        hear(process.stdout, 1)
        say(process.stdin, {"method": "notifications/initialized"})
        say(process.stdin, {"id": 2, "method": "tools/list"})
        hear(process.stdout, 2)
        more, log = process.communicate(timeout=HANG_SECONDS)
    assert more == b""
    assert {b"printed", b"written"} <= set(log.splitlines())


@pytest.mark.parametrize("finished_seconds", [0, 10_000])
def test_the_process_ends_when_standard_input_closes_also_during_a_wait(
    kling: SandboxKling, tmp_path: Path, finished_seconds: float
) -> None:
    kling.rules.finished_seconds = finished_seconds
    picture = base64.b64encode(jpeg()).decode()
    with by_hand(server_environment(kling, tmp_path, KLING_API_KEY=kling.api_key)) as process:
        say(process.stdin, {"id": 1, "method": "initialize", "params": HELLO})
        hear(process.stdout, 1)
        say(process.stdin, {"method": "notifications/initialized"})
        arguments = {
            "human_image": picture,
            "cloth_image": base64.b64encode(jpeg(colour="gold")).decode(),
            "wait_seconds": 300,
        }
        call = {"name": "create_try_on", "arguments": arguments, "_meta": {"progressToken": "p"}}
        say(process.stdin, {"id": 2, "method": "tools/call", "params": call})
        kling.wait_for_request(lambda request: request.method == "POST")
        _output, log = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == 0
    assert b"Traceback" not in log


def test_a_setting_that_cannot_be_used_is_named_and_ends_the_start(kling: SandboxKling, tmp_path: Path) -> None:
    env = server_environment(kling, tmp_path, KOLORS_MODEL="v2")
    done = kolors(env=env, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith('kolors-mcp: KOLORS_MODEL is "v2"; it takes kolors-virtual-try-on-v1 or')
    assert "Traceback" not in done.stderr
