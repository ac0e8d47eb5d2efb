"""Whether the memory that a function holds grows in proportion to its input."""

import tracemalloc
from collections.abc import Callable
from typing import Any

from tests.support.growing import Form

_MOST_MEMORY = 100
"""Bytes held at once for each byte of input: JSON of empty lists, the dearest that is right, becomes some 25."""
_SPARE_MEMORY = 500_000
"""Bytes that an input of any size may take: tables, slices, a decoder's windows."""


def memory_fault_of(call: Callable[[Any], object], form: Form, *, size: int = 8_192) -> str | None:
    """Say how the memory of `call` is out of proportion; none if it is not."""
    # Looking at each piece of memory is dear. A quarter of the size holds a sixteenth even of what grows as the square,
    # and what grows faster than that takes its time too.
    length, peak = _held(call, form, size // 4)
    if 16 * peak <= _MOST_MEMORY * 4 * length + _SPARE_MEMORY:
        return None
    length, peak = _held(call, form, size)
    return f"held {peak} bytes for {length}" if peak > _MOST_MEMORY * length + _SPARE_MEMORY else None


def _held(call: Callable[[Any], object], form: Form, size: int) -> tuple[int, int]:
    """The length of an input, and the bytes that its call held at once."""
    argument = form(size)
    tracemalloc.start()
    try:
        call(argument)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return len(argument) if hasattr(argument, "__len__") else size, peak
