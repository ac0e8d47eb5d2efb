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
from typing import Any

from benchmarks.compare import compare

RESULTS = Path(__file__).parent / "results"
NAMES = (
    "cold_start",
    "cpu",
    "creates",
    "copies",
    "crowds",
    "reads",
    "waiters",
    "pictures",
    "decoding",
    "memory",
    "line",
    "hostile",
    "ledger",
    "service",
)


def main(arguments: list[str]) -> int:
    """Run the benchmarks, or compare two runs."""
    if arguments[:1] == ["compare"]:
        files = arguments[1:] or [str(RESULTS / "previous.json"), str(RESULTS / "latest.json")]
        if len(files) != 2:
            print("compare takes two files, or none for the last two runs.", file=sys.stderr)
            return 2
        return compare(*map(Path, files))
    # A size goes with a name: ledger=1000000.
    sizes = {name: int(size) for name, _, size in (word.partition("=") for word in arguments) if size.isdigit()}
    arguments = [word.partition("=")[0] for word in arguments]
    unknown = [name for name in arguments if name not in NAMES]
    if unknown:
        print(f"There is no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}.", file=sys.stderr)
        return 2
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}. Compare ratios, not times.\n"
    )
    begin = time.perf_counter()
    figures = {name: run(name, sizes.get(name)) for name in arguments or NAMES}
    write(figures)
    print(f"\nTook {time.perf_counter() - begin:.0f} s.")
    return 0


def run(name: str, size: int | None) -> Any:
    """Run one benchmark, of a size if one was given."""
    module = importlib.import_module(f"benchmarks.{name}")
    return module.main() if size is None else module.main(size)


def write(figures: dict[str, Any]) -> None:
    """Keep the figures beside those of the run before."""
    RESULTS.mkdir(exist_ok=True)
    latest = RESULTS / "latest.json"
    if latest.exists():
        latest.replace(RESULTS / "previous.json")
    latest.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
