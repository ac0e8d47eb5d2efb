"""Many creates at once: 1 MB files at an upstream that takes 0.2 s; creates a second, and peak memory.

The lean server, see `programs/lean_server.py`, shows what the protocol and the packages leave of the floor.
"""

from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.spread import spread, timed
from benchmarks.workload import Begin, at_once, bench, pictures

LATENCY = 0.2
CROWDS = {1: None, 8: 0.88, 32: 0.75, 128: 0.45}
"""In flight at once, and the least share of the floor's creates a second."""
ROUNDS = 7
SIZE = "1 MB"


def main() -> dict[str, Any]:
    """Print the rows."""
    print(f"\nCreates a second of one process, {SIZE} files, upstream latency {LATENCY} s: medians of {ROUNDS} rounds")
    print(
        f"  {'in flight':<12}{'floor':>8}{'bare':>8}{'lean':>8}{'kolors':>9}{'of floor':>10}{'goal':>7}"
        f"{'lean of floor':>15}{'peak':>10}{'cpu a create':>15}"
    )
    with pictures() as folder:
        return {str(crowd): row(folder, crowd, goal) for crowd, goal in CROWDS.items()}


def row(folder: Path, crowd: int, goal: float | None) -> dict[str, Any]:
    """Measure so many in flight, all of them in turns."""
    with bench(LATENCY, folder) as running:
        at_once(running.creates("file", SIZE).values())
        fresh = running.kolors.resident_mb()
        running.kolors.forget_peak()
        begun = running.kolors.cpu_seconds()
        total = max(4, crowd * 2)
        rates: dict[str, list[float]] = {name: [] for name in ("floor", "bare", "lean", "kolors")}
        for _ in range(ROUNDS):
            for name, samples in rates.items():
                samples.append(total / rush(total, crowd, lambda name=name: running.creates("file", SIZE)[name]()))
        peak = running.kolors.peak_mb() - fresh
        cpu = (running.kolors.cpu_seconds() - begun) / (ROUNDS * total)
    raw, bare, lean, ours = (median(rates[name]) for name in ("floor", "bare", "lean", "kolors"))
    print(
        f"  {crowd:<12}{raw:>8.0f}{bare:>8.0f}{lean:>8.0f}{ours:>9.0f}{ours / raw:>10.2f}{goal or '':>7}"
        f"{lean / raw:>15.2f}{peak:>7.1f} MB{cpu * 1000:>12.1f} ms"
    )
    shares = {"floor": ours / raw, "bare": ours / bare, "lean": ours / lean}
    return {**{name: spread(each) for name, each in rates.items()}, "ratio": shares, "peak_mb": peak, "cpu": cpu}


def rush(total: int, crowd: int, begin: Begin) -> float:
    """Keep a crowd of calls in flight until so many are done; return the seconds that took."""

    def rushing() -> None:
        running = [begin() for _ in range(min(crowd, total))]
        for number in range(total):
            running[number]()
            if len(running) < total:
                running.append(begin())

    return timed(rushing)


if __name__ == "__main__":
    main()
