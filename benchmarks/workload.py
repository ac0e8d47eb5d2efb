"""What all create benchmarks send: pictures of four sizes, as files, as links and as base64."""

import base64
import io
import random
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.pipes import Program, Server, bare, floor, kolors, lean, upstream

SIZES = {"100 KB": 100_000, "1 MB": 1_000_000, "5 MB": 5_000_000, "9.5 MB": 9_500_000}
KINDS = ("file", "link", "base64")
QUALITY = 75
BEGINNING = 1026
"""Bytes of a picture in which it varies; they end where a group of base64 does."""
COPIES = 256
"""Of a picture that varies; a create in flight has one to itself."""

_TABLE = b"\xff\xdb\x00\x43\x00"
"""What stands before the 64 numbers, each from 1 to 255, by which a JPEG is quantized."""
_VARYING = 4
_numbers = count()


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


def vary(file: Path) -> Path:
    """Return a copy of a JPEG that is another picture each time: equal requests are joined, whatever they ask for."""
    number = next(_numbers)
    copy = file.with_name(f"{number % COPIES}-of-{file.name}")
    if not copy.exists():
        copy.write_bytes(file.read_bytes())
    with copy.open("r+b") as changing:
        beginning = changing.read(BEGINNING)
        changing.seek(0)
        changing.write(_varied(beginning, number))
    return copy


def vary_beginning(beginning: bytes) -> bytes:
    """Return what a JPEG begins with, as that of another picture each time."""
    return _varied(beginning, next(_numbers))


def _varied(beginning: bytes, number: int) -> bytes:
    start = beginning.index(_TABLE) + len(_TABLE)
    varying = bytes(1 + number // 255**place % 255 for place in range(_VARYING))
    return beginning[:start] + varying + beginning[start + _VARYING :]


def files_of(size: str, folder: Path) -> list[Path]:
    """Return the two pictures of a create that joins no other."""
    human, cloth = names_of(size)
    return [vary(folder / human), folder / cloth]


def wish_of(kind: str, size: str, port: int, folder: Path) -> dict[str, Any]:
    """Return the arguments of a create that joins no other."""
    files = files_of(size, folder)
    if kind == "base64":
        human, cloth = (base64.b64encode(file.read_bytes()).decode() for file in files)
    else:
        place = f"http://127.0.0.1:{port}/shop" if kind == "link" else str(folder)
        human, cloth = (f"{place}/{file.name}" for file in files)
    return {"human_image": human, "cloth_image": cloth}


Finish = Callable[[], object]
Begin = Callable[[], Finish]
"""Sends a call, and returns what waits for its answer."""


@dataclass
class Bench:
    """Those that are compared, beside the same cheap Kling; the shop of its pictures is the folder."""

    port: int
    folder: Path
    floor: Program
    bare: Server
    lean: Server
    kolors: Server

    @property
    def programs(self) -> dict[str, Program]:
        """All of them, as `creates` and `gets` name them."""
        return {"floor": self.floor, "bare": self.bare, "lean": self.lean, "kolors": self.kolors}

    def creates(self, kind: str, size: str) -> dict[str, Begin]:
        """Return how each begins one create; the lean server makes them from files only."""
        wish = wish_of(kind, size, self.port, self.folder)
        names = {"file": "files", "link": "paths", "base64": "base64"}
        named = [f"/shop/{name.rpartition('/')[2]}" for name in wish.values()] if kind == "link" else [*wish.values()]
        begins = self._begins({names[kind]: named}, "create_try_on", wish)
        return begins if kind == "file" else {name: begin for name, begin in begins.items() if name != "lean"}

    def gets(self, task_id: str) -> dict[str, Begin]:
        """Return how each begins a get."""
        return self._begins({"get": task_id}, "get_try_on", {"task_id": task_id, "wait_seconds": 0})

    def made(self) -> str:
        """Return the id of a task that kolors-mcp has made, and so knows."""
        wish = wish_of("file", "100 KB", self.port, self.folder)
        return self.kolors.result(self.kolors.call("create_try_on", wish))["task_id"]

    def ask(self, tool: str, arguments: dict[str, Any]) -> Finish:
        """Begin a call of a tool of kolors-mcp."""
        return partial(self.kolors.result, self.kolors.call(tool, arguments))

    def _begins(self, raw: dict[str, Any], tool: str, arguments: dict[str, Any]) -> dict[str, Begin]:
        return {
            "floor": lambda: partial(self.floor.wait, self.floor.send(raw)),
            "bare": lambda: partial(self.bare.result, self.bare.call("work", {"call": raw})),
            "lean": lambda: partial(self.lean.result, self.lean.call("work", {"call": raw})),
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
        lean(port) as same,
        kolors(port, folder) as server,
    ):
        yield Bench(port, folder, raw, relay, same, server)


def at_once(begins: Iterable[Begin]) -> None:
    """Begin all of them, then wait for all."""
    for finish in [begin() for begin in begins]:
        finish()
