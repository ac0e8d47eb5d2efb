"""The service over HTTP beside a bare SDK server that only forwards: creates, gets, memory, idle connections, replicas.

Pictures of 1 MB, inline; Kling answers after 0.2 s, and has finished each task when it is looked at first, so the CPU
of a create has that look in it.
"""

import asyncio
import json
import sys
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from benchmarks.over_http import Connections, Web, Wishes, bare, get_of, service
from benchmarks.pipes import go_first, program, upstream
from benchmarks.workload import data_of, pictures
from tests.support.postgres import NotStartedError, running

LATENCY = 0.2
SIZE = "1 MB"
CROWDS = {1: 30, 8: 160, 32: 320, 128: 640, 512: 1200}
"""Creates in flight at once, and how many there are in all."""
GETS, GET_PAUSE = 300, 0.05
"""Gets that are timed alone, and the seconds between two while creates are in flight."""
IDLE, IDLE_CROWD = 10_000, 32
REPLICAS = 3
CPU_GOAL, MEMORY_GOAL_MB, MEMORY_CROWD, GET_GOAL = 2.0, 250.0, 128, 5.0
FINISHED = 7
"""The first digit of the ids of tasks that are finished."""


@dataclass
class Rush:
    """What a crowd of creates came to."""

    rate: float
    create_p50: float
    create_p99: float
    get_p50: float
    get_p99: float
    cpu: float
    """Seconds for each create."""
    peak_mb: float
    """Over what was there when nothing had happened."""
    turned_away: int
    elsewhere: bool
    """Whether Kling and whoever looks had the processors first, as if they were other machines."""


def main(idle: int = IDLE) -> dict[str, Any]:
    """Print the rows."""
    print(f"\nThe service over HTTP, {SIZE} pictures inline, upstream latency {LATENCY} s")
    with pictures() as folder, upstream(LATENCY, folder, FINISHED, elsewhere=True) as kling, bare(kling) as relay:
        wishes = Wishes(*data_of(SIZE, folder))
        with service(kling, folder) as ours:
            alone, crowds = asyncio.run(_one_process(wishes, relay, ours))
        with service(kling, folder) as ours:
            connected = asyncio.run(_idle(wishes, ours, idle))
        replicas = _replicas(kling, folder, wishes)
    return {"get": alone, "crowds": crowds, "idle": connected, "replicas": replicas}


async def _one_process(wishes: Wishes, relay: Web, ours: Web) -> tuple[dict[str, Any], dict[str, Any]]:
    fresh = {web.port: web.resident_mb() for web in (relay, ours)}
    names = {relay.port: "0", ours.port: await _made(wishes, ours)}
    alone = {web.port: await _gets(web, names[web.port]) for web in (relay, ours)}
    ratio = alone[ours.port]["cpu"] / alone[relay.port]["cpu"]
    print(f"  get alone: {_milliseconds(alone[ours.port])}; bare {_milliseconds(alone[relay.port])}; CPU x {ratio:.2f}")
    print(
        f"  {'in flight':<11}{'bare /s':>8}{'ours /s':>8}{'create p50, p99 s':>19}{'get p50, p99 ms':>17}"
        f"{'x alone':>9}{'CPU a create: bare, ours ms':>29}{'x bare':>8}{'peak':>9}{'later':>7}"
    )
    rows: dict[str, Any] = {}
    for crowd, total in CROWDS.items():
        theirs, mine = [
            await _rush(wishes, [web], names[web.port], crowd, total, fresh[web.port]) for web in (relay, ours)
        ]
        times, slower = mine.cpu / theirs.cpu, mine.get_p99 / alone[ours.port]["p50"]
        print(
            f"  {crowd:<11}{theirs.rate:>8.1f}{mine.rate:>8.1f}{mine.create_p50:>11.2f},{mine.create_p99:>6.2f} "
            f"{mine.get_p50 * 1000:>10.1f},{mine.get_p99 * 1000:>6.0f}{slower:>9.1f}"
            f"{theirs.cpu * 1000:>21.1f},{mine.cpu * 1000:>6.1f} {times:>8.2f}{mine.peak_mb:>6.0f} MB"
            f"{mine.turned_away:>7}"
        )
        rows[str(crowd)] = {"bare": vars(theirs), "kolors": vars(mine), "ratio": {"bare": times, "get": slower}}
    allowed = all(row["kolors"]["elsewhere"] for row in rows.values())
    given = "have" if allowed else "could not be given"
    print(f"  Kling and whoever looks {given} the processors first, as if they were elsewhere.")
    print(
        f"  goals: CPU a create at most {CPU_GOAL} of bare; peak at most {MEMORY_GOAL_MB:.0f} MB over idle at "
        f"{MEMORY_CROWD} in flight; a get's p99 at most {GET_GOAL:.0f} of its p50 alone"
    )
    return {"bare": alone[relay.port], "kolors": alone[ours.port], "ratio": ratio}, rows


