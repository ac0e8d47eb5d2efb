"""Cold start: from the spawn of the process until `tools/list` is answered, beside a bare `MCPServer`."""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import IO, Any

from benchmarks.pipes import PROGRAMS
from benchmarks.spread import milliseconds, spread

RUNS, COLD_RUNS = 11, 7
"""With the byte-code of the run before, and without any: the second takes seconds, and is the same for all servers."""
HEAVY = ("PIL", "kolors_mcp.sandbox", "sqlalchemy", "httpx", "jwt")
"""What must not be loaded by the time the tools are listed."""

BARE = str(Path(__file__).parent / "programs" / "bare_server.py")
SERVERS = {
    "bare MCPServer": [BARE],
    "the same, gc off": ["-c", f"import gc, runpy; gc.disable(); runpy.run_path({BARE!r}, run_name='__main__')"],
    "kolors-mcp": ["-m", "kolors_mcp"],
}
"""The second does what kolors-mcp does while it imports, so that the rest of the difference is seen."""


@dataclass
class Start:
    """One start."""

    seconds: float
    resident_mb: float


def started(arguments: list[str], **environment: str) -> Start:
    """Start a server, list its tools in the handshake of 2025, and end it."""
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "KOLORS_SANDBOX": "1", **environment},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
    _ask(process.stdin, process.stdout, 1, "initialize", hello)
    _tell(process.stdin, {"jsonrpc": "2.0", "method": "notifications/initialized"})
    _ask(process.stdin, process.stdout, 2, "tools/list", {})
    seconds = time.perf_counter() - begin
    resident = _resident_mb(process.pid)
    process.stdin.close()
    process.wait(10)
    process.stdout.close()
    return Start(seconds, resident)


def heavy_modules() -> list[str]:
    """Return what of `HEAVY` a fresh process has loaded once it could list its tools."""
    script = (
        "import anyio, sys\n"
        "from kolors_mcp.server import build_server\n"
        "from kolors_mcp.settings import Settings\n"
        "import kolors_mcp.cli.serve\n"
        "anyio.run(build_server(Settings(sandbox=True)).list_tools)\n"
        f"print(*[name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return done.stdout.split()


def added() -> float:
    """Return the seconds that the fitting room, the resources and the prompts add to a start."""
    done = subprocess.run([sys.executable, "-m", f"{PROGRAMS}.additions"], check=True, capture_output=True, text=True)
    return float(done.stdout) / 1000


def uncompiled(arguments: list[str]) -> Start:
    """Start a server as on the first day: no byte-code anywhere, and none is kept."""
    with tempfile.TemporaryDirectory() as nothing:
        return started(arguments, PYTHONPYCACHEPREFIX=nothing, PYTHONDONTWRITEBYTECODE="1")


def main() -> dict[str, Any]:
    """Print the rows, the servers taken in turns."""
    for arguments in SERVERS.values():
        started(arguments)  # the first start writes byte-code and fills the disk's cache
    rows: dict[str, Any] = {}
    for title, runs, start in (("with byte-code", RUNS, started), ("without byte-code", COLD_RUNS, uncompiled)):
        found: dict[str, list[Start]] = {name: [] for name in SERVERS}
        for _ in range(runs):
            for name, arguments in SERVERS.items():
                found[name].append(start(arguments))
        print(f"Cold start {title}: spawn to tools/list answered, median of {runs} [quartiles], and memory after it")
        rows[title] = table(found)
    rows["fitting room, resources, prompts"] = more = spread([added() for _ in range(RUNS)])
    print(f"  of it the fitting room, the resources and the prompts: {milliseconds(more)}, goal 5")
    loaded = heavy_modules()
    print(f"  loaded by then of {', '.join(HEAVY)}: {', '.join(loaded) or 'nothing'}")
    rows["loaded"] = loaded
    return rows


def table(found: dict[str, list[Start]]) -> dict[str, Any]:
    """Print a row for each server beside the first."""
    rows: dict[str, Any] = {}
    floor, *_ = found.values()
    for name, starts in found.items():
        seconds, memory = (spread([getattr(start, what) for start in starts]) for what in ("seconds", "resident_mb"))
        ratio = seconds["median"] / median(start.seconds for start in floor)
        more = memory["median"] / median(start.resident_mb for start in floor)
        rows[name] = {"seconds": seconds, "ratio": ratio, "resident_mb": memory, "memory_ratio": more}
        print(f"  {name:<16}{milliseconds(seconds):>32}  x{ratio:.2f}{memory['median']:>9.1f} MB  x{more:.2f}")
    return rows


def _ask(stdin: IO[bytes], stdout: IO[bytes], number: int, method: str, params: dict[str, Any]) -> None:
    _tell(stdin, {"jsonrpc": "2.0", "id": number, "method": method, "params": params})
    while True:
        answer = json.loads(stdout.readline())
        if answer.get("id") == number:
            assert "result" in answer, answer
            return


def _tell(stdin: IO[bytes], message: dict[str, Any]) -> None:
    stdin.write(json.dumps(message).encode() + b"\n")
    stdin.flush()


def _resident_mb(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return float("nan")  # only Linux tells
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
