"""Feeds mutated tool calls, as raw lines, to the real process over stdio; an innocent create has to work after each."""

import json
import random
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import anyio

from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.sandbox.running import running
from tests.fuzz.found import MOST_MB, Input, Judge, Kind
from tests.fuzz.pictures import changed_in_places, reference
from tests.support.commands import account_of, environment
from tests.support.wishing import PERSON, garment

_HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "fuzz", "version": "1"}}
_TOOLS: dict[str, tuple[str, ...]] = {
    "create_try_on": (
        "human_image", "cloth_image", "lower_cloth_image", "model_name", "callback_url", "wait_seconds", "new_render",
    ),
    "get_try_on": ("task_id", "wait_seconds"),
    "list_try_ons": ("page_num", "page_size"),
    "view_try_on": ("task_id", "index", "compare"),
    "get_account": (),
    "save_try_on": ("task_id", "index", "name"),
    "open_fitting_room": (),
    "no_such_tool": (),
}  # fmt: skip
_ODD = (
    "null", "true", '""', '" \\n\\t"', "0", "-1", "1.5", "1e400", "-0", "9" * 4000, "9" * 6000, "1e308", "[]", "{}",
    '"\\ud800"', '"a\\udfffb"', '"\\u0000"', '"\\u202ex"', '"null"', '"."', '"../../etc/passwd"', '"k-0"', '"0"',
    "[[1]]", '{"a":{"b":[]}}', "[" * 200 + "]" * 200, '{"a":' * 150 + "1" + "}" * 150, "[" * 100_000 + "]" * 100_000,
    '"' + "x" * 200_000 + '"', '"' + "%41" * 50_000 + '"', '"' + '\\"' * 50_000 + '"', '"data:,' + "%" * 50_000 + '"',
    '"' + "\\u00e9" * 30_000 + '"', "[" + "0," * 30_000 + "0]", '"http://127.0.0.1:1/"', '"http://[::1]/"', '"file:///"',
    '"/dev/zero"', '"/proc/self/environ"', '"tryon://recent"', '"842"',
)  # fmt: skip
_IDS = ("null", "-1", "1.5", '""', '"a"', '"\\ud800"', "[]", "{}", "true", "9" * 400, "1e400", '"' + "i" * 10_000 + '"')


def make(chance: random.Random) -> Input:
    """A line: a tool's arguments mutated one by one, then perhaps its frame, or its bytes."""
    tool = chance.choice((*_TOOLS, "create_try_on"))
    frame = {"jsonrpc": '"2.0"', "id": "1000", "method": '"tools/call"'}
    parameters = {"name": json.dumps(tool), "arguments": _arguments(tool, chance)}
    draw = chance.random()
    if draw < 0.1:
        frame["id"] = chance.choice(_IDS)
    elif draw < 0.15:
        parameters[chance.choice(("name", "arguments", "_meta"))] = chance.choice(_ODD)
    elif draw < 0.2:
        frame[chance.choice(("method", "jsonrpc", "extra"))] = chance.choice(_ODD)
    frame["params"] = _object(parameters)
    line = _object(frame).encode("utf-8", "replace")
    if chance.random() < 0.08:
        line = changed_in_places(line, chance, others=(b'{"jsonrpc":"2.0"}', b"\0\xff\xfe", b"[]"))
    return Input(line.replace(b"\n", b" ").replace(b"\r", b" "))


def _arguments(tool: str, chance: random.Random) -> str:
    """Some of the tool's arguments as JSON, or nearly."""
    given: list[tuple[str, str]] = []
    for name in _TOOLS[tool]:
        draw = chance.random()
        if draw < 0.4:
            given.append((name, chance.choice(_ODD)))
        elif draw < 0.6 and name.endswith("_image"):
            given.append((name, json.dumps(reference(chance))))
        elif draw < 0.75 and name in ("human_image", "cloth_image"):
            given.append((name, json.dumps(PERSON)))
    if chance.random() < 0.15:
        given.append((chance.choice(("other", "\\ud800", "", "__class__", "x" * 5000)), chance.choice(_ODD)))
    if "wait_seconds" in _TOOLS[tool] and not any(name == "wait_seconds" for name, _ in given):
        given.append(("wait_seconds", "0"))
    return "{" + ",".join(f'"{name}":{value}' for name, value in given) + "}"


