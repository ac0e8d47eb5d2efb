"""The simulated Kling: embedded in the server with KOLORS_SANDBOX=1, or alone with `kolors-mcp sandbox`."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import SecretStr

from kolors_mcp.cli.terminal import print_error, print_line
from kolors_mcp.errors import NotConfiguredError
from kolors_mcp.settings import Credentials, Settings

if TYPE_CHECKING:
    from kolors_mcp.cli.callbacks import GuardedTransport
    from kolors_mcp.sandbox.callbacks import Dialler
    from kolors_mcp.sandbox.running import RunningSandbox
    from kolors_mcp.server import Upstream

MAX_PORT = 65535


@asynccontextmanager
async def open_sandbox(allowed_hosts: frozenset[str] = frozenset()) -> AsyncGenerator["Upstream"]:
    """Run a simulated Kling for the length of the block, on a free loopback port.

    Args:
        allowed_hosts: What it may call back besides public addresses, as in the settings.
    """
    place = await asyncio.to_thread(_running, allowed_hosts)
    sandbox = await asyncio.to_thread(place.__enter__)
    try:
        yield _upstream(sandbox)
    finally:
        await asyncio.to_thread(place.__exit__, None, None, None)


def run(port: int) -> int:
    """Serve a simulated Kling until it is interrupted."""
    from kolors_mcp.sandbox.kling import SandboxKling  # noqa: PLC0415  (a whole web server, only where it runs)
    from kolors_mcp.sandbox.running import serve_forever  # noqa: PLC0415

    try:
        allowed_hosts = Settings.from_env(os.environ).allowed_hosts
    except NotConfiguredError as error:
        print_error(str(error))
        return 1
    reason = "ports go from 0 to 65535"
    if 0 <= port <= MAX_PORT:
        # A few requests are enough outside of tests, which look at them: each may be 28 MB.
        sandbox = SandboxKling(remember=10, dial=_dialler(allowed_hosts))
        try:
            serve_forever(port, sandbox=sandbox, listening=_introduce)
        except OSError as error:
            reason = os.strerror(error.errno or 0)
        else:
            return 0
    print_error(f"Port {port} cannot be used ({reason}). Choose another with --port; 0 takes a free one.")
    return 1


def _running(allowed_hosts: frozenset[str]):  # noqa: ANN202  (a context manager of the sandbox)
    from kolors_mcp.sandbox.kling import SandboxKling  # noqa: PLC0415  (Pillow and a web server, on first use)
    from kolors_mcp.sandbox.rules import Rules  # noqa: PLC0415
    from kolors_mcp.sandbox.running import running  # noqa: PLC0415

    # Finished just before the server looks for the second time: long enough to see progress, no longer.
    rules = Rules(finished_seconds=4.0)
    return running(SandboxKling(remember=0, rules=rules, dial=_dialler(allowed_hosts)))


def _dialler(allowed_hosts: frozenset[str]) -> "Dialler":
    def dial() -> "GuardedTransport":
        from kolors_mcp.cli.callbacks import GuardedTransport  # noqa: PLC0415  (with the first callback)

        return GuardedTransport(allowed_hosts)

    return dial


def _upstream(place: "RunningSandbox") -> "Upstream":
    from kolors_mcp.server import Upstream  # noqa: PLC0415  (all of MCP, which the sandbox alone does without)

    credentials = Credentials(api_key=SecretStr(place.sandbox.api_key))
    return Upstream(place.origin, lambda: credentials, frozenset({urlsplit(place.origin).netloc}))


def _introduce(place: "RunningSandbox") -> None:
    print_line(f"A simulated Kling listens at {place.origin}. Everything is forgotten when it ends. Use it with:")
    print_line(f"  KLING_API_BASE={place.origin}")
    print_line(f"  KLING_API_KEY={place.sandbox.api_key}")
    print_line(f"  KOLORS_ALLOWED_HOSTS={urlsplit(place.origin).netloc}")
