"""Runs the service as `docs/service.md` has it on one machine: replicas that share a ledger, behind a real nginx."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from kolors_mcp.sandbox.kling import SandboxKling
from scripts import loopback_nginx

REPLICAS = 2
"""Enough that what belongs together is answered by different ones."""
CALLS_PER_SECOND = 10_000
"""Nobody who tries the service here is to be told that it is too often."""
START_SECONDS, END_SECONDS = 60.0, 33.0
READY = 200


@contextmanager
def behind_nginx(nginx: str, folder: Path, kling: SandboxKling, **variables: str) -> Generator[str]:
    """Run everything for the length of the block.

    Args:
        nginx: Its program.
        folder: For the ledger, the logs and nginx's files; it must exist.
        kling: The simulated Kling that pays; it listens.
        **variables: More settings of the service.

    Yields:
        The URL of the MCP server.

    Raises:
        ChildProcessError: A replica did not become ready; the text is what it logged.
    """
    front, ports = loopback_nginx.free_port(), [loopback_nginx.free_port() for _ in range(REPLICAS)]
    origin = f"http://127.0.0.1:{front}"
    environment = _environment(folder, kling) | {"KOLORS_PUBLIC_URL": origin, **variables}
    with ExitStack() as running:
        for port in ports:
            running.enter_context(_replica(port, folder / f"replica-{port}.log", environment))
        place = folder / "nginx"
        place.mkdir()
        configuration = loopback_nginx.write_configuration(
            place, front, [f"127.0.0.1:{port}" for port in ports], calls_per_second=CALLS_PER_SECOND
        )
        proxy = running.enter_context(_ended(subprocess.Popen(loopback_nginx.command(nginx, configuration))))
        loopback_nginx.wait_for(front, proxy)
        for port in ports:
            _wait_until_ready(port, folder / f"replica-{port}.log")
        yield f"{origin}/mcp"


def _environment(folder: Path, kling: SandboxKling) -> dict[str, str]:
    """Return the variables of a replica, without anybody's settings."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("KLING_", "KOLORS_"))}
    return inherited | {
        "KLING_API_BASE": kling.origin,
        "KLING_API_KEY": kling.api_key,
        "KOLORS_ALLOWED_HOSTS": kling.origin.removeprefix("http://"),
        "KOLORS_LEDGER": f"sqlite:///{folder / 'ledger.sqlite3'}",
        "KOLORS_CALLS_PER_MINUTE": str(60 * CALLS_PER_SECOND),
    }


@contextmanager
def _replica(port: int, log: Path, environment: Mapping[str, str]) -> Generator[None]:
    command = [sys.executable, "-m", "kolors_mcp", "serve", "--http", "--port", str(port)]
    with log.open("wb") as written:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=written, stderr=written, start_new_session=True
        )
    with _ended(process):
        yield


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Generator[subprocess.Popen[bytes]]:
    """End a program with the block, as a person at its terminal does: at once, since no proxy has to learn of it."""
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(END_SECONDS)


def _wait_until_ready(port: int, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    with httpx.Client(trust_env=False) as client:
        while time.monotonic() < end:
            try:
                if client.get(f"http://127.0.0.1:{port}/readyz").status_code == READY:
                    return
            except httpx.TransportError:
                pass  # it does not listen yet
            time.sleep(0.1)
    raise ChildProcessError(f"The service was not ready in {START_SECONDS:.0f} s: {log.read_text('utf-8')[-3000:]}")