def _object(members: dict[str, str]) -> str:
    return "{" + ",".join(f'"{name}":{value}' for name, value in members.items()) + "}"


class Server:
    """The process, and the answers that it has given."""

    def __init__(self, process: anyio.abc.Process) -> None:
        self.process = process
        self.number = 0
        self.rest = b""

    async def write(self, line: bytes) -> None:
        assert self.process.stdin is not None
        await self.process.stdin.send(line + b"\n")

    async def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a request of ours, and read on until its answer has come."""
        self.number += 1
        ours = f"ours-{self.number}"
        await self.write(json.dumps({"jsonrpc": "2.0", "id": ours, "method": method, "params": parameters}).encode())
        return await self.answer(ours)

    async def answer(self, number: object) -> dict[str, Any]:
        """Read on until the answer to this id has come; all that comes has to be JSON."""
        assert self.process.stdout is not None
        while True:
            line, newline, rest = self.rest.partition(b"\n")
            if newline:
                self.rest = rest
                said = json.loads(line.decode("utf-8"))
                if said.get("id") == number:
                    return said
                continue
            try:
                self.rest += await self.process.stdout.receive()
            except anyio.EndOfStream:
                raise AssertionError(f"the process ended with {await self.process.wait()}") from None

    def peak_mb(self) -> float:
        """The most memory that the process has had; nothing where the system does not say."""
        status = Path(f"/proc/{self.process.pid}/status")
        if not status.exists():
            return 0.0
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) / 1024


@asynccontextmanager
async def judging() -> AsyncGenerator[Judge]:
    """A process of the server, beside a simulated Kling."""
    kling = SandboxKling()
    kling.rules.units, kling.rules.speed = 10**9, 1e6
    with TemporaryDirectory() as name, running(kling):
        variables = {**account_of(kling), "KOLORS_IMAGE_DIRS": name, "KOLORS_LEDGER": f"sqlite:///{name}/ledger"}
        command = [sys.executable, "-m", "kolors_mcp"]
        env = environment(Path(name), KOLORS_LOG_LEVEL="CRITICAL", **variables)
        async with await anyio.open_process(command, env=env, stderr=subprocess.DEVNULL, cwd=name) as process:
            server = Server(process)
            try:
                with anyio.fail_after(60):
                    await server.ask("initialize", **_HELLO)
                    await server.write(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')

                async def judge(given: Input) -> str:
                    return await _judged(server, given)

                yield judge
            finally:
                process.kill()


async def _judged(server: Server, given: Input) -> str:
    number = _id_of(given.data)
    word = "passed over"
    await server.write(given.data)
    if number is not None:
        answer = await server.answer(number)
        shown = json.dumps(answer, ensure_ascii=False)
        if "failed inside this server" in shown or len(shown) > 100_000 + 2 * len(given.data):
            raise AssertionError(shown[:300])
        word = "error" if "error" in answer else "refused" if answer["result"].get("isError") else "done"
    await server.ask("ping")
    if server.number % 10 == 1:
        wish = {"human_image": PERSON, "cloth_image": garment("gold"), "new_render": True}
        made = (await server.ask("tools/call", name="create_try_on", arguments=wish)).get("result", {})
        if made.get("isError") or "task_id" not in made.get("structuredContent", {}):
            raise AssertionError(f"the innocent create after it: {made}")
    if server.peak_mb() > MOST_MB:
        raise AssertionError(f"the server has taken {server.peak_mb():.0f} MB")
    return word


def _id_of(line: bytes) -> object:
    """The id under which an answer has to come: where the line is a sound request with an id of a sound kind."""
    try:
        message: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict):
        return None
    message = cast("dict[str, Any]", message)
    sound = message.get("method") == "tools/call" and message.get("jsonrpc") == "2.0"
    if not sound or not isinstance(message.get("params"), dict) or not isinstance(message["params"].get("name"), str):
        return None
    arguments, number = message["params"].get("arguments", {}), message.get("id")
    if not isinstance(arguments, dict | None) or "_meta" in message["params"] or isinstance(number, bool):
        return None
    return number if isinstance(number, int | str) and number == 1000 else None


ARGUMENTS_KIND = Kind("arguments", make, judging)
