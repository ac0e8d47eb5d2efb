"""The real server as a process over stdio: the environment of its account, and how one speaks with it by hand."""

import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from mcp import StdioServerParameters

from kolors_mcp.sandbox.kling import SandboxKling
from tests.support import commands

COMMANDS = Path(sys.executable).parent
"""Where `kolors-mcp` is installed."""
HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "by hand", "version": "1"}}


def server_environment(kling: SandboxKling, tmp_path: Path, **more: str) -> dict[str, str]:
    """The environment of a server that uses this simulated Kling and a shop on this machine; without any key."""
    own = {
        "KLING_API_BASE": kling.origin,
        "KOLORS_ALLOWED_HOSTS": f"{urlsplit(kling.origin).netloc},127.0.0.1",
        "KOLORS_IMAGE_DIRS": str(tmp_path),
    }
    return commands.environment(tmp_path, **own | more)


def server(env: dict[str, str], *, really: bool = False) -> StdioServerParameters:
    """What the SDK's client starts."""
    return StdioServerParameters(command=commands.python(really=really), args=["-m", "kolors_mcp"], env=env)


@contextmanager
def by_hand(
    env: dict[str, str], *program: str, installed: bool = False, cwd: Path | None = None
) -> Generator[subprocess.Popen[bytes]]:
    """A server that runs until the body ends; another program than its own may be given, a module with arguments.

    With `installed` it is the command that hosts start, and no fork.
    """
    process = subprocess.Popen(
        [COMMANDS / "kolors-mcp"] if installed else [commands.python(), "-m", *(program or ("kolors_mcp",))],
        cwd=cwd,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
    )
    try:
        yield process
    finally:
        kill(process)
        process.communicate()


def begin(process: subprocess.Popen[bytes], arguments: dict[str, Any]) -> None:
    """Greet a server and send it one create, which is its message 2."""
    say(process.stdin, {"id": 1, "method": "initialize", "params": HELLO})
    hear(process.stdout, 1)
    say(process.stdin, {"method": "notifications/initialized"})
    call = {"name": "create_try_on", "arguments": arguments, "_meta": {"progressToken": "p"}}
    say(process.stdin, {"id": 2, "method": "tools/call", "params": call})


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the program at once: its input must not end before, or it would still tidy up.

    What is killed may only stand in for it; its output ends when the program is dead.
    """
    process.kill()
    if process.stdout is not None and not process.stdout.closed:
        process.stdout.read()


def say(stdin: IO[bytes] | None, message: dict[str, Any]) -> None:
    """Write one message."""
    assert stdin is not None
    stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
    stdin.flush()


def hear(stdout: IO[bytes] | None, number: int) -> dict[str, Any]:
    """Read up to the answer with this number."""
    assert stdout is not None
    while True:
        line = json.loads(stdout.readline())
        if line.get("id") == number:
            return line
