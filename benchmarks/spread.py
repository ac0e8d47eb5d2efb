"""Samples in one line: the median, and the quartiles that say how far it can be trusted."""

from collections.abc import Callable, Sequence
from statistics import median, quantiles
from time import perf_counter
from typing import TypedDict


class Spread(TypedDict):
    """A median between its quartiles. The unit is that of the samples; times are seconds."""

    median: float
    low: float
    high: float
    runs: int


def spread(samples: Sequence[float]) -> Spread:
    """Sum up two samples or more."""
    low, _, high = quantiles(samples, n=4)
    return Spread(median=median(samples), low=low, high=high, runs=len(samples))


def timed(work: Callable[[], object]) -> float:
    """Return the wall seconds of a call."""
    begin = perf_counter()
    work()
    return perf_counter() - begin


def milliseconds(seconds: Spread) -> str:
    """Write a time and its quartiles."""
    return f"{seconds['median'] * 1000:.1f} [{seconds['low'] * 1000:.1f} to {seconds['high'] * 1000:.1f}] ms"
