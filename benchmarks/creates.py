"""Creates: from files and from links, alone and many at once, beside the floor; with the ledger's share apart."""

import asyncio
import hashlib
import io
import random
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.pipes import PROGRAMS, Program, Server, kolors, program, timed, upstream

SIZES = {"100 KB": 100_000, "1 MB": 1_000_000, "5 MB": 5_000_000, "9.5 MB": 9_500_000}
RUNS = 15
LATENCY = 0.2
CROWDS = (8, 32, 128)
WIDTHS = (9, 10, 9, 9, 8, 7, 9, 9)


def picture_of(size: int) -> bytes:
    """Return a JPEG of exactly so many bytes that fits Kling's limits: noise, then a long last scan."""
    from PIL import Image  # noqa: PLC0415  (only the maker of pictures needs it)

    chance = random.Random(size)  # noqa: S311  (a seed, not a secret)
    side = 320
    data = b""
    while len(data) < size:
        picture = Image.frombytes("RGB", (side, side), chance.randbytes(side * side * 3))
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=95)
        best, data = data, out.getvalue()
        if len(data) < size:
            side = max(side + 8, int(side * (size / len(data)) ** 0.5 * 0.999))
        elif best:
            data = best
            break
        else:
            break
    return data


def write_pictures(folder: Path) -> None:
    """Write two pictures of each size."""
    for name, size in SIZES.items():
        data = picture_of(size)
        for number in (0, 1):
            (folder / f"{number}-{name.replace(' ', '')}.jpg").write_bytes(data)


def sources(folder: Path, size: str, port: int | None) -> list[str]:
    """Return the two pictures of a size, as paths or as links of the cheap Kling's shop."""
    names = [f"{number}-{size.replace(' ', '')}.jpg" for number in (0, 1)]
    return [f"http://127.0.0.1:{port}/shop/{name}" if port else str(folder / name) for name in names]


def create(server: Server, human: str, cloth: str) -> int:
    """Begin a create that joins no other."""
    return server.call("create_try_on", {"human_image": human, "cloth_image": cloth, "new_render": True})


def floor_create(floor: Program, folder: Path, size: str, *, link: bool) -> int:
    """Begin the same at the floor."""
    if link:
        return floor.send(
            {"paths": [url.partition("/shop")[1] + url.partition("/shop")[2] for url in sources(folder, size, 1)]}
        )
    return floor.send({"files": sources(folder, size, None)})


def alone(folder: Path) -> dict[str, Any]:
    """One create after the other, upstream latency 0."""
    rows: dict[str, Any] = {}
    with (
        upstream(0, folder) as port,
        kolors(port, folder) as server,
        program(str(PROGRAMS / "floor.py"), str(port)) as floor,
    ):
        server.result(create(server, *sources(folder, "100 KB", None)))
        fresh = server.resident_mb()
        print("\nCreate, one at a time, upstream latency 0: median of", RUNS)
        titles = zip(("floor", "kolors", "ledger", "sha256", "ratio", "goal", "peak", "cpu"), WIDTHS, strict=True)
        print(f"  {'':<14}" + "".join(f"{title:>{width}}" for title, width in titles))
        goals = {"file": (3.0, 2.8, 2.8, 2.8), "link": (3.6, 3.2, 2.6, 2.5)}
        for kind, link in (("file", False), ("link", True)):
            for goal, size in zip(goals[kind], SIZES, strict=True):
                names = sources(folder, size, port if link else None)
                floors: list[float] = []
                ours: list[float] = []
                server.forget_peak()
                before = server.cpu_seconds()
                for _ in range(RUNS):
                    floors.append(timed(lambda: floor.wait(floor_create(floor, folder, size, link=link))))  # noqa: B023
                    ours.append(timed(lambda: server.result(create(server, *names))))  # noqa: B023
                cpu = (server.cpu_seconds() - before) / RUNS
                ledger, digest = LEDGER.seconds(), hash_seconds(folder, size)
                ratio = (median(ours) - ledger - digest) / median(floors)
                peak = server.peak_mb() - fresh
                rows[f"{kind} {size}"] = {
                    "floor": median(floors), "kolors": median(ours), "ledger": ledger, "sha256": digest,
                    "ratio": ratio, "peak_mb": peak, "cpu": cpu,
                }  # fmt: skip
                print(
                    f"  {kind} {size:<9}{median(floors) * 1000:>6.1f} ms{median(ours) * 1000:>7.1f} ms"
                    f"{ledger * 1000:>6.1f} ms{digest * 1000:>6.1f} ms{ratio:>8.2f}{goal:>7.1f}"
                    f"{peak:>6.1f} MB{cpu * 1000:>6.1f} ms"
                )
    return rows


