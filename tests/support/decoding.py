"""Pictures decoded by real processes, with a clock that the test turns; and what is left of a process."""

import os
import signal
from pathlib import Path

import anyio
import anyio.lowlevel

from kolors_mcp.clock import Clock
from kolors_mcp.images import pictures
from kolors_mcp.images.pictures import Pictures
from kolors_mcp.images.worker.pool import Decoders
from tests.support.images_support import b64, encoded, quarters

WEBP = encoded(quarters(), "WEBP", quality=90)


CANNOT = (
    "human_image is a WebP that cannot be opened here; it needs too much memory or time. "
    "Save it as a smaller JPEG first."
)


class Held:
    """A clock whose waits end when the test says so."""

    def __init__(self) -> None:
        self._begun: dict[float, anyio.Event] = {}
        self._over: dict[float, anyio.Event] = {}

    def forget(self) -> None:
        self._begun.clear()
        self._over.clear()

    async def sleep(self, seconds: float) -> None:
        self._begun.setdefault(seconds, anyio.Event()).set()
        await self._over.setdefault(seconds, anyio.Event()).wait()

    async def begun(self, seconds: float) -> None:
        await self._begun.setdefault(seconds, anyio.Event()).wait()

    def end(self, seconds: float) -> None:
        self._over[seconds].set()


def gone(pid: int) -> bool:
    """Whether a process has ended; one that only waits to be counted has, once the last of its threads is gone."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
        threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
    except OSError:
        return True
    return status.rpartition(")")[2].split()[0] == "Z" and threads == 1


async def until_gone(pid: int) -> None:
    while not gone(pid):
        await anyio.lowlevel.checkpoint()


def high_water(pid: int) -> int:
    """Bytes that a process held at most."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


class Place:
    """Pictures with real processes and a clock that the test turns.

    Those that are not fresh may have served another test, and go on to serve the next unless they are killed.
    """

    def __init__(self, *, fresh: bool = True) -> None:
        self.clock = Held()
        made = Decoders if fresh else pictures.Decoders
        self.decoders = made(Clock(sleep=self.clock.sleep))
        self.pictures = Pictures(folders=[], decoder=self.decoders)

    async def prepare(self, data: bytes = WEBP) -> bytes:
        return b"".join((await self.pictures.prepare(b64(data), "human_image")).blocks())

    @property
    def pid(self) -> int:
        """The process that was used last."""
        pid = self.decoders.idle[-1].pid
        assert pid is not None
        return pid

    async def stopped(self) -> int:
        """Have a process, and stop it as a decoder would that never ends."""
        await self.prepare()
        os.kill(self.pid, signal.SIGSTOP)
        self.clock.forget()
        return self.pid
