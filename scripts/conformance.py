"""Runs the protocol's conformance suite against the server: both protocol versions, and the tasks extension.

    scripts/conformance.sh            # brings Node.js and the suite, then runs this
    scripts/conformance.sh --verbose  # shows all that the suite says

What may fail, and why, is in conformance/expected-failures-*.yaml. Anything else that fails, and anything listed there
that passes, makes this fail. The suite speaks streamable HTTP, so the server is served on loopback, in the sandbox.
"""

import argparse
import asyncio
import base64
import io
import json
import logging
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from PIL import Image
from pydantic import SecretStr
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kolors_mcp.sandbox.faults import FailLate
from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.sandbox.running import running
from kolors_mcp.server import Upstream, build_server
from kolors_mcp.settings import Credentials, Settings

FOLDER = Path(__file__).resolve().parent.parent / "conformance"
MODULES = FOLDER / "node_modules"
SUITE = MODULES / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
HANDSHAKE, STATELESS = "2025-11-25", "2026-07-28"
FASTER = 10
"""The suite's long jobs take 60 seconds, and it waits 10 for them to end after it has cancelled them. Kling cannot
cancel, so they have to end by themselves: here they take a tenth."""


def greet(name: str) -> str:
    """Greet somebody; the suite's example of a tool that needs no task."""
    return f"Hello, {name}!"


def _picture(colour: str) -> str:
    out = io.BytesIO()
    Image.new("RGB", (320, 400), colour).save(out, "JPEG")
    return base64.b64encode(out.getvalue()).decode()


class SuiteNames:
    """Stands before the server, and calls `create_try_on` where the suite calls its own examples of long jobs.

    The server behind it is the one that users have, and knows nothing of it.
    """

    def __init__(self, app: ASGIApp, sandbox: SandboxKling) -> None:
        """Stand before an application, at whose other end is this simulated Kling."""
        self._app = app
        self._rules = sandbox.rules
        self._faults = sandbox.faults
        self._person = _picture("teal")
        self._jobs = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, changed if it calls a long job."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        renamed = self._renamed(body)
        if renamed is not None:
            name, body = renamed
            scope = {**scope, "headers": [_header(key, value, name, len(body)) for key, value in scope["headers"]]}
        pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return pending.pop() if pending else await receive()

        await self._app(scope, replay, send)

    def _renamed(self, body: bytes) -> tuple[bytes, bytes] | None:
        """Return the job's name and the changed body, if the request calls one."""
        try:
            message: dict[str, Any] = json.loads(body)
        except ValueError:
            return None
        params: Any = message.get("params")
        if message.get("method") != "tools/call" or params is None:
            return None
        name: str = params["name"]
        if name == "slow_compute":
            self._rules.submitted_seconds = 0.0
            self._rules.finished_seconds = params["arguments"]["seconds"] / FASTER
        elif name == "failing_job":
            self._rules.finished_seconds = 1 / FASTER
            self._faults.next_create(FailLate())
        else:
            return None
        # Each job is a try-on of its own: the same request would join the one before.
        garment = _picture(f"#dc{2 * (next(self._jobs) % 128):02x}3c")
        params |= {"name": "create_try_on", "arguments": {"human_image": self._person, "cloth_image": garment}}
        return name.encode(), json.dumps(message).encode()


def _header(key: bytes, value: bytes, name: bytes, length: int) -> tuple[bytes, bytes]:
    if key == b"content-length":
        return key, str(length).encode()
    return key, b"create_try_on" if (key, value) == (b"mcp-name", name) else value


@asynccontextmanager
async def served() -> AsyncGenerator[str]:
    """Serve the server in the sandbox; yields its URL."""
    sandbox = SandboxKling(remember=0)

    @asynccontextmanager
    async def upstream() -> AsyncGenerator[Upstream]:
        credentials = Credentials(api_key=SecretStr(sandbox.api_key))
        yield Upstream(sandbox.origin, lambda: credentials, frozenset({urlsplit(sandbox.origin).netloc}))

    server = build_server(Settings(sandbox=True), open_upstream=upstream)
    server.add_tool(greet)
    application = SuiteNames(server.streamable_http_app(), sandbox)
    with running(sandbox), socket.create_server(("127.0.0.1", 0)) as listener:
        web = uvicorn.Server(uvicorn.Config(application, log_level="error", timeout_graceful_shutdown=1))
        serving = asyncio.create_task(web.serve(sockets=[listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
        finally:
            web.should_exit = True
            await serving


async def _suite(*arguments: str) -> tuple[int, str]:
    own = MODULES / ".bin" / "node"
    node = str(own) if own.exists() else shutil.which("node")
    if node is None:
        raise SystemExit("There is no Node.js here. Install version 22 or newer.")
    process = await asyncio.create_subprocess_exec(
        node, str(SUITE), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


def _counted(output: str) -> str:
    passed = re.search(r"^(?:Total|Passed): (\d+)", output, re.MULTILINE)
    expected = len(re.findall(r"^  ~ ", output, re.MULTILINE))
    return f"passed {passed[1] if passed else 0}, failed as expected {expected}"


async def main() -> int:
    """Run everything, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verbose", action="store_true", help="show all that the suite says")
    verbose = parser.parse_args().verbose
    if not verbose:
        # The suite provokes errors, and the server says so at length.
        logging.disable(logging.CRITICAL)
    _, listed = await _suite("list", "--server")
    tasks: list[str] = re.findall(r"- (tasks-\S+)", listed)
    runs = [(HANDSHAKE, "--suite", "all"), (STATELESS, "--suite", "all")]
    runs += [(STATELESS, "--force", "--scenario", name) for name in tasks]
    failed = not tasks
    async with served() as url:
        for version, *selection in runs:
            kind = "tasks" if "--scenario" in selection else version
            baseline = FOLDER / f"expected-failures-{kind}.yaml"
            with tempfile.TemporaryDirectory() as results:
                code, output = await _suite(
                    *("server", "--url", url, "--spec-version", version, *selection),
                    *("--expected-failures", str(baseline), "--output-dir", results),
                )
            failed |= code != 0
            print(f"{'ok    ' if code == 0 else 'FAILED'} {version} {selection[-1]}: {_counted(output)}", flush=True)
            if verbose or code != 0:
                print(output if verbose else output[output.find("=== SUMMARY") :], flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
