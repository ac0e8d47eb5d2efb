"""One create after the other, from files, links and base64, beside the floor; with the ledger's share apart."""

import asyncio
import hashlib
from functools import partial
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from benchmarks.ledger import write_create
from benchmarks.spread import milliseconds, spread, timed
from benchmarks.workload import KINDS, SIZES, Bench, at_once, bench, data_of, pictures

RUNS = 11
GOALS = {"file": (3.0, 2.8, 2.8, 2.8), "link": (3.6, 3.2, 2.6, 2.5)}
"""Most times the floor, for each size."""


def main() -> dict[str, Any]:
    """Print the rows."""
    with pictures() as folder, bench(0, folder) as running:
        for kind in KINDS:  # the first call loads what only calls need
            at_once(running.creates(kind, "100 KB").values())
        fresh = running.kolors.resident_mb()
        ledger = asyncio.run(ledger_seconds())
        print(f"\nCreate, one at a time, upstream latency 0: medians of {RUNS}, ours with [quartiles].")
        print(f"The ratios are without the ledger's {ledger * 1000:.1f} ms and one SHA-256 of the bytes.")
        print(
            f"  {'':<14}{'floor':>9}{'bare':>9}{'kolors':>30}{'sha256':>9}{'x floor':>9}{'goal':>6}{'x bare':>8}"
            f"{'peak':>10}  cpu: floor, bare, ours"
        )
        return {
            f"{kind} {size}": row(running, kind, size, fresh, ledger, goal)
            for kind in KINDS
            for size, goal in zip(SIZES, GOALS.get(kind, (None,) * len(SIZES)), strict=True)
        }


def row(running: Bench, kind: str, size: str, fresh: float, ledger: float, goal: float | None) -> dict[str, Any]:
    """Measure one kind and size, all of them in turns."""
    programs = {name: running.programs[name] for name in ("floor", "bare", "kolors")}
    spent: dict[str, list[float]] = {name: [] for name in programs}
    running.kolors.forget_peak()
    begun = {name: program.cpu_seconds() for name, program in programs.items()}
    for _ in range(RUNS):
        begins = running.creates(kind, size)
        for name, samples in spent.items():
            samples.append(timed(partial(at_once, [begins[name]])))
    cpu = {name: (program.cpu_seconds() - begun[name]) / RUNS for name, program in programs.items()}
    peak = running.kolors.peak_mb() - fresh
    digest = hash_seconds(data_of(size, running.folder))
    ours, raw, bare = (median(spent[name]) for name in ("kolors", "floor", "bare"))
    ratios = {"floor": (ours - ledger - digest) / raw, "bare": (ours - ledger - digest) / bare}
    print(
        f"  {kind:<7}{size:<7}{raw * 1000:>6.1f} ms{bare * 1000:>6.1f} ms{milliseconds(spread(spent['kolors'])):>30}"
        f"{digest * 1000:>6.1f} ms{ratios['floor']:>9.2f}{goal or '':>6}{ratios['bare']:>8.2f}{peak:>7.1f} MB"
        f"  {', '.join(f'{seconds * 1000:.1f}' for seconds in cpu.values())} ms"
    )
    times = {name: spread(samples) for name, samples in spent.items()}
    return {**times, "ledger": ledger, "sha256": digest, "ratio": ratios, "peak_mb": peak, "cpu": cpu}


async def ledger_seconds() -> float:
    """Return the median of what a create asks of the ledger until it has its task, on SQLite, durable."""
    from kolors_mcp.clock import Clock  # noqa: PLC0415  (this process is not the one under measurement)
    from kolors_mcp.ledger.ledger import Ledger  # noqa: PLC0415

    spent: list[float] = []
    with TemporaryDirectory() as state:
        ledger = await Ledger.open(f"sqlite:///{state}/ledger.sqlite3", clock=Clock(), account=lambda: "bench")
        for number in range(100):
            begin = perf_counter()
            await write_create(ledger, f"k-{number}")
            spent.append(perf_counter() - begin)
        await ledger.aclose()
    return median(spent)


def hash_seconds(data: list[bytes]) -> float:
    """Return the median time of one SHA-256 of the bytes of both pictures."""
    return median(timed(lambda: [hashlib.sha256(picture).digest() for picture in data]) for _ in range(RUNS))


if __name__ == "__main__":
    main()
