"""Hostile input: how soon it is refused, how long everybody else waits meanwhile, and what it takes of memory.

A `ping` goes out every 50 ms to the server under attack and to a control process that is left alone; only what the
first waits longer than the second counts, so that a busy machine is told from a deaf server.
"""

import asyncio
import base64
import json
import os
import sys
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.hostile_input import ARGUMENTS, DRIPS, OK, PAGES, TASK, bombs, envelope, kling_answers, pictures
from benchmarks.pipes import HELLO, environment
from benchmarks.workload import picture_of

GOALS = {"seconds": 5.0, "deaf": 0.25, "peak_mb": 400.0}
"""Most that a case may take. A server that sends just fast enough is waited for until a fetch's deadline of 20 s."""
MAX_CALL_SECONDS = 45.0
PING_EVERY = 0.05


@dataclass
class Speaker:
    """An MCP server over its pipes, asked several things at once."""

    process: asyncio.subprocess.Process
    number: int = 0
    waiting: dict[int, asyncio.Future[dict[str, Any]]] = field(
        default_factory=dict[int, "asyncio.Future[dict[str, Any]]"]
    )

    async def ask(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Ask and wait for the answer."""
        self.number += 1
        number = self.number
        answer = self.waiting[number] = asyncio.get_running_loop().create_future()
        line = json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": parameters})
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        await self.process.stdin.drain()
        return await answer

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool."""
        return await self.ask("tools/call", {"name": tool, "arguments": arguments})

    async def listen(self) -> None:
        """Hand out the answers, until the process ends."""
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            answer = json.loads(line)
            waiting = self.waiting.pop(answer.get("id"), None)
            if waiting is not None and not waiting.done():
                waiting.set_result(answer)
        for waiting in self.waiting.values():
            if not waiting.done():
                waiting.set_exception(RuntimeError("the server ended"))

    def memory_mb(self) -> float:
        """Memory now, of the process and of those that it has started; each page that several share counts once."""
        return sum(map(_proportional_mb, _family(self.process.pid)))


def _family(pid: int) -> list[int]:
    children: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            children += map(int, (task / "children").read_text().split())
    return [pid, *(one for child in children for one in _family(child))]


def _proportional_mb(pid: int) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0


@asynccontextmanager
async def speaker(port: int, folder: Path, name: str) -> AsyncGenerator[Speaker]:
    """Run kolors-mcp against the false Kling and the hostile web server on this port."""
    variables = environment(port, folder) | {"KOLORS_LEDGER": f"sqlite:///{folder}/{name}.sqlite3"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "kolors_mcp"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **variables, "KOLORS_LOG_LEVEL": "CRITICAL"},
        limit=1 << 26,
    )
    made = Speaker(process)
    listening = asyncio.create_task(made.listen())
    try:
        await made.ask("initialize", HELLO)
        assert process.stdin is not None
        process.stdin.write(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
        yield made
    finally:
        process.kill()
        await process.wait()
        await listening


@dataclass
class Enemy:
    """Kling and a shop's web server in one: what it answers to which path."""

    kling: dict[str, tuple[bytes, bytes]] = field(default_factory=dict[str, tuple[bytes, bytes]])
    """Headers and body for a get or a list; otherwise it answers well."""
    shop: tuple[bytes, bytes, float] = (b"", b"", 0.0)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer until the other side has had enough."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                method, path, _ = head.decode("latin-1").split(" ", 2)
                length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
                await reader.readexactly(int(length or 0))
                if path.startswith("/shop"):
                    await self._shop(writer)
                    break
                headers, body = b"", envelope(json.dumps({**TASK, "task_status": "submitted"}))
                if method == "GET":
                    headers, body = self.kling.get("list" if "?" in path else "get", (headers, body))
                writer.write(OK + headers + b"Content-Length: %d\r\n\r\n" % len(body) + body)
                await writer.drain()
        writer.close()

    async def _shop(self, writer: asyncio.StreamWriter) -> None:
        first, again, pause = self.shop
        writer.write(first)
        while again:
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(pause)
        await writer.drain()


@dataclass
class Watch:
    """The longest that a ping waited, at both, and the most memory, while something went on."""

    attacked: float = 0.0
    control: float = 0.0
    peak_mb: float = 0.0

    async def watch(self, attacked: Speaker, control: Speaker) -> None:
        """Watch until cancelled; what is under way counts with the time it has waited."""

        async def pinged(one: Speaker, name: str) -> None:
            while True:
                begin = perf_counter()
                try:
                    await one.ask("ping", {})
                finally:
                    setattr(self, name, max(getattr(self, name), perf_counter() - begin))
                if name == "attacked":
                    self.peak_mb = max(self.peak_mb, one.memory_mb())
                await asyncio.sleep(PING_EVERY)

        await asyncio.gather(pinged(attacked, "attacked"), pinged(control, "control"))


@dataclass
class Field:
    """Where the cases are played."""

    attacked: Speaker
    control: Speaker
    enemy: Enemy
    innocent: dict[str, str]
    origin: str
    folder: Path

    async def create_seconds(self) -> float:
        """Return how long an innocent create takes."""
        begin = perf_counter()
        answer = await self.attacked.call("create_try_on", **self.innocent, new_render=True)
        if answer.get("result", {}).get("isError", True):
            raise RuntimeError(f"an innocent create failed: {str(answer)[:300]}")
        return perf_counter() - begin

    async def play(self, name: str, attack: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        """Play a case and print its row."""
        before = median([await self.create_seconds() for _ in range(3)])
        watch = Watch()
        watching = asyncio.create_task(watch.watch(self.attacked, self.control))
        await asyncio.sleep(2 * PING_EVERY)
        begin = perf_counter()
        said = "no answer"
        with suppress(TimeoutError):
            async with asyncio.timeout(MAX_CALL_SECONDS):
                answer = await attack()
                said = "refused" if answer.get("result", {}).get("isError", True) else "taken"
        seconds = perf_counter() - begin
        after = await self.create_seconds()
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        deaf = max(0.0, watch.attacked - watch.control)
        row: dict[str, float] = {"seconds": seconds, "deaf": deaf, "peak_mb": watch.peak_mb, "before": before}
        marks = [f"over {key}" for key, most in GOALS.items() if row[key] > most]
        print(
            f"  {name:<44}{said:>10}{seconds:>8.2f} s{deaf * 1e3:>9.0f} ms{watch.peak_mb:>8.0f} MB"
            f"{before * 1e3:>9.0f} ms{after * 1e3:>8.0f} ms  {', '.join(marks)}",
            flush=True,
        )
        return {**row, "said": said, "after": after}


def _link(
    place: Field, first: bytes, again: bytes = b"", pause: float = 0.0
) -> Callable[[], Awaitable[dict[str, Any]]]:
    async def attack() -> dict[str, Any]:
        place.enemy.shop = (first, again, pause)
        link = f"{place.origin}/shop/a"
        return await place.attacked.call("create_try_on", **(place.innocent | {"human_image": link}))

    return attack


def _create(place: Field, human_image: str) -> Callable[[], Awaitable[dict[str, Any]]]:
    return lambda: place.attacked.call("create_try_on", **(place.innocent | {"human_image": human_image}))


def _together(place: Field, data: bytes) -> Callable[[], Awaitable[dict[str, Any]]]:
    human_image = "data:;base64," + base64.b64encode(data).decode()

    async def attack() -> dict[str, Any]:
        attacks = (_create(place, human_image)() for _ in range(8))
        return (await asyncio.gather(*attacks))[-1]

    return attack


def _large_together(place: Field) -> Callable[[], Awaitable[dict[str, Any]]]:
    """A ping waits here for what was written before it: 200 MB have to come through the pipe."""
    human_image, cloth_image = (base64.b64encode(picture_of(9_000_000 + number)).decode() for number in range(2))

    async def attack() -> dict[str, Any]:
        given = {"human_image": human_image, "cloth_image": cloth_image, "new_render": True}
        return (await asyncio.gather(*(place.attacked.call("create_try_on", **given) for _ in range(8))))[-1]

    return attack


def _whole(body: bytes, kind: bytes) -> bytes:
    return OK + b"Content-Type: %b\r\nContent-Length: %d\r\n\r\n" % (kind, len(body)) + body


def cases(place: Field, photo: bytes) -> Generator[tuple[str, Callable[[], Awaitable[dict[str, Any]]]]]:
    """Yield every case; pictures come by each way in turn."""
    for number, (name, data) in enumerate(pictures(photo).items()):
        if number % 3 == 0:
            path = place.folder / f"{number}.png"
            path.write_bytes(data)
            yield f"file: {name}", _create(place, str(path))
        elif number % 3 == 1:
            yield f"link: {name}", _link(place, _whole(data, b"image/png"))
        else:
            yield f"base64: {name}", _create(place, "data:;base64," + base64.b64encode(data).decode())
    for name, page in PAGES.items():
        yield f"page: {name}", _link(place, _whole(page, b"text/html"))
    for name, drip in DRIPS.items():
        yield f"server: {name}", _link(place, *drip)
    for name, text in ARGUMENTS.items():
        yield name, _create(place, text)
    yield from ((f"8 calls at once: {name}", _together(place, data)) for name, data in bombs().items())
    yield "8 calls at once: two pictures of 9 MB each", _large_together(place)
    for number, (name, (where, headers, body)) in enumerate(kling_answers().items()):

        async def attack(
            where: str = where, answer: tuple[bytes, bytes] = (headers, body), number: int = number
        ) -> Any:
            place.enemy.kling = {where: answer}
            if where == "list":
                answered = await place.attacked.call("list_try_ons", page_size=500)
            else:
                answered = await place.attacked.call("get_try_on", task_id=f"9{number}", wait_seconds=0)
            place.enemy.kling = {}
            return answered

        yield f"Kling: {name}", attack


async def run() -> dict[str, Any]:
    """Play them all."""
    enemy = Enemy()
    photo = picture_of(100_000)
    listening = await asyncio.start_server(enemy.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    print("\nHostile input: goals 5 s to the answer, 250 ms of a longer wait of a")
    print("ping than at a control process beside it, 400 MB of the server with its children (their Pss).")
    print(f"  {'':<44}{'':>10}{'seconds':>10}{'ping':>12}{'memory':>11}{'create before':>12}{'after':>11}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with speaker(port, folder, "attacked") as attacked, speaker(port, folder, "control") as control:
            with _written(folder / "me.jpg", photo) as me:
                innocent = {"human_image": str(me), "cloth_image": base64.b64encode(picture_of(90_000)).decode()}
                place = Field(attacked, control, enemy, innocent, f"http://127.0.0.1:{port}", folder)
                await place.create_seconds()
                rows = {title: await place.play(title, attack) for title, attack in cases(place, photo)}
    listening.close()
    return rows


@contextmanager
def _written(path: Path, data: bytes) -> Generator[Path]:
    path.write_bytes(data)
    yield path


def main() -> dict[str, Any]:
    """Print the table and return the figures: seconds and megabytes."""
    return asyncio.run(run())


if __name__ == "__main__":
    main()
