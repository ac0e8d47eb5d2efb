"""Makes what tests put in: pictures, credentials, clients, and a clock that need not pass."""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from PIL import Image
from pydantic import SecretStr

from kolors_mcp.clock import Clock
from kolors_mcp.kling.client import KlingClient
from kolors_mcp.kling.wire import CreateRequest
from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.settings import Credentials

Era = Literal["auto", "legacy"]
"""How a client speaks: by the protocol of 2026, or by those before it."""


@cache
def jpeg(width: int = 320, height: int = 400, colour: str = "teal") -> bytes:
    """A small JPEG of one colour."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(out, "JPEG")
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
    closed: bool = False

    @property
    def size(self) -> int:
        return len(self.data)

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(self.data).digest()

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

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def clock(self) -> Clock:
        return Clock(wall=lambda: self.now, monotonic=lambda: self.now, sleep=self.sleep, jitter=lambda: 0.5)


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
