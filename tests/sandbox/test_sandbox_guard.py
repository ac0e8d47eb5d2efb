"""The simulated Kling of the command line calls back public addresses, and others only where the user allows it."""

import queue
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from kolors_mcp.cli.callbacks import GuardedTransport
from kolors_mcp.cli.sandbox import open_sandbox
from kolors_mcp.sandbox.kling import SandboxKling
from tests.support.commands import environment, python
from tests.support.sandbox_door import GARMENT, NO_TLS, PATH, PERSON, calling

Calls = queue.Queue[str]


@contextmanager
def inside() -> Generator[tuple[str, Calls]]:
    """A web server of somebody's own network; yields its `host:port` and what it was asked for."""
    calls: Calls = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(204)
            self.end_headers()
            calls.put(self.path)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class names it so)
            """Stay quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}", calls
        finally:
            server.shutdown()
            thread.join()


class Watched(httpx.AsyncBaseTransport):
    """The guard, and what became of each callback."""

    def __init__(self, allowed_hosts: frozenset[str], outcomes: "queue.Queue[str]") -> None:
        self.guard = GuardedTransport(allowed_hosts)
        self.outcomes = outcomes

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            response = await self.guard.handle_async_request(request)
        except httpx.TransportError as error:
            self.outcomes.put(str(error))
            raise
        self.outcomes.put(str(response.status_code))
        return response

    async def aclose(self) -> None:
        await self.guard.aclose()


def outcomes_of(url: str, allowed_hosts: frozenset[str]) -> list[str]:
    outcomes: queue.Queue[str] = queue.Queue()
    with calling(SandboxKling(dial=lambda: Watched(allowed_hosts, outcomes))) as caller:
        caller.made(callback_url=url)
        caller.sandbox.clock.advance(6)
        return [outcomes.get(timeout=100) for _ in range(2)]


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "127.1"])
def test_an_address_inside_is_not_called(name: str) -> None:
    with inside() as (place, calls):
        url = f"http://{name}:{place.rpartition(':')[2]}/admin/delete?x=1"
        assert outcomes_of(url, frozenset()) == ["not a public address"] * 2
        assert outcomes_of(url, frozenset({"127.0.0.1:1", "shop.example"})) == ["not a public address"] * 2
        assert calls.empty()


@pytest.mark.parametrize("url", ["http://10.0.0.1/", "http://169.254.169.254/latest", "https://[fd00::1]:8443/"])
def test_nor_is_one_of_the_network(url: str) -> None:
    assert outcomes_of(url, frozenset()) == ["not a public address"] * 2


def test_what_is_allowed_is_called() -> None:
    with inside() as (place, calls):
        for allowed in ("127.0.0.1", place):
            assert outcomes_of(f"http://{place}/hook?task=1", frozenset({allowed})) == ["204", "204"]
            assert [calls.get(timeout=100) for _ in range(2)] == ["/hook?task=1"] * 2


def create(client: httpx.Client, place: str, path: str) -> None:
    body = {"human_image": PERSON, "cloth_image": GARMENT, "callback_url": f"http://{place}{path}"}
    assert client.post(PATH, json=body).json()["code"] == 0


def turn(client: httpx.Client) -> None:
    client.post("/sandbox/clock", json={"advance": 10}).raise_for_status()


@pytest.mark.anyio
async def test_the_embedded_one_is_guarded() -> None:
    with inside() as (place, calls):
        for allowed, expected in (frozenset[str](), []), (frozenset({place}), ["/hook", "/hook"]):
            async with open_sandbox(allowed) as upstream:
                credentials = upstream.credentials()
                assert credentials is not None
                assert credentials.api_key is not None
                key = {"authorization": f"Bearer {credentials.api_key.get_secret_value()}"}
                with httpx.Client(base_url=upstream.api_base, headers=key, trust_env=False, verify=NO_TLS) as client:
                    create(client, place, "/hook")
                    turn(client)
                    # Where none comes, none can come any more once the sandbox has ended.
                    assert [calls.get(timeout=100) for _ in expected] == expected
            assert calls.empty()


@pytest.mark.skipif(sys.platform == "win32", reason="ends the program by a signal")
def test_the_one_alone_is_guarded(tmp_path: Path) -> None:
    with (
        inside() as (allowed, good),
        inside() as (other, bad),
        subprocess.Popen(
            [python(), "-m", "kolors_mcp", "sandbox", "--port", "0"],
            env=environment(tmp_path, KOLORS_ALLOWED_HOSTS=allowed),
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(4)]
        settings = dict(line.split("=", 1) for line in lines[1:])
        key = {"authorization": f"Bearer {settings['KLING_API_KEY']}"}
        with httpx.Client(base_url=settings["KLING_API_BASE"], headers=key, trust_env=False, verify=NO_TLS) as client:
            create(client, other, "/admin")
            create(client, allowed, "/hook")
            turn(client)
            assert [good.get(timeout=100) for _ in range(2)] == ["/hook", "/hook"]
        process.send_signal(signal.SIGINT)
        assert process.wait(100) == 0
        assert bad.empty()
