"""A process with jobs, as far as they can tell: it can be killed, or stopped and woken, at any step of a create."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar, cast

import httpx
from pydantic import SecretStr

from kolors_mcp.clock import Clock
from kolors_mcp.errors import LedgerError
from kolors_mcp.jobs.jobs import Jobs
from kolors_mcp.kling.client import KlingClient
from kolors_mcp.ledger.ledger import Ledger
from kolors_mcp.settings import Credentials
from tests.support.creates_kling import PATH, Fate, PlainKling
from tests.support.still_time import until

if TYPE_CHECKING:
    from kolors_mcp.images.pictures import Pictures

ORIGIN = "https://kling.example"

T = TypeVar("T")


@dataclass(eq=False)
class Machine:
    """What processes have in common: one time, a clock that may be wrong, a Kling and a ledger."""

    url: str
    now: float = 1_800_000_000.0
    """The true time."""
    ahead: float = 0.0
    """Seconds by which the clock of this machine is wrong. Kling's is right, and so is that of a database server."""
    kling: PlainKling = field(init=False)
    late: list[Callable[[], object]] = field(default_factory=list[Callable[[], object]])
    """Creates that are still on their way to Kling."""
    processes: "list[Process]" = field(default_factory=list["Process"])

    def __post_init__(self) -> None:
        self.kling = PlainKling(lambda: self.now)

    async def sleep(self, seconds: float) -> None:
        """Let time pass, and whoever is awake have their rounds meanwhile."""
        until = self.now + seconds
        while due := [(at, task, one) for one in self.processes for task, at in one.rounds(until)]:
            at, task, process = min(due, key=lambda round_: round_[0])
            self.now = max(self.now, at)
            await process.go_round(task)
        self.now = max(self.now, until)

    def arrive(self) -> None:
        """Let Kling have what is still on its way."""
        late, self.late = self.late, []
        for create in late:
            create()


class NoPictures:
    async def aclose(self) -> None:
        """Hold nothing."""


