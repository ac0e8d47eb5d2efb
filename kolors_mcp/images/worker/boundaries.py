"""Bounds that the decoding process sets itself, where the system has them, so that no decoder can get past them.

A decoder that runs into one fails, or ends the process: both are one refusal for one picture.

Windows has none of them, and not every other system holds to the one for memory. There the price that is told before
decoding and the killing at the deadline remain.
"""

import signal
import sys
from contextlib import suppress

from PIL import AvifImagePlugin, ImageFile

from kolors_mcp.freed_memory import keep_freed_memory
from kolors_mcp.images import limits
from kolors_mcp.images.pixels.costs import memory_for
from kolors_mcp.images.worker.messages import Request

_THREADS = 2
"""Threads of one decoder: each keeps rows of its own, and the server shall not wait for a processor."""
_BESIDE_PICTURES = 52_000_000
"""Memory of the interpreter, the libraries' own data, the stacks of their threads, and what came with the request."""
_KEPT_BYTES = 16 * 1024 * 1024
"""Pillow asks for the memory of pixels in blocks of at most this size."""
_ADDRESSES = 4 << 30
_OPEN_FILES = 64
_LATER = 3
"""Seconds after which the process ends itself, should the server not have ended it in time."""

if sys.platform != "win32":
    import resource


def set_once() -> None:
    """Set what holds for the life of the process: no core, no file written, few opened, and which memory is kept."""
    keep_freed_memory(_KEPT_BYTES)
    AvifImagePlugin.DEFAULT_MAX_THREADS = _THREADS
    # Rows that a decoder could not read are never made up.
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    if sys.platform != "win32":
        _limit(resource.RLIMIT_CORE, 0)
        _limit(resource.RLIMIT_FSIZE, 0)
        _limit(resource.RLIMIT_NOFILE, _OPEN_FILES)
        _limit(resource.RLIMIT_AS, _ADDRESSES)


def set_for(request: Request) -> None:
    """Set what holds for one request: memory, the processor's time, and time by the clock."""
    if sys.platform != "win32":
        held = sum(given.size for given in request.pictures if not given.handed)
        most = request.memory or max(memory_for(given.size) for given in request.pictures)
        _limit(resource.RLIMIT_DATA, _BESIDE_PICTURES + held + most)
        used = resource.getrusage(resource.RUSAGE_SELF)
        _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + 1 + limits.DECODING_CPU_SECONDS)
        # Without a handler both end the process, whichever thread holds the interpreter's lock.
        signal.setitimer(signal.ITIMER_REAL, limits.DECODING_SECONDS + _LATER)


def rest() -> None:
    """Stop counting, until the next request."""
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_REAL, 0)
        _limit(resource.RLIMIT_CPU, resource.RLIM_INFINITY)
        _limit(resource.RLIMIT_DATA, resource.RLIM_INFINITY)


def lift() -> None:
    """Let the process write again: a tool that measures it writes down what was found when it ends."""
    if sys.platform != "win32":
        _limit(resource.RLIMIT_FSIZE, resource.RLIM_INFINITY)
        _limit(resource.RLIMIT_NOFILE, resource.RLIM_INFINITY)


if sys.platform != "win32":

    def _limit(which: int, most: int) -> None:
        """Set the soft limit; not every system has every one."""
        with suppress(OSError, ValueError):
            _, hard = resource.getrlimit(which)
            wanted = hard if most == resource.RLIM_INFINITY else most
            resource.setrlimit(which, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
