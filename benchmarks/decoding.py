"""What the process that decodes costs: a create with a picture that has to be written anew, beside one that fits."""

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.pictures import photo, saved
from benchmarks.pipes import Server, kolors, megabytes, upstream
from benchmarks.spread import milliseconds, spread, timed
from benchmarks.workload import vary

RUNS = 3
STARTS = 3
GARMENT = "garment.jpg"
FILES = ("fits.jpg", "small.webp", "turned.jpg", "photo.heic")
"""What fits as it is, and what has to be decoded: 0.3 megapixels, and twice 12."""


def main() -> dict[str, Any]:
    """Print the rows."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder)
        print(f"\nCreates whose pictures are decoded: first of a fresh server, median of {STARTS}; later, of {RUNS}.")
        print(f"  {'':<12}{'first':>32}{'later':>32}{'server':>10}{'process':>10}{'at most':>10}")
        with upstream(0, folder) as port:
            return {file: row(port, folder, file) for file in FILES}


def row(port: int, folder: Path, file: str) -> dict[str, Any]:
    """Measure one picture, as the person's and as the garment's, in fresh servers."""
    first: list[float] = []
    later: list[float] = []
    server_mb = process_mb = process_peak_mb = 0.0
    for _ in range(STARTS):
        with kolors(port, folder) as server:
            _create(server, folder / FILES[0])  # loads what only calls need
            first.append(timed(partial(_create, server, folder / file)))
            later += [timed(partial(_create, server, folder / file)) for _ in range(RUNS)]
            server_mb = server.resident_mb()
            processes = server.children()
            process_mb = sum(megabytes(pid, "VmRSS") for pid in processes)
            process_peak_mb = sum(megabytes(pid, "VmHWM") for pid in processes)
    found = {"first": spread(first), "later": spread(later)}
    print(
        f"  {file:<12}{milliseconds(found['first']):>32}{milliseconds(found['later']):>32}"
        f"{server_mb:>7.0f} MB{process_mb:>7.0f} MB{process_peak_mb:>7.0f} MB"
    )
    return {**found, "server_mb": server_mb, "process_mb": process_mb, "process_peak_mb": process_peak_mb}


def _create(server: Server, picture: Path) -> None:
    wish = {"human_image": str(picture), "cloth_image": str(vary(picture.parent / GARMENT))}
    server.result(server.call("create_try_on", wish))


def _write(folder: Path) -> None:
    from PIL import Image  # noqa: PLC0415  (only the maker of pictures needs it)

    image, exif = photo(), Image.Exif()
    exif[0x0112] = 6
    (folder / GARMENT).write_bytes(saved(photo((640, 480)), "JPEG"))
    (folder / FILES[0]).write_bytes(saved(image, "JPEG", quality=60))
    (folder / FILES[1]).write_bytes(saved(photo((640, 480)), "WEBP", quality=85))
    (folder / FILES[2]).write_bytes(saved(image, "JPEG", quality=80, exif=exif.tobytes()))
    (folder / FILES[3]).write_bytes(saved(image, "HEIC"))


if __name__ == "__main__":
    main()
