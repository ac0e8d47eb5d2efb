"""Makes what tests put in: pictures, credentials, clients, and a clock that need not pass."""

import asyncio
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any, Literal

from PIL import Image
from pydantic import SecretStr

from kolors_mcp.clock import Clock
from kolors_mcp.kling.client import KlingClient
from kolors_mcp.kling.wire import CreateRequest
from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.settings import Credentials
from tests.support.still_time import until

Era = Literal["auto", "legacy"]
"""How a client speaks: by the protocol of 2026, or by those before it."""


@cache
def jpeg(width: int = 320, height: int = 400, colour: str = "teal") -> bytes:
    """A small JPEG of one colour."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(out, "JPEG")
    return out.getvalue()


@cache
def noise(number: int = 0) -> bytes:
    """A small JPEG of some 370 kB, since there is nothing in it that could be packed; each number has its own."""
    side = 304
    pixels = Random(number).randbytes(3 * side * side)  # noqa: S311  (chance, not secrets)
    out = io.BytesIO()
    Image.frombytes("RGB", (side, side), pixels).save(out, "JPEG", quality=100, subsampling=0)
    return out.getvalue()


@dataclass
class BytesPicture:
    """A `Picture` held in memory, handed out in blocks of an awkward size."""

    data: bytes = field(default_factory=jpeg)
    block: int = 1000
    media_type: Literal["image/jpeg", "image/png"] = "image/jpeg"
    width: int = 320
    height: int = 400
    notes: tuple[str, ...] = ()
    label: str = "test"
    title: str | None = None
    closed: bool = False

    @property
    def size(self) -> int:
        return len(self.data)

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(self.data).digest()

    @property
    def sources(self) -> frozenset[bytes]:
        return frozenset((self.digest,))

    def blocks(self) -> Iterator[bytes | memoryview]:
        for start in range(0, len(self.data), self.block):
            yield self.data[start : start + self.block]

    def close(self) -> None:
        self.closed = True


@dataclass
class TurnedClock:
    """A clock that only moves when somebody sleeps by it or turns it."""

    now: float = 1_800_000_000.0
    slept: list[float] = field(default_factory=list[float])

    ticking: dict["asyncio.Task[Any]", tuple[float, "asyncio.Future[None]"]] = field(
        default_factory=dict["asyncio.Task[Any]", tuple[float, "asyncio.Future[None]"]]
    )
    """What goes on in the background, and when each has its next round."""

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        until = self.now + seconds
        while due := [(at, task) for task, (at, _) in self.ticking.items() if at <= until]:
            at, task = min(due, key=lambda one: one[0])
            self.now = max(self.now, at)
            await self._round(task)
        self.now = max(self.now, until)

    async def tick(self, seconds: float) -> None:
        """Sleep until so much time was slept away by others. Time that a test turns at once wakes nobody."""
        task = asyncio.current_task()
        assert task is not None
        waiting = asyncio.get_running_loop().create_future()
        self.ticking[task] = (self.now + seconds, waiting)
        try:
            await waiting
        finally:
            self.ticking.pop(task, None)

    async def _round(self, task: "asyncio.Task[Any]") -> None:
        """Let something in the background have its round, up to its next sleep or its end."""
        _at, waiting = self.ticking.pop(task)
        if not waiting.done():
            waiting.set_result(None)
        await until(lambda: task in self.ticking or task.done())

    def clock(self) -> Clock:
        return Clock(
            wall=lambda: self.now,
            monotonic=lambda: self.now,
            sleep=self.sleep,
            tick=self.tick,
            jitter=lambda: 0.5,
        )


def api_key(kling: SandboxKling) -> Credentials:
    """The key that the simulated Kling accepts as it is."""
    return Credentials(api_key=SecretStr(kling.api_key))


def key_pair(kling: SandboxKling) -> Credentials:
    """The pair that signs tokens for the simulated Kling."""
    access, secret = kling.key_pair
    return Credentials(access_key=SecretStr(access), secret_key=SecretStr(secret))


def client_of(kling: SandboxKling, credentials: Credentials | None = None, clock: Clock | None = None) -> KlingClient:
    """A client of the simulated Kling."""
    used = credentials or api_key(kling)
    return KlingClient(kling.origin, lambda: used, clock=clock)


def create_request(reference: str | None = "k-1") -> CreateRequest:
    return CreateRequest(BytesPicture(), BytesPicture(block=7), external_task_id=reference)
