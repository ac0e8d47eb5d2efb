"""Holds two runs against each other, and says which differences are more than noise."""

import json
import sys
from pathlib import Path
from typing import Any, cast

NOISE = 0.15
"""Share by which a single figure differs between two runs on a shared machine without any reason."""

Figure = tuple[float, float, float]
"""A middle, and the range in which it is to be believed."""


def compare(before: Path, after: Path) -> int:
    """Print each figure of both runs; with a verdict where the ranges between their quartiles do not even touch."""
    try:
        old, new = (dict(flat(json.loads(path.read_text(encoding="utf-8")))) for path in (before, after))
    except OSError as error:
        print(f"{error.filename} cannot be read; run `make bench` twice first.", file=sys.stderr)
        return 2
    print(f"{'':<64}{'before':>12}{'after':>12}{'change':>9}")
    for name in (name for name in old if name in new):
        change = new[name][0] / old[name][0] - 1 if old[name][0] else 0.0
        print(f"{name:<64}{old[name][0]:>12.4g}{new[name][0]:>12.4g}{change:>+9.0%}{verdict(old[name], new[name])}")
    return 0


def verdict(old: Figure, new: Figure) -> str:
    """Say whether the new figure is more or less; nothing if the difference may be noise."""
    if old[2] < new[1]:
        return "  more"
    return "  less" if new[2] < old[1] else ""


def flat(figures: dict[str, Any], prefix: str = "") -> list[tuple[str, Figure]]:
    """Return every figure with its path."""
    rows: list[tuple[str, Figure]] = []
    for name, value in figures.items():
        if isinstance(value, dict):
            inner = cast("dict[str, Any]", value)
            if inner.keys() >= {"median", "low", "high"}:
                rows.append((prefix + name, (inner["median"], inner["low"], inner["high"])))
            else:
                rows += flat(inner, f"{prefix}{name} / ")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            rows.append((prefix + name, (value, value * (1 - NOISE), value * (1 + NOISE))))
    return rows
