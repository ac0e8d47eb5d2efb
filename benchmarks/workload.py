"""What all create benchmarks send: pictures of four sizes, as files, as links and as base64."""

import base64
import io
import random
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.pipes import PROGRAMS, Program, Server, kolors, program, upstream

SIZES = {"100 KB": 100_000, "1 MB": 1_000_000, "5 MB": 5_000_000, "9.5 MB": 9_500_000}
KINDS = ("file", "link", "base64")
QUALITY = 75


def picture_of(size: int) -> bytes:
    """Return a JPEG of about so many bytes that fits Kling's limits: noise, of which any size can be had."""
    from PIL import Image  # noqa: PLC0415  (only the maker of pictures needs it)

    chance = random.Random(size)  # noqa: S311  (a seed, not a secret)

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


@dataclass
class Bench:
    """Ours and the floor, beside the same cheap Kling; the shop of its pictures is the folder."""

    port: int
    folder: Path
    server: Server
    floor: Program

    def wish(self, kind: str, size: str) -> dict[str, Any]:
        """Return the arguments of a create."""
        return wish_of(kind, size, self.port, self.folder)

    def create(self, wish: dict[str, Any]) -> int:
        """Begin a create."""
        return self.server.call("create_try_on", wish)

    def floor_create(self, kind: str, size: str, wish: dict[str, Any]) -> int:
        """Begin the same at the floor."""
        if kind == "link":
            return self.floor.send({"paths": [f"/shop/{name}" for name in names_of(size)]})
        return self.floor.send({"files" if kind == "file" else kind: [wish["human_image"], wish["cloth_image"]]})


@contextmanager
def pictures() -> Generator[Path]:
    """Yield a folder with two pictures of each size."""
    with TemporaryDirectory() as name:
        for size, count in SIZES.items():
            data = picture_of(count)
            for file in names_of(size):
                (Path(name) / file).write_bytes(data)
        yield Path(name)


@contextmanager
def bench(latency: float, folder: Path) -> Generator[Bench]:
    """Run all three programs; creates are answered after `latency` seconds."""
    with (
        upstream(latency, folder) as port,
        kolors(port, folder) as server,
        program(str(PROGRAMS / "floor.py"), str(port)) as floor,
    ):
        yield Bench(port, folder, server, floor)
