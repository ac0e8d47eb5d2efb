"""Gives memory back that large bodies took: by itself a process keeps much of it for a long time."""

import ctypes
import gc
from collections.abc import Callable
from contextlib import suppress

COLLECT_BYTES = 32 * 1024 * 1024
"""Of bodies that were answered, after which circles are looked for that still hold some of them."""
_LARGE_BYTES = 4 * 1024 * 1024
"""The two pictures of a usual create are smaller: their memory serves the next one."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def give_pieces_back() -> None:
    """Let the system have each large piece of memory back as soon as it is free, where the C library can do that.

    By itself glibc begins to keep pieces of the sizes that were freed before, up to 32 MB each.
    """
    with suppress(OSError, TypeError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        mallopt(_M_TRIM_THRESHOLD, 2 * _LARGE_BYTES)


class Collector:
    """Collects garbage by the bytes that it may hold, where the interpreter counts objects alone.

    An error holds the calls that it came through, and with them pictures; it often belongs to a circle with them. Few
    such circles, in which few objects are, can hold hundreds of megabytes.
    """

    def __init__(self, has_loaded: Callable[[], bool] = lambda: True) -> None:
        """Look for nothing yet; `has_loaded` says whether all that creates need is there."""
        self._has_loaded = has_loaded
        self._answered = 0
        self._has_settled = False

    def settle(self) -> None:
        """Take what is there for what stays, once all is, so that looking for circles does not look through it again.

        What belongs to calls that are under way just then is freed with them, unless it is part of a circle.
        """
        if not self._has_settled and self._has_loaded():
            self._has_settled = True
            gc.collect()
            gc.freeze()

    def answered(self, size: int) -> None:
        """Count a body that nobody needs any more."""
        self._answered += size
        if self._answered >= COLLECT_BYTES:
            self._answered = 0
            gc.collect()
