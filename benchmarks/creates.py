"""One create after the other, from files, links and base64, beside the floor; with the ledger's share apart."""

import asyncio
import hashlib
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from benchmarks.spread import milliseconds, spread, timed
from benchmarks.workload import KINDS, SIZES, Bench, bench, data_of, pictures

RUNS = 11
GOALS = {"file": (3.0, 2.8, 2.8, 2.8), "link": (3.6, 3.2, 2.6, 2.5)}
"""Most times the floor, for each size."""


def main() -> dict[str, Any]:
    """Print the rows."""
    with pictures() as folder, bench(0, folder) as running:
        for kind in KINDS:  # the first call loads what only calls need
            wish = running.wish(kind, "100 KB")
            running.server.result(running.create(wish))
            running.floor.wait(running.floor_create(kind, "100 KB", wish))
        fresh = running.server.resident_mb()
        ledger = asyncio.run(ledger_seconds())
        print(f"\nCreate, one at a time, upstream latency 0: medians of {RUNS}, ours with [quartiles].")
        print(f"The ratio is without the ledger's {ledger * 1000:.1f} ms and one SHA-256 of the bytes.")
        print(f"  {'':<14}{'floor':>9}{'kolors':>30}{'sha256':>9}{'ratio':>7}{'goal':>6}{'peak':>10}  cpu: floor, ours")
        return {
            f"{kind} {size}": row(running, kind, size, fresh, ledger, goal)
            for kind in KINDS
            for size, goal in zip(SIZES, GOALS.get(kind, (None,) * len(SIZES)), strict=True)
        }


def row(running: Bench, kind: str, size: str, fresh: float, ledger: float, goal: float | None) -> dict[str, Any]:
    """Measure one kind and size."""
    wish = running.wish(kind, size)
    floors: list[float] = []
    ours: list[float] = []
    running.server.forget_peak()
    begun = (running.floor.cpu_seconds(), running.server.cpu_seconds())
    for _ in range(RUNS):
        floors.append(timed(lambda: running.floor.wait(running.floor_create(kind, size, wish))))
        ours.append(timed(lambda: running.server.result(running.create(wish))))
    floor_cpu, cpu = (running.floor.cpu_seconds() - begun[0]) / RUNS, (running.server.cpu_seconds() - begun[1]) / RUNS
    peak = running.server.peak_mb() - fresh
    digest = hash_seconds(data_of(size, running.folder))
    ratio = (median(ours) - ledger - digest) / median(floors)
    print(
        f"  {kind:<7}{size:<7}{median(floors) * 1000:>6.1f} ms{milliseconds(spread(ours)):>30}{digest * 1000:>6.1f} ms"
        f"{ratio:>7.2f}{goal or '':>6}{peak:>7.1f} MB{floor_cpu * 1000:>9.1f}{cpu * 1000:>6.1f} ms"
    )
    return {
        "floor": spread(floors),
        "kolors": spread(ours),
        "ledger": ledger,
        "sha256": digest,
        "ratio": ratio,
        "peak_mb": peak,
        "floor_cpu": floor_cpu,
        "cpu": cpu,
    }


async def ledger_seconds() -> float:
    """Return the median of a reservation and of writing down its outcome, on SQLite, durable."""
    from kolors_mcp.clock import Clock  # noqa: PLC0415  (this process is not the one under measurement)
    from kolors_mcp.ledger.book import Ledger  # noqa: PLC0415

    spent: list[float] = []
    with TemporaryDirectory() as state:
        ledger = await Ledger.open(f"sqlite:///{state}/ledger.sqlite3", clock=Clock())
        for number in range(100):
            begin = perf_counter()
            await ledger.reserve(
                reference=f"k-{number}", user="bench", fingerprint=str(number), model_name=None, labels=("a", "b")
            )
            await ledger.created(f"k-{number}", str(number), "submitted")
            spent.append(perf_counter() - begin)
        await ledger.aclose()
    return median(spent)


def hash_seconds(data: list[bytes]) -> float:
    """Return the median time of one SHA-256 of the bytes of both pictures."""
    return median(timed(lambda: [hashlib.sha256(picture).digest() for picture in data]) for _ in range(RUNS))


if __name__ == "__main__":
    main()