def crowded(folder: Path) -> dict[str, Any]:
    """Many creates at once, 1 MB files, upstream latency 0.2 s: creates a second, and peak memory."""
    rows: dict[str, Any] = {}
    print(f"\nCreates a second, 1 MB files, upstream latency {LATENCY} s")
    print(f"  {'in flight':<12}{'floor':>8}{'kolors':>9}{'ratio':>8}{'goal':>7}{'peak':>9}")
    for goal, crowd in zip((0.88, 0.75, 0.42), CROWDS, strict=True):
        with (
            upstream(LATENCY, folder) as port,
            kolors(port, folder) as server,
            program(str(PROGRAMS / "floor.py"), str(port)) as floor,
        ):
            names = sources(folder, "1 MB", None)
            server.result(create(server, *names))
            fresh = server.resident_mb()
            server.forget_peak()
            total = crowd * 3

            def floor_rush(total: int = total, crowd: int = crowd, floor: Program = floor) -> None:
                _rush(total, crowd, lambda: floor_create(floor, folder, "1 MB", link=False), floor.wait)

            def our_rush(total: int = total, crowd: int = crowd, server: Server = server) -> None:
                _rush(total, crowd, lambda: create(server, *names), server.result)  # noqa: B023

            floors = [total / timed(floor_rush) for _ in range(3)]
            ours = [total / timed(our_rush) for _ in range(3)]
            ratio = median(ours) / median(floors)
            peak = server.peak_mb() - fresh
            rows[str(crowd)] = {"floor": median(floors), "kolors": median(ours), "ratio": ratio, "peak_mb": peak}
            print(f"  {crowd:<12}{median(floors):>8.0f}{median(ours):>9.0f}{ratio:>8.2f}{goal:>7.2f}{peak:>6.1f} MB")
    return rows


def _rush(total: int, crowd: int, begin: Any, finish: Any) -> None:
    """Keep a crowd of calls in flight until so many are done."""
    running = [begin() for _ in range(min(crowd, total))]
    begun = len(running)
    for number in range(total):
        finish(running[number])
        if begun < total:
            running.append(begin())
            begun += 1


def gets(folder: Path) -> dict[str, Any]:
    """One get; 200 at once; the list of 500; and the worst get beside large creates."""
    rows: dict[str, Any] = {}
    with (
        upstream(0, folder) as port,
        kolors(port, folder) as server,
        program(str(PROGRAMS / "floor.py"), str(port)) as floor,
    ):

        def floor_gets(many: int) -> None:
            for number in [floor.send({"get": str(each)}) for each in range(many)]:
                floor.wait(number)

        def our_gets(many: int) -> None:
            calls = [server.call("get_try_on", {"task_id": f"9{each}", "wait_seconds": 0}) for each in range(many)]
            for number in calls:
                server.result(number)

        our_gets(3)
        floor_gets(3)
        print("\nReads: median of", RUNS)
        for name, many, goal in (("one get", 1, 4.0), ("200 gets at once", 200, 1.8)):
            floors = [timed(floor_gets, many) for _ in range(RUNS)]
            ours = [timed(our_gets, many) for _ in range(RUNS)]
            ratio = median(ours) / median(floors)
            rows[name] = {"floor": median(floors), "kolors": median(ours), "ratio": ratio}
            times = f"{median(floors) * 1000:>8.1f} ms{median(ours) * 1000:>8.1f} ms"
            print(f"  {name:<20}{times}  x{ratio:.2f} (goal {goal})")
        pages = [timed(lambda: server.result(server.call("list_try_ons", {"page_size": 500}))) for _ in range(RUNS)]
        rows["list of 500"] = {"kolors": median(pages)}
        print(f"  {'list of 500':<20}{'':>11}{median(pages) * 1000:>8.1f} ms")
        names = sources(folder, "9.5 MB", None)
        worst: list[float] = []
        for _ in range(RUNS):
            running = [create(server, *names) for _ in range(2)]
            begin = time.perf_counter()
            our_gets(1)
            worst.append(time.perf_counter() - begin)
            for number in running:
                server.result(number)
        rows["get beside 2 creates of 2 x 9.5 MB"] = {"median": median(worst), "worst": max(worst)}
        times = f"median {median(worst) * 1000:.1f} ms, worst {max(worst) * 1000:.1f} ms"
        print(f"  get beside two creates of 2 x 9.5 MB: {times}")
    return rows


class _LedgerShare:
    """What the ledger takes of a create, measured apart."""

    def __init__(self) -> None:
        self._seconds: float | None = None

    def seconds(self) -> float:
        """Return the median of a reservation and of writing down its outcome, on SQLite, durable."""
        if self._seconds is None:
            self._seconds = asyncio.run(self._measured())
        return self._seconds

    async def _measured(self) -> float:
        from kolors_mcp.clock import Clock  # noqa: PLC0415
        from kolors_mcp.ledger.book import Ledger  # noqa: PLC0415

        spent: list[float] = []
        with tempfile.TemporaryDirectory() as state:
            ledger = await Ledger.open(f"sqlite:///{state}/ledger.sqlite3", clock=Clock())
            for number in range(100):
                begin = time.perf_counter()
                await ledger.reserve(
                    reference=f"k-{number}", user="bench", fingerprint=str(number), model_name=None, labels=("a", "b")
                )
                await ledger.created(f"k-{number}", str(number), "submitted")
                spent.append(time.perf_counter() - begin)
            await ledger.aclose()
        return median(spent)


LEDGER = _LedgerShare()


def hash_seconds(folder: Path, size: str) -> float:
    """Return the median time of one SHA-256 of the bytes of both pictures."""
    data = [Path(name).read_bytes() for name in sources(folder, size, None)]
    return median(timed(lambda: [hashlib.sha256(picture).digest() for picture in data]) for _ in range(RUNS))


def main() -> dict[str, Any]:
    """Print the rows."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_pictures(folder)
        return {"alone": alone(folder), "crowded": crowded(folder), "reads": gets(folder)}


if __name__ == "__main__":
    main()
