"""CPU of a create and of a get, in turns with the floor, a bare server, and a lean one that does the same work.

Wall time says on a shared machine what the others do; CPU time says what we do, though it grows too when caches are
shared. So look at the ratios, and at how far the quartiles of the blocks lie apart.
"""

from functools import partial
from statistics import median
from typing import Any

from benchmarks.spread import milliseconds, spread
from benchmarks.workload import Begin, Bench, at_once, bench, pictures

BLOCKS, CALLS = 30, 10
"""Calls of one program in a row, and how often each has its turn: 300 calls of each."""
GOALS = {"create 1 MB": "at most 8 ms", "create 100 KB": "at most 1.5 of lean", "get": "at most 1.5 of lean"}


def main() -> dict[str, Any]:
    """Print the rows."""
    with pictures() as folder, bench(0, folder) as running:
        for begins in (running.gets("1"), running.creates("file", "100 KB")):
            at_once(begins.values())
        print(f"\nCPU of one call, one after the other: median of {BLOCKS} blocks of {CALLS}, ours with [quartiles]")
        print(f"  {'':<16}{'floor':>9}{'bare':>9}{'lean':>9}{'kolors':>30}{'SDK':>9}{'x lean':>8}")
        return {
            "create 1 MB": row(running, "create 1 MB", partial(running.creates, "file", "1 MB")),
            "create 100 KB": row(running, "create 100 KB", partial(running.creates, "file", "100 KB")),
            "get": row(running, "get", partial(running.gets, running.made())),
        }


def row(running: Bench, title: str, begins: partial[dict[str, Begin]]) -> dict[str, Any]:
    """Measure one kind of call."""
    spent: dict[str, list[float]] = {name: [] for name in running.programs}
    for _ in range(BLOCKS):
        for name, program in running.programs.items():
            begun = program.cpu_seconds()
            for _ in range(CALLS):
                at_once([begins()[name]])
            spent[name].append((program.cpu_seconds() - begun) / CALLS)
    middles = {name: median(samples) for name, samples in spent.items()}
    # What a bare server has more than the floor, which does the same without a protocol.
    sdk = middles["bare"] - middles["floor"]
    ratio = middles["kolors"] / middles["lean"]
    cells = "".join(f"{middles[name] * 1000:>6.2f} ms" for name in ("floor", "bare", "lean"))
    print(
        f"  {title:<16}{cells}{milliseconds(spread(spent['kolors'])):>30}{sdk * 1000:>6.2f} ms{ratio:>8.2f}"
        f"   {GOALS[title]}"
    )
    return {**{name: spread(samples) for name, samples in spent.items()}, "sdk": sdk, "ratio": {"lean": ratio}}


if __name__ == "__main__":
    main()