class Process:
    """One process: a client of one key, its jobs, and the ledger that it opens."""

    def __init__(self, machine: Machine, key: str) -> None:
        self.machine = machine
        self.key = key
        self.fates: list[Fate] = []
        """Of its next creates."""
        self.is_dead = False
        self.stopped = asyncio.Event()
        self.goes_on = asyncio.Event()
        self.goes_on.set()
        self.stops_at_read = False
        self.ahead = 0.0
        """Seconds by which its clock is ahead of that of its machine."""
        self._since_death = 0.0
        self.in_ledger = 0
        """What it has asked of the ledger and has no answer to yet."""
        self.ticking: dict[asyncio.Task[Any], tuple[float, asyncio.Future[None]]] = {}
        self.clock = Clock(self._wall, self._monotonic, self._sleep, self._tick, lambda: 0.5)
        self.client = KlingClient(ORIGIN, self._credentials, clock=self.clock, transport=_Wire(self))
        self.jobs = self.new_jobs()
        self.ledger: Ledger | None = None
        machine.processes.append(self)

    def new_jobs(self) -> Jobs:
        return Jobs(self.client, cast("Pictures", NoPictures()), self.opened, clock=self.clock)

    def rounds(self, until: float) -> list[tuple[asyncio.Task[Any], float]]:
        """Return what it does in the background by then, and when; nothing while it is stopped."""
        return [(task, at) for task, (at, _) in self.ticking.items() if at <= until and self.runs]

    @property
    def runs(self) -> bool:
        return self.goes_on.is_set() and not self.is_dead

    async def go_round(self, task: asyncio.Task[Any]) -> None:
        """Let something in the background have its round: up to its next pause, its end, or that of the process."""
        _at, waiting = self.ticking.pop(task)
        if not waiting.done():
            waiting.set_result(None)
        # Whoever looks all the time keeps the ledger's thread from working.
        await until(lambda: task in self.ticking or task.done() or not self.runs)

    async def kill(self) -> None:
        """Take everything from it: what it does from now on reaches nobody."""
        self.is_dead = True
        if self.ledger is not None:
            database: Any = self.ledger.database
            database.read = database.write = _gone
        self.goes_on.set()

    async def stop(self) -> None:
        """Hold it up here until it is woken, with all that it does in the background."""
        self.goes_on.clear()
        self.stopped.set()
        await self.goes_on.wait()

    def wake(self) -> None:
        """Let it go on, as if no time had passed for it."""
        self.stopped.clear()
        self.goes_on.set()

    async def reached(self) -> None:
        """Go on only where this process may; the dead raise what a lost connection raises."""
        await self.goes_on.wait()
        if self.is_dead:
            raise httpx.ReadError("its process is dead")

    def _credentials(self) -> Credentials:
        return Credentials(api_key=SecretStr(self.key))

    def _wall(self) -> float:
        return self._monotonic() + self.machine.ahead + self.ahead

    def _monotonic(self) -> float:
        return self.machine.now + self._since_death

    async def _sleep(self, seconds: float) -> None:
        await self.goes_on.wait()
        if self.is_dead:
            self._since_death += seconds
            await asyncio.sleep(0)
        else:
            await self.machine.sleep(seconds)
        await self.goes_on.wait()

    async def _tick(self, seconds: float) -> None:
        task = asyncio.current_task()
        assert task is not None
        waiting = asyncio.get_running_loop().create_future()
        self.ticking[task] = (self._monotonic() + seconds, waiting)
        try:
            await waiting
        finally:
            self.ticking.pop(task, None)

    async def opened(self) -> Ledger:
        if self.is_dead:
            raise LedgerError("its process is dead")
        opening = Ledger.open(
            self.machine.url,
            clock=self.clock,
            account=self.client.account,
            kling_time=self.client.time,
            server_time=lambda: self.machine.now,
        )
        ledger = self.ledger = await self._counted(opening)
        database: Any = ledger.database

        def counted(ask: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
            return lambda *given, **more: self._counted(ask(*given, **more))

        database.read, database.write = counted(database.read), counted(database.write)
        return ledger

    async def _counted(self, asked: Awaitable[T]) -> T:
        self.in_ledger += 1
        try:
            return await asked
        finally:
            self.in_ledger -= 1


@contextmanager
def without_ledger(processes: Iterable[Process]) -> Generator[None]:
    """Let none of these processes reach the ledger that they have open."""
    databases: list[Any] = [one.ledger.database for one in processes if one.ledger is not None and not one.is_dead]
    before = [(database, database.read, database.write) for database in databases]
    for database in databases:
        database.read = database.write = _gone
    try:
        yield
    finally:
        for database, read, write in before:
            if database.read is _gone:
                database.read, database.write = read, write


async def _gone(*_: Any, **__: Any) -> Any:
    raise LedgerError("its process is dead")


class _Wire(httpx.AsyncBaseTransport):
    """Carries the requests of one process to Kling, or what becomes of them."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._kling = process.machine.kling

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await self._process.reached()
        started = {"request": SimpleNamespace(method=request.method.encode())}
        await request.extensions["trace"]("http11.send_request_headers.started", started)
        account = request.headers["authorization"].removeprefix("Bearer ")
        if request.method == "POST":
            status, answer = await self._create(account, cast("httpx.AsyncByteStream", request.stream))
        else:
            status, answer = await self._read(account, request)
        await self._process.reached()
        headers = {"date": formatdate(self._process.machine.now, usegmt=True)}
        content = b"<html></html>" if answer is None else json.dumps(answer).encode()
        return httpx.Response(status, headers=headers, content=content)

    async def _create(self, account: str, stream: httpx.AsyncByteStream) -> tuple[int, Any]:
        fate = self._process.fates.pop(0) if self._process.fates else Fate()
        pieces: AsyncIterator[bytes] = aiter(stream)
        body = await anext(pieces)
        if fate.stop == "before the mark":
            await self._hold(fate)
        # Asking for the last piece asks for the mark.
        async for piece in pieces:
            body += piece
        answer: tuple[int, Any] = 502, None
        if fate.arrives_late:
            self._process.machine.late.append(lambda: self._kling.create(account, body, fate))
        if fate.stop == "under way":
            await self._hold(fate)
        if not fate.arrives_late:
            answer = self._kling.create(account, body, fate)
        if fate.stop == "made":
            await self._hold(fate)
        self._process.stops_at_read = fate.stop == "at the next read"
        if fate.lost or fate.arrives_late:
            raise httpx.ReadError("the answer is lost")
        return answer

    async def _read(self, account: str, request: httpx.Request) -> tuple[int, Any]:
        if self._process.stops_at_read:
            self._process.stops_at_read = False
            await self._process.stop()
            await self._process.reached()
        if request.url.path == PATH:
            query = request.url.params
            return self._kling.page(account, int(query["pageNum"]), int(query["pageSize"]))
        return self._kling.read(account, request.url.path.removeprefix(f"{PATH}/"))

    async def _hold(self, fate: Fate) -> None:
        if fate.for_good:
            await self._process.kill()
        else:
            await self._process.stop()
        await self._process.reached()
