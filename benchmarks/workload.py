"""What all create benchmarks send: pictures of four sizes, as files, as links and as base64."""

import base64
import io
import random
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.pipes import Program, Server, bare, floor, kolors, upstream

SIZES = {"100 KB": 100_000, "1 MB": 1_000_000, "5 MB": 5_000_000, "9.5 MB": 9_500_000}
KINDS = ("file", "link", "base64")
QUALITY = 75


def picture_of(size: int, seed: int = 0) -> bytes:
    """Return a JPEG of about so many bytes that fits Kling's limits: noise, of which any size can be had."""
    from PIL import Image  # noqa: PLC0415  (only the maker of pictures needs it)

    chance = random.Random(size + seed)  # noqa: S311  (a seed, not a secret)

    def drawn(side: int) -> bytes:
        out = io.BytesIO()
        Image.frombytes("RGB", (side, side), chance.randbytes(side * side * 3)).save(out, "JPEG", quality=QUALITY)
        return out.getvalue()

    bytes_a_pixel = len(drawn(320)) / 320**2
    return drawn(int((size / bytes_a_pixel) ** 0.5))


def names_of(size: str) -> list[str]:
    """Return the files of the two pictures of a size."""
    return [f"{number}-{size.replace(' ', '')}.jpg" for number in (0, 1)]


def data_of(size: str, folder: Path) -> list[bytes]:
    """Return the bytes of both."""
    return [(folder / name).read_bytes() for name in names_of(size)]


def wish_of(kind: str, size: str, port: int, folder: Path) -> dict[str, Any]:
    """Return the arguments of a create that joins no other."""
    if kind == "base64":
        human, cloth = (base64.b64encode(data).decode() for data in data_of(size, folder))
    else:
        place = f"http://127.0.0.1:{port}/shop" if kind == "link" else str(folder)
        human, cloth = (f"{place}/{name}" for name in names_of(size))
    return {"human_image": human, "cloth_image": cloth, "new_render": True}


Finish = Callable[[], object]
Begin = Callable[[], Finish]
"""Sends a call, and returns what waits for its answer."""


@dataclass
class Bench:
    """The three that are compared, beside the same cheap Kling; the shop of its pictures is the folder."""

    port: int
    folder: Path
    floor: Program
    bare: Server
    kolors: Server

    @property
    def programs(self) -> dict[str, Program]:
        """All three, as `creates` and `gets` name them."""
        return {"floor": self.floor, "bare": self.bare, "kolors": self.kolors}

    def creates(self, kind: str, size: str) -> dict[str, Begin]:
        """Return how each begins a create."""
        wish = wish_of(kind, size, self.port, self.folder)
        names = {"file": "files", "link": "paths", "base64": "base64"}
        named = [f"/shop/{name}" for name in names_of(size)] if kind == "link" else list(wish.values())[:2]
        return self._begins({names[kind]: named}, "create_try_on", wish)

    def gets(self, task_id: str) -> dict[str, Begin]:
        """Return how each begins a get."""
        return self._begins({"get": task_id}, "get_try_on", {"task_id": task_id, "wait_seconds": 0})

    def ask(self, tool: str, arguments: dict[str, Any]) -> Finish:
        """Begin a call of a tool of kolors-mcp."""
        return partial(self.kolors.result, self.kolors.call(tool, arguments))

    def _begins(self, raw: dict[str, Any], tool: str, arguments: dict[str, Any]) -> dict[str, Begin]:
        return {
            "floor": lambda: partial(self.floor.wait, self.floor.send(raw)),
            "bare": lambda: partial(self.bare.result, self.bare.call("work", {"call": raw})),
            "kolors": lambda: self.ask(tool, arguments),
        }


@contextmanager
def pictures() -> Generator[Path]:
    """Yield a folder with two pictures of each size."""
    with TemporaryDirectory() as name:
        for size, count in SIZES.items():
            for seed, file in enumerate(names_of(size)):
                (Path(name) / file).write_bytes(picture_of(count, seed))
        yield Path(name)


@contextmanager
def bench(latency: float, folder: Path) -> Generator[Bench]:
    """Run all of them; creates are answered after `latency` seconds."""
    with (
        upstream(latency, folder) as port,
        floor(port) as raw,
        bare(port) as relay,
        kolors(port, folder) as server,
    ):
        yield Bench(port, folder, raw, relay, server)


def at_once(begins: Iterable[Begin]) -> None:
    """Begin all of them, then wait for all."""
    for finish in [begin() for begin in begins]:
        finish()
