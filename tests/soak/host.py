"""One server process as a host runs it: started, asked over its pipes, killed, stopped, and started again."""

import asyncio
import json
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from tests.support.commands import program_of, python

HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "soak", "version": "1"}}
LONGEST_LINE = 32_000_000
"""Bytes."""
START_SECONDS, END_SECONDS = 90.0, 10.0
ROOT = Path(__file__).resolve().parents[2]


class Gone(Exception):  # noqa: N818  (what is meant to happen)
    """The server ended, or the host gave up, before the answer."""


class Server:
    """A server that is there again some moments after it was killed."""

    def __init__(self, number: int, environment: Mapping[str, str], log: Path, without: str | None) -> None:
        """Start nothing yet.

        Args:
            number: Its name in what is printed.
            environment: Its account and ledger.
            log: Where its standard error goes.
            without: The guard that is switched off, see `without`.
        """
        self.number = number
        self._awake = asyncio.Event()
        self._awake.set()
        self.stops = 0
        self.killed = 0
        self.died = 0
        """How often it ended although nobody had killed it."""
        program = ["-m", "kolors_mcp"] if without is None else ["-m", "tests.soak.without", without]
        self._command = [python(), *program]
        self._environment = dict(environment)
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._numbers = count(1)
        self._restarting: asyncio.Task[None] | None = None
        self._broken: str | None = None

    async def start(self) -> None:
        """Start the process and greet it.

        Raises:
            RuntimeError: It does not come up; the text is the end of what it printed.
        """
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=self._environment,
                # There, the module that switches a guard off is found.
                cwd=ROOT,
                limit=LONGEST_LINE,
            )
        self._reading = asyncio.create_task(self._read(self._process))
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._ask("initialize", HELLO)
        except (Gone, TimeoutError):
            await self._end(signal.SIGKILL)
            self._broken = f"The server did not start: {self._log.read_text('utf-8')[-2000:]}"
            # Whoever waits for it is told, instead of waiting for ever.
            self._ready.set()
            raise RuntimeError(self._broken) from None
        self._tell("notifications/initialized", {})
        self._ready.set()

    async def call(self, tool: str, arguments: dict[str, Any], timeout_seconds: float) -> dict[str, Any]:
        """Call a tool and return its result, or the error in its place.

        Raises:
            Gone: No answer came within so many seconds, or the server ended.
            RuntimeError: It did not come up again.
        """
        await self._ready.wait()
        if self._broken is not None:
            raise RuntimeError(self._broken)
        number = next(self._numbers)
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._ask("tools/call", {"name": tool, "arguments": arguments}, number)
        except TimeoutError:
            # Some hosts say so, others just leave.
            if number % 2:
                self._tell("notifications/cancelled", {"requestId": number, "reason": "no answer in time"})
            raise Gone("no answer in time") from None

    async def kill(self) -> None:
        """End the process at once, and start it anew."""
        if not self._ready.is_set():
            return
        self._ready.clear()
        self.killed += 1
        await self._end(signal.SIGKILL)
        await self.start()

    @property
    def stopped(self) -> bool:
        """Whether it sleeps."""
        return not self._awake.is_set()

    async def awake(self) -> None:
        """Wait until it does not sleep."""
        await self._awake.wait()

    async def at_rest(self) -> None:
        """Wait until it can be asked."""
        await self._ready.wait()

    async def stop(self, seconds: float) -> None:
        """Let the process sleep for so long, as under a closed lid."""
        if self._process is None or not self._ready.is_set() or self.stopped:
            return
        # Where the process only stands in for the server, that is what has to sleep.
        server = program_of(self._process.pid)
        self._awake.clear()
        self.stops += 1
        os.kill(server, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            self._awake.set()
            with suppress(ProcessLookupError):
                os.kill(server, signal.SIGCONT)

    async def close(self) -> bool:
        """Close standard input, as a host does; return whether the process ended in time."""
        if self._process is None:
            return True
        self._ready.clear()
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(END_SECONDS):
                await self._process.wait()
        except TimeoutError:
            await self._end(signal.SIGKILL)
            return False
        await self._end(None)
        return True

    async def _end(self, how: signal.Signals | None) -> None:
        assert self._process is not None
        if how is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(how)
        await self._process.wait()
        if self._reading is not None:
            await self._reading

    async def _ask(self, method: str, params: dict[str, Any], number: int | None = None) -> dict[str, Any]:
        number = next(self._numbers) if number is None else number
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self._say({"id": number, "method": method, "params": params})
            return await answer
        finally:
            self._waiting.pop(number, None)

    def _tell(self, method: str, params: dict[str, Any]) -> None:
        with suppress(Gone):
            self._say({"method": method, "params": params})

    def _say(self, message: dict[str, Any]) -> None:
        process = self._process
        if process is None or process.stdin is None or process.returncode is not None or process.stdin.is_closing():
            raise Gone("it has ended")
        process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        # One that is killed while it writes leaves the beginning of a line.
        while (line := await process.stdout.readline()).endswith(b"\n"):
            message = json.loads(line)
            answer = self._waiting.get(message.get("id"))
            if answer is not None and not answer.done() and "method" not in message:
                answer.set_result(message.get("result") or {"isError": True, "rpc": message.get("error")})
        if self._ready.is_set() and self._broken is None:
            self._ready.clear()
            self.died += 1
            self._restarting = asyncio.create_task(self.start())
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(Gone("it has ended"))
