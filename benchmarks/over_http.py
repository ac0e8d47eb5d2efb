"""The service under measurement: started as processes, and called over sockets by a client as cheap as it gets."""

import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any

import pybase64

from benchmarks.pipes import PROGRAMS, Program, cpu_seconds, environment, forget_peak, megabytes
from benchmarks.workload import BEGINNING, vary_beginning

VERSION = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
}
PLENTY = "1000000"
"""Of whatever a user may do, so that no limit is met."""
FILES = 16_384
"""That a service may have open."""
READ_BYTES = 1 << 20
RETRY_SECONDS = 0.5
BUSY = (429, 503)
_numbers = count(1)


class CallError(RuntimeError):
    """An answer that is none; the text is what came."""


@dataclass
class Web:
    """A process that serves MCP over HTTP."""

    program: Program
    port: int

    def processes(self) -> list[int]:
        """Return it and those that it has started."""
        return [self.program.process.pid, *self.program.children()]

    def cpu_seconds(self) -> float:
        """Return the user and system time of all of them so far."""
        return sum(cpu_seconds(pid) for pid in self.processes())

    def resident_mb(self) -> float:
        """Return the memory of all of them now."""
        return sum(megabytes(pid, "VmRSS") for pid in self.processes())

    def peak_mb(self) -> float:
        """Return the most memory of each since `forget_peak`, added up."""
        return sum(megabytes(pid, "VmHWM") for pid in self.processes())

    def forget_peak(self) -> None:
        """Start the peaks anew."""
        for pid in self.processes():
            forget_peak(pid)


@dataclass
class Connections:
    """Kept connections to some ports of this machine, in turns, and what their calls took."""

    ports: list[int]
    seconds: list[float] = field(default_factory=list[float])
    """Of each call that was answered, without those that were asked to come later."""
    turned_away: int = 0
    """Calls that were asked to come later."""
    _idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(
        default_factory=list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
    )
    _turns: "count[int]" = field(default_factory=count)

    async def call(self, tool: str, *arguments: bytes) -> dict[str, Any]:
        """Call a tool and return its result; `arguments` are pieces of JSON, so that pictures are not copied.

        Raises:
            CallError: It failed.
        """
        number = b"%d" % next(_numbers)
        head = b'{"jsonrpc":"2.0","id":%b,"method":"tools/call","params":{"_meta":%b,"name":"%b","arguments":'
        pieces = (head % (number, json.dumps(META).encode(), tool.encode()), *arguments, b"}}")
        while True:
            begin = perf_counter()
            status, message = await self._exchange(tool, pieces)
            if status not in BUSY:
                break
            self.turned_away += 1
            await asyncio.sleep(RETRY_SECONDS)
        if "result" not in message or message["result"].get("isError"):
            raise CallError(f"{status} {message}")
        self.seconds.append(perf_counter() - begin)
        return message["result"]

    async def _exchange(self, tool: str, pieces: tuple[bytes, ...]) -> tuple[int, dict[str, Any]]:
        port = self.ports[next(self._turns) % len(self.ports)]
        while self._idle and len(self.ports) == 1:
            reader, writer = self._idle.pop()
            if not reader.at_eof():
                break
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=READ_BYTES)
        head = (
            f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
            f"Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: {VERSION}\r\n"
            f"Mcp-Method: tools/call\r\nMcp-Name: {tool}\r\nContent-Length: {sum(map(len, pieces))}\r\n\r\n"
        )
        writer.write(head.encode())
        with suppress(ConnectionError):  # it may have answered already that it does not want the rest
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
        status, keeps, body = await _answer(reader)
        if keeps and len(self.ports) == 1:
            self._idle.append((reader, writer))
        else:
            writer.close()
        return status, _message(body)


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bool, bytes]:
    """Read an answer: its status, whether its connection goes on, and its body."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head.split(b" ", 2)[1])
    keeps = b"connection: close" not in head
    if b"transfer-encoding: chunked" in head:
        pieces: list[bytes] = []
        while size := int(await reader.readline(), 16):
            pieces.append(await reader.readexactly(size))
            await reader.readline()
        await reader.readline()
        return status, keeps, b"".join(pieces)
    return status, keeps, await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))


def _message(body: bytes) -> dict[str, Any]:
    """Return the answer in a body, which may be the last of a stream of events."""
    with suppress(ValueError):
        return json.loads(body)
    data = [line[5:] for line in body.splitlines() if line.startswith(b"data:")]
    return json.loads(data[-1]) if data else {"error": body[:200].decode("utf-8", "replace")}


class Wishes:
    """Arguments of creates that join no other; only what varies is encoded anew."""

    def __init__(self, human: bytes, cloth: bytes) -> None:
        self._beginning = human[:BEGINNING]
        self._rest = pybase64.b64encode(human[BEGINNING:]) + b'","cloth_image":"' + pybase64.b64encode(cloth) + b'"}'

    def next(self) -> tuple[bytes, ...]:
        """Return the arguments of a create."""
        return b'{"human_image":"', pybase64.b64encode(vary_beginning(self._beginning)), self._rest


def get_of(task_id: str) -> tuple[bytes, ...]:
    """Return the arguments of a get that does not wait."""
    return (b'{"task_id":"%b"}' % task_id.encode(),)


@contextmanager
def bare(upstream: int) -> Generator[Web]:
    """Run the bare forwarder."""
    with tempfile.TemporaryDirectory() as state:
        log = Path(state, "log")
        with _running(["-m", f"{PROGRAMS}.bare_http", str(upstream)], {}, log) as program:
            yield Web(program, int(program.stdout.readline()))


@contextmanager
def service(upstream: int, folder: Path, **variables: str) -> Generator[Web]:
    """Run the service, with a ledger of its own unless one is given."""
    with tempfile.TemporaryDirectory() as state:
        own = {
            **environment(upstream, folder),
            "KOLORS_LEDGER": f"sqlite:///{state}/ledger.sqlite3",
            "KOLORS_SHELF": f"{state}/shelf",
            "KOLORS_DAILY_LIMIT": PLENTY,
            "KOLORS_SLOTS": PLENTY,
            "KOLORS_CALLS_PER_MINUTE": PLENTY,
            **variables,
        }
        log = Path(state, "log")
        with _running(["-m", "kolors_mcp", "serve", "--http", "--port", "0"], own, log) as program:
            said = program.stdout.readline().decode()
            if not said:
                raise CallError(f"the service did not start: {log.read_text()}")
            yield Web(program, int(said.split()[-1].split(":")[2].split("/")[0]))


@contextmanager
def _running(arguments: list[str], variables: dict[str, str], log: Path) -> Generator[Program]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("KLING_", "KOLORS_"))}
    # A line is logged for each request, as it is where the service runs.
    with log.open("wb") as told:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=told,
            env={**own, **variables},
            preexec_fn=_many_files,  # noqa: PLW1509  (no thread runs here that could hold a lock)
        )
    try:
        yield Program(process)
    finally:
        process.terminate()
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _many_files() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, hard), hard))
