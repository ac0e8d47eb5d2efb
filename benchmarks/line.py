"""A slow line: two photos of a phone until Kling has answered, beside the same two sent as they are."""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from PIL import ImageChops, ImageOps

from benchmarks.memory import create
from benchmarks.pictures import photo, saved
from benchmarks.pipes import PROGRAMS, kolors, program, upstream
from benchmarks.spread import milliseconds, spread, timed

RUNS = 3
MEGABITS, LATENCY = 20, 0.040
"""Of a second, each way; and seconds from one end to the other and back."""
LARGEST = 5_000_000
"""Most bytes of a photo."""
GOAL = 0.35
SIDES = {"as Kling uses them": "2048", "as they are": "original"}


def main() -> dict[str, Any]:
    """Print both, taken in turns, and their ratio; the line counts for more than the machine."""
    with TemporaryDirectory() as name, ExitStack() as running:
        folder = Path(name)
        pairs = list(write(folder))
        port = running.enter_context(line(running.enter_context(upstream(0, folder))))
        servers = {
            title: running.enter_context(kolors(port, folder, KOLORS_SENT_SIDE=side)) for title, side in SIDES.items()
        }
        spent: dict[str, list[float]] = {title: [] for title in servers}
        for server in servers.values():  # loads what only calls need
            create(server, pairs[0])
        for pair in pairs[1:]:
            for title, server in servers.items():
                spent[title].append(timed(partial(create, server, pair)))
        size = sum(path.stat().st_size for path in pairs[0]) / len(pairs[0]) / 1e6
    print(
        f"\nTwo photos of 12 megapixels and {size:.1f} MB each, over {MEGABITS} Mbit/s with {LATENCY * 1000:.0f} ms "
        f"of latency, until Kling has answered: median of {RUNS}"
    )
    for title, seconds in spent.items():
        print(f"  {title:<20}{milliseconds(spread(seconds)):>32}")
    ratio = median(spent["as Kling uses them"]) / median(spent["as they are"])
    print(f"  {'ratio':<20}{ratio:>32.2f}  goal {GOAL}")
    return {**{title: spread(seconds) for title, seconds in spent.items()}, "ratio": ratio}


def write(folder: Path) -> Generator[list[Path]]:
    """Yield pairs of a person and a garment, another person each: the same request would join the one before."""
    image, garment = photo(), folder / "garment.jpg"
    quality = next(quality for quality in range(95, 50, -1) if len(saved(image, "JPEG", quality=quality)) <= LARGEST)
    garment.write_bytes(saved(ImageOps.mirror(image), "JPEG", quality=quality))
    for number in range(RUNS + 1):
        person = folder / f"{number}.jpg"
        person.write_bytes(saved(ImageChops.offset(image, number * 160, 0), "JPEG", quality=quality))
        yield [person, garment]


@contextmanager
def line(port: int) -> Generator[int]:
    """Run a slow line to a port; yields the port at its near end."""
    with program("-m", f"{PROGRAMS}.slow_line", str(port), str(MEGABITS), str(LATENCY)) as running:
        yield int(running.stdout.readline())


if __name__ == "__main__":
    main()
