"""`make bench`: every figure in one run. `python -m benchmarks NAME...` runs some; `compare A B` holds two together.

A run is written to benchmarks/results/latest.json, and the one before it is kept as previous.json.
"""

import importlib
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any, cast

RESULTS = Path(__file__).parent / "results"
NAMES = ("cold_start", "creates", "waiters", "pictures")
NOISE = 0.15
"""Share by which two runs on a shared machine differ without any reason."""


def main(arguments: list[str]) -> int:
    """Run the benchmarks, or compare two runs."""
    if arguments[:1] == ["compare"]:
        files = arguments[1:] or [str(RESULTS / "previous.json"), str(RESULTS / "latest.json")]
        return compare(*map(Path, files))
    unknown = [name for name in arguments if name not in NAMES]
    if unknown:
        print(f"There is no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}.", file=sys.stderr)
        return 2
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}. Compare ratios, not times.\n"
    )
    begin = time.perf_counter()
    figures = {name: importlib.import_module(f"benchmarks.{name}").main() for name in arguments or NAMES}
    write(figures)
    print(f"\nTook {time.perf_counter() - begin:.0f} s.")
    return 0


def write(figures: dict[str, Any]) -> None:
    """Keep the figures beside those of the run before."""
    RESULTS.mkdir(exist_ok=True)
    latest = RESULTS / "latest.json"
    if latest.exists():
        latest.replace(RESULTS / "previous.json")
    latest.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def compare(before: Path, after: Path) -> int:
    """Print each figure of both runs, and which differ by more than the noise."""
    try:
        old, new = (dict(flat(json.loads(path.read_text(encoding="utf-8")))) for path in (before, after))
    except OSError as error:
        print(f"{error.filename} cannot be read; run `make bench` twice first.", file=sys.stderr)
        return 2
    for name in old.keys() & new.keys():
        change = new[name] / old[name] - 1 if old[name] else 0.0
        verdict = "" if abs(change) <= NOISE else "  more" if change > 0 else "  less"
        print(f"{name:<60}{old[name]:>12.4g}{new[name]:>12.4g}{change:>+9.0%}{verdict}")
    return 0


def flat(figures: dict[str, Any], prefix: str = "") -> list[tuple[str, float]]:
    """Return every number with its path."""
    rows: list[tuple[str, float]] = []
    for name, value in figures.items():
        if isinstance(value, dict):
            rows += flat(cast("dict[str, Any]", value), f"{prefix}{name} / ")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            rows.append((prefix + name, float(value)))
    return rows


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
