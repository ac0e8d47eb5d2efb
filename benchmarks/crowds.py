"""Many creates at once: 1 MB files at an upstream that takes 0.2 s; creates a second, and peak memory."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.spread import spread, timed
from benchmarks.workload import bench, pictures

LATENCY = 0.2
CROWDS = {1: None, 8: 0.88, 32: 0.75, 128: 0.42}
"""In flight at once, and the least share of the floor's creates a second."""
ROUNDS = 3
SIZE = "1 MB"


def main() -> dict[str, Any]:
    """Print the rows."""
    print(f"\nCreates a second, {SIZE} files, upstream latency {LATENCY} s: medians of {ROUNDS} rounds")
    print(f"  {'in flight':<12}{'floor':>8}{'kolors':>9}{'ratio':>8}{'goal':>7}{'peak':>10}{'cpu a create':>15}")
    with pictures() as folder:
        return {str(crowd): row(folder, crowd, goal) for crowd, goal in CROWDS.items()}


def row(folder: Path, crowd: int, goal: float | None) -> dict[str, Any]:
    """Measure so many in flight."""
    with bench(LATENCY, folder) as running:
        wish = running.wish("file", SIZE)
        running.server.result(running.create(wish))
        fresh, begun = running.server.resident_mb(), running.server.cpu_seconds()
        running.server.forget_peak()
        total = max(4, crowd * 2)
        floors: list[float] = []
        ours: list[float] = []
        for _ in range(ROUNDS):
            floor_create = partial(running.floor_create, "file", SIZE, wish)
            floors.append(total / rush(total, crowd, floor_create, running.floor.wait))
            ours.append(total / rush(total, crowd, partial(running.create, wish), running.server.result))
        ratio, peak = median(ours) / median(floors), running.server.peak_mb() - fresh
        cpu = (running.server.cpu_seconds() - begun) / (ROUNDS * total)
    print(
        f"  {crowd:<12}{median(floors):>8.0f}{median(ours):>9.0f}{ratio:>8.2f}{goal or '':>7}{peak:>7.1f} MB"
        f"{cpu * 1000:>12.1f} ms"
    )
    return {"floor": spread(floors), "kolors": spread(ours), "ratio": ratio, "peak_mb": peak, "cpu": cpu}


def rush(total: int, crowd: int, begin: Callable[[], int], finish: Callable[[int], object]) -> float:
    """Keep a crowd of calls in flight until so many are done; return the seconds that took."""

    def rushing() -> None:
        running = [begin() for _ in range(min(crowd, total))]
        for number in range(total):
            finish(running[number])
            if len(running) < total:
                running.append(begin())

    return timed(rushing)


if __name__ == "__main__":
    main()