async def _idle(wishes: Wishes, ours: Web, number: int) -> dict[str, Any]:
    """Hold so many idle connections, and look what a get takes beside them, alone and beside creates."""
    name = await _made(wishes, ours)
    alone, before = await _gets(ours, name), ours.resident_mb()
    with program("-m", "benchmarks.programs.idle_connections", str(ours.port), str(number)) as clients:
        opened = int(await asyncio.to_thread(clients.stdout.readline))
        memory = ours.resident_mb() - before
        beside = await _gets(ours, name)
        rush = await _rush(wishes, [ours], name, IDLE_CROWD, CROWDS[IDLE_CROWD], before)
        clients.stdin.write(b"\n")
        clients.stdin.flush()
        left = int(await asyncio.to_thread(clients.stdout.readline))
    print(
        f"  {opened} idle connections, {left} of them open in the end: {memory * 1024 / opened:.1f} kB each; get "
        f"{_milliseconds(beside)}, alone {_milliseconds(alone)}; beside {IDLE_CROWD} creates "
        f"{rush.get_p50 * 1000:.1f}, {rush.get_p99 * 1000:.0f} ms, {rush.get_p99 / alone['p50']:.1f} x alone"
    )
    return {"opened": opened, "left": left, "mb": memory, "get": beside, "alone": alone, "rush": vars(rush)}


def _replicas(kling: int, folder: Path, wishes: Wishes) -> dict[str, Any] | None:
    """Measure one replica beside several, which share a PostgreSQL and a shelf."""
    rates: dict[str, Any] = {}
    try:
        with running() as postgres, TemporaryDirectory() as shelf:
            for number in (1, REPLICAS):
                shared = {"KOLORS_LEDGER": postgres.empty(), "KOLORS_SHELF": shelf}
                with _several(kling, folder, number, shared) as webs:
                    rush = asyncio.run(_shared(wishes, webs))
                rates[str(number)] = vars(rush)
                print(
                    f"  {number} on PostgreSQL, {IDLE_CROWD} in flight: {rush.rate:.1f} creates/s, "
                    f"p50 {rush.create_p50:.2f} s, p99 {rush.create_p99:.2f} s, {rush.cpu * 1000:.1f} ms CPU a create"
                )
    except NotStartedError as error:
        print(f"  replicas were not measured: {error}", file=sys.stderr)
        return None
    return rates


async def _shared(wishes: Wishes, webs: list[Web]) -> Rush:
    name = await _made(wishes, webs[0])
    fresh = sum(web.resident_mb() for web in webs)
    return await _rush(wishes, webs, name, IDLE_CROWD, CROWDS[IDLE_CROWD], fresh)


@contextmanager
def _several(kling: int, folder: Path, number: int, shared: dict[str, str]) -> Generator[list[Web]]:
    with ExitStack() as stack:
        yield [stack.enter_context(service(kling, folder, **shared)) for _ in range(number)]


async def _made(wishes: Wishes, web: Web) -> str:
    """Make a try-on and return its id; the first call also loads what only calls need."""
    made = await Connections([web.port]).call("create_try_on", *wishes.next())
    return made["structuredContent"]["task_id"]


async def _gets(web: Web, name: str) -> dict[str, float]:
    """Time gets, one after the other."""
    connections = Connections([web.port])
    await connections.call("get_try_on", *get_of(name))
    connections.seconds.clear()
    begun = web.cpu_seconds()
    for _ in range(GETS):
        await connections.call("get_try_on", *get_of(name))
    cpu = (web.cpu_seconds() - begun) / GETS
    return {"p50": median(connections.seconds), "p99": _percentile(connections.seconds, 0.99), "cpu": cpu}


async def _rush(wishes: Wishes, webs: Sequence[Web], name: str, crowd: int, total: int, fresh: float) -> Rush:
    """Measure so many creates by a crowd; then half as many again, with a get now and then from another process."""
    connections = Connections([web.port for web in webs])
    for web in webs:
        web.forget_peak()
    begun, begin = sum(web.cpu_seconds() for web in webs), perf_counter()
    await _crowd(wishes, connections, crowd, total)
    seconds, cpu = perf_counter() - begin, sum(web.cpu_seconds() for web in webs) - begun
    peak = sum(web.peak_mb() for web in webs) - fresh
    ports = [str(port) for port in connections.ports]
    with program("-m", "benchmarks.programs.gets", name, str(GET_PAUSE), *ports) as getting:
        elsewhere = go_first(getting)
        await asyncio.to_thread(getting.stdout.readline)
        await _crowd(wishes, Connections(connections.ports), crowd, max(crowd, total // 2))
        getting.stdin.write(b"\n")
        getting.stdin.flush()
        gets: list[float] = json.loads(await asyncio.to_thread(getting.stdout.readline))
    return Rush(
        rate=total / seconds,
        create_p50=median(connections.seconds),
        create_p99=_percentile(connections.seconds, 0.99),
        get_p50=median(gets),
        get_p99=_percentile(gets, 0.99),
        cpu=cpu / total,
        peak_mb=peak,
        turned_away=connections.turned_away,
        elsewhere=elsewhere,
    )


async def _crowd(wishes: Wishes, connections: Connections, crowd: int, total: int) -> None:
    """Keep a crowd of creates in flight until so many are done."""
    left = list(range(total))

    async def worker() -> None:
        while left:
            left.pop()
            await connections.call("create_try_on", *wishes.next())

    async with asyncio.TaskGroup() as group:
        for _ in range(crowd):
            group.create_task(worker())


def _percentile(samples: Sequence[float], share: float) -> float:
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def _milliseconds(get: dict[str, float]) -> str:
    return f"p50 {get['p50'] * 1000:.1f} ms, p99 {get['p99'] * 1000:.1f} ms, CPU {get['cpu'] * 1000:.2f} ms"


if __name__ == "__main__":
    main()
