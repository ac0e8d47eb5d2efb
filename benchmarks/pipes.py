"""Programs under measurement: started, talked to over their pipes, and watched from outside."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

HIGH_PRIORITY = -15
"""Of programs that stand for other machines; the usual one is 0."""
PROGRAMS = "benchmarks.programs"
_CPU_CLOCK = 2
"""Which of a process's clocks: the scheduler's, in nanoseconds."""
HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}


@dataclass
class Program:
    """A process that takes JSON lines and answers each with a line that has its id."""

    process: subprocess.Popen[bytes]
    number: int = 0
    answers: dict[int, dict[str, Any]] = field(default_factory=dict[int, dict[str, Any]])

    @property
    def stdin(self) -> IO[bytes]:
        """Its standard input."""
        assert self.process.stdin is not None
        return self.process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        """Its standard output."""
        assert self.process.stdout is not None
        return self.process.stdout

    def send(self, message: dict[str, Any]) -> int:
        """Send a message under the next number, and return the number."""
        self.number += 1
        self.stdin.write(json.dumps({**message, "id": self.number}).encode() + b"\n")
        self.stdin.flush()
        return self.number

    def wait(self, number: int) -> dict[str, Any]:
        """Return the answer to a number."""
        while number not in self.answers:
            line = self.stdout.readline()
            if not line:
                raise RuntimeError(f"the program ended with {self.process.wait()}")
            answer = json.loads(line)
            if "id" in answer:
                self.answers[answer["id"]] = answer
        return self.answers.pop(number)

    def cpu_seconds(self) -> float:
        """User and system time so far, of all of its threads."""
        return cpu_seconds(self.process.pid)

    def resident_mb(self) -> float:
        """Memory now."""
        return self._status("VmRSS")

    def peak_mb(self) -> float:
        """The most memory since `forget_peak`."""
        return self._status("VmHWM")

    def forget_peak(self) -> None:
        """Start the peak anew."""
        forget_peak(self.process.pid)

    def children(self) -> list[int]:
        """Processes that it has started, by any of its threads."""
        threads = Path(f"/proc/{self.process.pid}/task").iterdir()
        return [int(child) for thread in threads for child in (thread / "children").read_text().split()]

    def _status(self, name: str) -> float:
        return megabytes(self.process.pid, name)


def megabytes(pid: int, name: str) -> float:
    """Return what the system tells of a process's memory under a name."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith(name)).split()[1]) / 1024


def cpu_seconds(pid: int) -> float:
    """Return the user and system time of a process so far, of all of its threads, by Linux's clock of that process."""
    return time.clock_gettime((~pid << 3) | _CPU_CLOCK)


def forget_peak(pid: int) -> None:
    """Start the peak of a process's memory anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


class Server(Program):
    """An MCP server over stdio."""

    def greet(self) -> None:
        """Shake hands in the era of 2025."""
        self.wait(self.send({"jsonrpc": "2.0", "method": "initialize", "params": HELLO}))
        self.stdin.write(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
        self.stdin.flush()

    def call(self, name: str, arguments: dict[str, Any]) -> int:
        """Begin a tool call."""
        params = {"name": name, "arguments": arguments}
        return self.send({"jsonrpc": "2.0", "method": "tools/call", "params": params})

    def result(self, number: int) -> dict[str, Any]:
        """Return the structured content of a call that must succeed."""
        answer = self.wait(number)
        if "result" not in answer or answer["result"].get("isError"):
            raise RuntimeError(f"a call failed: {answer}")
        return answer["result"].get("structuredContent", {})


@contextmanager
def program(*arguments: str, **environment: str) -> Generator[Program]:
    """Run Python with these arguments."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **environment},
    )
    try:
        yield Program(process)
    finally:
        _end(process)


@contextmanager
def floor(port: int) -> Generator[Program]:
    """Run the floor beside the cheap Kling."""
    with program("-m", f"{PROGRAMS}.floor", str(port)) as running:
        yield running


@contextmanager
def bare(port: int) -> Generator[Server]:
    """Run the bare server beside the cheap Kling."""
    with program("-m", f"{PROGRAMS}.bare_relay", str(port)) as running:
        server = Server(running.process)
        server.greet()
        yield server


@contextmanager
def lean(port: int) -> Generator[Server]:
    """Run the lean server beside the cheap Kling, with a database of its own on disk."""
    with (
        tempfile.TemporaryDirectory() as state,
        program("-m", f"{PROGRAMS}.lean_server", str(port), f"{state}/lean.sqlite3") as running,
    ):
        server = Server(running.process)
        server.greet()
        yield server


@contextmanager
def upstream(latency: float, folder: Path, first: int = 1, *, elsewhere: bool = False) -> Generator[int]:
    """Run the cheap Kling, and yield its port.

    Args:
        latency: Seconds until it answers a create.
        folder: Whose pictures its shop has.
        first: The digit that its new tasks' ids begin with (7: they are finished at once).
        elsewhere: Whether it is to be as if it ran on another machine; see `go_first`.
    """
    with program("-m", f"{PROGRAMS}.upstream", str(latency), str(folder), str(first)) as running:
        if elsewhere:
            go_first(running)
        yield int(running.stdout.readline())


def go_first(running: Program) -> bool:
    """Let a program that stands for another machine have this one's processors first; whether that was allowed.

    Otherwise it waits for those that are measured, which a program elsewhere never does.
    """
    try:
        os.setpriority(os.PRIO_PROCESS, running.process.pid, HIGH_PRIORITY)
    except (AttributeError, OSError):
        return False
    return True


def environment(port: int, folder: Path) -> dict[str, str]:
    """Return what points kolors-mcp to the cheap Kling and to a folder of pictures."""
    return {
        "KLING_API_BASE": f"http://127.0.0.1:{port}",
        "KLING_API_KEY": "bench",
        "KOLORS_ALLOWED_HOSTS": f"127.0.0.1:{port}",
        "KOLORS_IMAGE_DIRS": str(folder),
        "KOLORS_SENT_SIDE": "original",  # the raw programs send what they are given
    }


@contextmanager
def kolors(port: int, folder: Path, **variables: str) -> Generator[Server]:
    """Run kolors-mcp against the cheap Kling, with a ledger of its own on disk, and with more variables."""
    with tempfile.TemporaryDirectory() as state:
        ledger = f"sqlite:///{state}/ledger.sqlite3"
        settings = {**environment(port, folder), "KOLORS_LEDGER": ledger, **variables}
        with program("-m", "kolors_mcp", **settings) as running:
            server = Server(running.process)
            server.greet()
            yield server


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()
