"""Runs the protocol's conformance suite and its Inspector against the server, and against the service behind nginx.

    scripts/conformance.sh            # brings Node.js and the suite, then runs this
    scripts/conformance.sh --verbose  # shows all that the suite says

Both protocol versions, and of the server the tasks extension. What may fail, and why, is in
conformance/expected-failures-*.yaml. Anything else that fails, and anything listed there that passes, makes this fail.
The suite speaks streamable HTTP, so the server is served on loopback, in the sandbox. The service is the one of
docs/service.md, as processes of its own; without nginx that part is not run, which the end says.
"""

import argparse
import asyncio
import logging
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from pydantic import SecretStr

from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.sandbox.running import running
from kolors_mcp.server import Upstream, build_server
from kolors_mcp.settings import Credentials, Settings
from scripts import inspector, loopback_nginx, loopback_service
from scripts.suite_names import SuiteNames

FOLDER = Path(__file__).resolve().parent.parent / "conformance"
MODULES = FOLDER / "node_modules"
SUITE = MODULES / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
HANDSHAKE, STATELESS = "2025-11-25", "2026-07-28"
ALL = ("--suite", "all")


def greet(name: str) -> str:
    """Greet somebody; the suite's example of a tool that needs no task."""
    return f"Hello, {name}!"


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


@contextmanager
def service(nginx: str) -> Generator[str]:
    """Run the service behind nginx; yields its URL. It is open on this machine, for the suite can show no token."""
    kling = SandboxKling(remember=0)
    with (
        running(kling),
        tempfile.TemporaryDirectory(prefix="kolors-service-") as folder,
        loopback_service.behind_nginx(nginx, Path(folder), kling) as url,
    ):
        yield url


@dataclass(frozen=True)
class Run:
    """One run of the suite."""

    version: str
    """Of the protocol."""
    selection: Sequence[str]
    """The suite's arguments that say what is run."""
    lists: Sequence[str]
    """What may fail: the parts of the files' names that tell them apart."""
    words: str
    """What it is."""


@dataclass(frozen=True)
class Suite:
    """Runs the suite, and says how it went."""

    node: str
    verbose: bool

    async def passes(self, url: str, run: Run) -> bool:
        """Whether nothing of a run fails but what its lists allow, and all of that."""
        with tempfile.TemporaryDirectory() as folder:
            baseline = Path(folder) / "expected-failures.yaml"
            lists = [(FOLDER / f"expected-failures-{name}.yaml").read_text(encoding="utf-8") for name in run.lists]
            # Each has this one key; the suite takes one file.
            entries = [text.partition("\nserver:\n")[2] for text in lists]
            baseline.write_text("server:\n" + "\n".join(entries), encoding="utf-8")
            code, output = await self.says(
                *("server", "--url", url, "--spec-version", run.version, *run.selection),
                *("--expected-failures", str(baseline), "--output-dir", folder),
            )
        print(f"{'FAILED' if code else 'ok    '} {run.version} {run.words}: {_counted(output)}", flush=True)
        if self.verbose or code:
            print(output if self.verbose else output[output.find("=== SUMMARY") :], flush=True)
        return code == 0

    async def says(self, *arguments: str) -> tuple[int, str]:
        """Call the suite's program; return its exit code and what it says."""
        process = await asyncio.create_subprocess_exec(
            self.node, str(SUITE), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode()


def _counted(output: str) -> str:
    passed = re.search(r"^(?:Total|Passed): (\d+)", output, re.MULTILINE)
    expected = len(re.findall(r"^  ~ ", output, re.MULTILINE))
    return f"passed {passed[1] if passed else 0}, failed as expected {expected}"


def _node() -> str:
    own = MODULES / ".bin" / "node"
    node = str(own) if own.exists() else shutil.which("node")
    if node is None:
        raise SystemExit("There is no Node.js here. Install version 22.19 or newer.")
    return node


async def main() -> int:
    """Run everything, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verbose", action="store_true", help="show all that the suite says")
    suite = Suite(_node(), parser.parse_args().verbose)
    if not suite.verbose:
        # The suite provokes errors, and the server says so at length.
        logging.disable(logging.CRITICAL)
    _, listed = await suite.says("list", "--server")
    tasks: list[str] = re.findall(r"- (tasks-\S+)", listed)
    runs = [Run(version, ALL, [version], "all") for version in (HANDSHAKE, STATELESS)]
    runs += [Run(STATELESS, ("--force", "--scenario", name), ["tasks"], name) for name in tasks]
    passed = [bool(tasks)]
    async with served() as url:
        passed += [await suite.passes(url, run) for run in runs]
    nginx = loopback_nginx.bring_nginx()
    if nginx is None:
        print("\033[1;31mNOT RUN: the service, because nginx is not here (apt-get install nginx-light).\033[0m")
        return int(not all(passed))
    with service(nginx) as url:
        for version in (HANDSHAKE, STATELESS):
            lists = [version, f"{version}-service"] if version == HANDSHAKE else [version]
            passed.append(await suite.passes(url, Run(version, ALL, lists, "all, the service behind nginx")))
    faults = inspector.faults(suite.node, MODULES, nginx)
    print("\n".join(faults) or "ok     the Inspector with a token: lists, creates, gets, pays once", flush=True)
    return int(not all(passed) or bool(faults))


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
