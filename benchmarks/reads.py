"""What looks and costs nothing: one get, many gets, the list of 500, a view, and a get beside large creates."""

from collections.abc import Sequence
from functools import partial
from statistics import median
from typing import Any

from benchmarks.spread import milliseconds, spread, timed
from benchmarks.workload import Begin, Bench, at_once, bench, pictures

RUNS = 15
MANY = 200
LARGE = "9.5 MB"
PAGE = {"page_size": 500}
PROGRAMS = ("floor", "bare", "kolors")
FINISHED = "7"
"""A task of the cheap Kling whose picture is there."""


def main() -> dict[str, Any]:
    """Print the rows."""
    with pictures() as folder, bench(0, folder) as running:
        for begins in (running.gets("1"), running.creates("file", LARGE)):
            at_once(begins.values())
        print(f"\nReads: medians of {RUNS}, ours with [quartiles]")
        print(f"  {'':<34}{'floor':>10}{'bare':>10}{'kolors':>30}{'x floor':>9}{'x bare':>8}")
        return {
            "get": beside(running, "get", [running.made()], goal="4.0 of the floor"),
            f"{MANY} gets at once": beside(
                running, f"{MANY} gets at once", [f"9{each:02}" for each in range(MANY)], goal="1.8"
            ),
            "list of 500": alone(running, "list of 500", "list_try_ons", PAGE),
            "view of a 1 MB picture": alone(running, "view of a 1 MB picture", "view_try_on", {"task_id": FINISHED}),
            "get beside creates": busy(running),
        }


def beside(running: Bench, title: str, task_ids: Sequence[str], goal: str) -> dict[str, Any]:
    """Measure gets at once, all of them in turns."""
    spent: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    each = [running.gets(task_id) for task_id in task_ids]
    for _ in range(RUNS):
        for name, samples in spent.items():
            samples.append(timed(partial(at_once, [begins[name] for begins in each])))
    return told(title, spent, f"goal {goal}")


def alone(running: Bench, title: str, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Measure a tool that nothing cheaper does."""

    def asked() -> None:
        running.ask(tool, arguments)()

    return told(title, {"kolors": [timed(asked) for _ in range(RUNS)]})


def busy(running: Bench) -> dict[str, Any]:
    """Measure a get while two creates of the largest pictures run in the same program."""
    spent: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(RUNS):
        for name, samples in spent.items():
            samples.append(beside_creates(running.gets("901")[name], running.creates("file", LARGE)[name]))
    worst = {name: max(samples) for name, samples in spent.items()}
    rows = told(
        "get beside 2 creates of 2 x 9.5 MB",
        spent,
        f"worst x{worst['kolors'] / worst['floor']:.2f} of {worst['floor'] * 1000:.1f} ms, goal 1.4",
    )
    return {**rows, "worst": worst}


def beside_creates(get: Begin, create: Begin) -> float:
    """Return the seconds of a get while two creates run."""
    creates = [create() for _ in range(2)]
    seconds = timed(partial(at_once, [get]))
    for finish in creates:
        finish()
    return seconds


def told(title: str, spent: dict[str, list[float]], more: str = "") -> dict[str, Any]:
    """Print one row, and return its figures."""
    middles = {name: median(samples) for name, samples in spent.items()}
    ours = middles["kolors"]
    others = [name for name in ("floor", "bare") if name in middles]
    cells = "".join(f"{middles[name] * 1000:>7.1f} ms" if name in others else " " * 10 for name in ("floor", "bare"))
    ratios = {name: ours / middles[name] for name in others}
    print(
        f"  {title:<34}{cells}{milliseconds(spread(spent['kolors'])):>30}"
        f"{''.join(f'{ratio:>8.2f} ' for ratio in ratios.values())}  {more}"
    )
    return {**{name: spread(samples) for name, samples in spent.items()}, "ratio": ratios}


if __name__ == "__main__":
    main()
