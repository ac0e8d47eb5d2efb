"""`kolors-mcp demo --app` as somebody with a browser meets it: a real process, spoken to over HTTP."""

import re
import signal
import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from kolors_mcp import cli
from kolors_mcp.sandbox.kling import SandboxKling
from tests.support.commands import HANG_SECONDS, account_of, environment, kolors, started

HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}
ACCEPT = {"accept": "application/json, text/event-stream"}
posix = pytest.mark.skipif(sys.platform == "win32", reason="ends the program by a signal")


@contextmanager
def demo(home: Path, *arguments: str, **variables: str) -> Generator[list[str]]:
    """The demo, running; yields the lines that it introduces itself with."""
    command = ("demo", "--app", "--port", "0", *arguments)
    with started(*command, env=environment(home, **variables), cwd=home) as process:
        assert process.stdout is not None
        try:
            yield [process.stdout.readline().strip() for _ in range(3)]
        finally:
            process.send_signal(signal.SIGINT)
            _, complaints = process.communicate(timeout=HANG_SECONDS)
        assert (process.returncode, complaints) == (0, "")


def address_in(lines: list[str]) -> str:
    found = re.fullmatch(r"The fitting room: (http://127\.0\.0\.1:\d+/)", lines[0])
    assert found is not None, lines
    return found[1]


@posix
def test_the_demo_serves_a_host_its_sandbox_and_the_server(tmp_path: Path) -> None:
    with demo(tmp_path) as lines, httpx.Client(base_url=address_in(lines), timeout=HANG_SECONDS) as browser:
        assert lines[1].startswith("Simulated, free, no account: the sandbox listens at http://127.0.0.1:")
        host = browser.get("/")
        assert host.headers["content-type"] == "text/html; charset=utf-8"
        for name in re.findall(r'(?:src|href)="(host\.\w+)"', host.text):
            assert browser.get(f"/{name}").status_code == 200
        assert "importmap" not in host.text
        assert "@modelcontextprotocol" not in browser.get("/bridge.js").text
        at_localhost = {"host": f"localhost:{browser.base_url.port}"}
        policy = browser.get("/sandbox.html", headers=at_localhost).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "connect-src 'none'" in policy
        assert browser.get("/app_demo.py").status_code == 404
        assert browser.get("/..%2fapp_demo.py").status_code == 404
        token = re.findall('kolors-page-token" content="([^"]{40,})"', host.text)
        assert browser.post("/mcp", json=HELLO, headers=ACCEPT).status_code == 403
        hello = browser.post("/mcp", json=HELLO, headers={**ACCEPT, "kolors-page-token": token[0]})
        assert hello.json()["result"]["serverInfo"]["name"] == "kolors-mcp"
        # What is no HTTP does not reach the application; a browser gets there with a link that is too long.
        with socket.create_connection(("127.0.0.1", browser.base_url.port or 0)) as raw, raw.makefile("rb") as answer:
            raw.sendall(b"no HTTP at all\r\n\r\n")
            refusal = answer.read().decode()
        assert refusal.startswith("HTTP/1.1 400 ")
        assert "\r\ncontent-security-policy: default-src 'none'; " in refusal


@posix
def test_the_demo_takes_the_official_bridge_from_a_folder(tmp_path: Path) -> None:
    module = tmp_path / "node_modules" / "zod" / "v4" / "index.js"
    module.parent.mkdir(parents=True)
    module.write_text("export {};", encoding="utf-8")
    arguments = ("--bridge", str(tmp_path / "node_modules"))
    with demo(tmp_path, *arguments) as lines, httpx.Client(base_url=address_in(lines), timeout=HANG_SECONDS) as browser:
        assert '"zod/v4": "/modules/zod/v4/index.js"' in browser.get("/").text
        found = browser.get("/modules/zod/v4/index.js")
        assert found.text == "export {};"
        assert found.headers["cache-control"] == "private, max-age=300", "it is not asked for at every opening"
        assert "default-src 'none'" in found.headers["content-security-policy"]
        assert "AppBridge" in browser.get("/bridge.js").text


@posix
def test_the_demo_of_an_account_says_that_clicks_cost(tmp_path: Path, kling: SandboxKling) -> None:
    with demo(tmp_path, "--real", **account_of(kling)) as lines:
        assert lines[1] == "It uses your Kling account: each start by a click costs a unit."
        assert httpx.get(address_in(lines), timeout=HANG_SECONDS).status_code == 200


def test_a_port_or_folder_that_cannot_be_used_is_named(tmp_path: Path, kling: SandboxKling) -> None:
    taken = kling.origin.rpartition(":")[2]
    env = environment(tmp_path)
    for arguments, words in (
        (("--port", taken), f"Port {taken} cannot be used"),
        (("--port", "99999"), "Port 99999 cannot be used"),
        (("--port", "0", "--bridge", str(tmp_path / "nowhere")), "so it has no @modelcontextprotocol/ext-apps"),
    ):
        done = kolors("demo", "--app", *arguments, env=env, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (1, "")
        assert words in done.stderr


@pytest.mark.parametrize(
    ("keys", "words"),
    [({}, "Set KLING_API_KEY, or KLING_ACCESS_KEY"), ({"KLING_ACCESS_KEY": "one"}, "KLING_SECRET_KEY is not set")],
)
def test_without_keys_the_demo_of_an_account_does_not_even_start(
    keys: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("KLING_API_KEY", "KLING_ACCESS_KEY", "KLING_SECRET_KEY", "KOLORS_SANDBOX"):
        monkeypatch.delenv(name, raising=False)
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    for more in ((), ("--app", "--port", "0")):
        assert cli.main(["demo", "--real", *more]) == 1
        shown = capsys.readouterr()
        assert shown.out == ""
        assert words in shown.err
