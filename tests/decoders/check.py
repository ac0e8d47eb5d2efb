"""Holds what is sent of odd pictures against what Chromium and libvips show of them, and prints a table.

Neither is right by itself: where one of them is known to differ, the reason stands below, and anything else fails.
"""

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import anyio
from PIL import Image

from kolors_mcp.errors import PictureRefusedError
from kolors_mcp.images.pictures import Pictures
from kolors_mcp.images.pixels.typed_pillow import resized
from tests.decoders.pictures import PICTURES
from tests.support.images_support import InProcess, b64, opened

HERE = Path(__file__).resolve().parent
VIPS_PYTHON = Path(os.environ["KOLORS_DECODERS"]) / "bin" / "python"
MAX_MEAN = 2.0
"""Steps of 255 by which the cells of two grids may differ on average: JPEGs that were written anew differ by 0.3."""
SECONDS = 240
COLUMNS, ROWS = 48, 36

INKS = "has a printer's profile for inks without one; browsers have none"
UNREAD = "does not read these numbers"
CHROMIUM = {
    "AVIF, alpha": "reads alpha that was packed with losses in other steps",
    "PNG, animated, first frame is a part": "shows that part alone; the still picture is sent",
    "WebP, EXIF 6": "turns no WebP",
}
LIBVIPS = {
    **{name: UNREAD for name in PICTURES if name.startswith(("PNG, cICP", "PNG, gAMA", "PNG, cHRM"))},
    **dict.fromkeys(("AVIF, Display P3 by number", "AVIF, BT.601 by number", "AVIF, PQ"), UNREAD),
    **dict.fromkeys(("JPEG, CMYK", "JPEG, CMYK without marker", "JPEG, YCCK", "TIFF, CMYK"), INKS),
    "PNG, animated, still is no frame": "reads the still picture",
    "TIFF, float": "takes 1 for the darkest step but one",
    "GIF, first frame is a part": "shows the background's colour around it",
}
"""What each is known to show otherwise, and why."""


@dataclass(frozen=True)
class Seen:
    """A picture as somebody shows it: its size, and the mean colours of a grid over it."""

    size: tuple[int, int]
    grid: tuple[int, ...]


Table = dict[str, Seen | None]
"""By name; None where it cannot be read."""


def sent(pictures: dict[str, bytes]) -> Table:
    """What would be sent."""

    async def attempt(data: bytes) -> Seen | None:
        try:
            picture = await Pictures(folders=[], decoder=InProcess()).prepare(b64(data), "human_image")
        except PictureRefusedError:
            return None
        image = opened(b"".join(picture.blocks())).convert("RGB")
        size = (COLUMNS, ROWS) if image.width >= image.height else (ROWS, COLUMNS)
        return Seen(image.size, tuple(resized(image, size, mode=Image.Resampling.BOX).tobytes()))

    return {name: anyio.run(attempt, data) for name, data in pictures.items()}


def shown_by_chromium(pictures: dict[str, bytes]) -> Table:
    """What a browser draws."""
    found: queue.Queue[bytes] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = unquote(self.path[1:])
            data = {"": (HERE / "page.html").read_bytes(), "names": json.dumps(list(pictures)).encode()}.get(name)
            data = pictures.get(name, b"") if data is None else data
            self.send_response(200)
            self.send_header("Content-Type", "image/png" if name in pictures else "text/html")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_POST(self) -> None:
            found.put(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the library's name)
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server, tempfile.TemporaryDirectory() as profile:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--force-color-profile=srgb"]
        place = [f"--user-data-dir={profile}", f"http://127.0.0.1:{server.server_port}/"]
        browser = subprocess.Popen(
            ["chromium", *options, *place],  # noqa: S607  (that of this system)
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            return read_table(found.get(timeout=SECONDS))
        finally:
            browser.terminate()
            browser.wait()
            server.shutdown()


def shown_by_libvips(pictures: dict[str, bytes]) -> Table:
    """What libvips makes, through colour profiles."""
    with tempfile.TemporaryDirectory() as folder:
        names = {f"{number:03}": name for number, name in enumerate(pictures)}
        for file, name in names.items():
            (Path(folder) / file).write_bytes(pictures[name])
        program = [VIPS_PYTHON, HERE / "vips_grids.py", folder]
        done = subprocess.run(program, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return {names[file]: seen for file, seen in read_table(done.stdout).items()}


def read_table(text: bytes) -> Table:
    found: dict[str, Any] = json.loads(text)
    return {
        name: None if one is None else Seen((one["size"][0], one["size"][1]), tuple(one["grid"]))
        for name, one in found.items()
    }


def difference(ours: Seen, theirs: Seen | None) -> tuple[str, bool]:
    """How far two are apart, in words, and whether that is far."""
    if theirs is None:
        return "cannot read it", False
    if ours.size != theirs.size:
        return f"{theirs.size[0]} x {theirs.size[1]}", True
    steps = [abs(one - other) for one, other in zip(ours.grid, theirs.grid, strict=True)]
    mean = sum(steps) / len(steps)
    return f"{mean:.1f} (at most {max(steps)})", mean > MAX_MEAN


def say(line: str) -> None:
    sys.stdout.write(line.rstrip() + "\n")
    sys.stdout.flush()


def main(beginnings: list[str]) -> int:
    """Compare all pictures, or those whose names begin so."""
    pictures = {name: made() for name, made in PICTURES.items() if name.startswith(tuple(beginnings or [""]))}
    ours = sent(pictures)
    tables = {
        "Chromium": (shown_by_chromium(pictures), CHROMIUM),
        "libvips": (shown_by_libvips(pictures), LIBVIPS),
    }
    passed, failures = 0, list[str]()
    say(f"{'mean difference of 255 to':<42}" + "".join(f"{who:<22}" for who in tables))
    for name, seen in ours.items():
        if seen is None:
            failures.append(f"{name}: is refused")
            continue
        cells, reasons, wrong = list[str](), list[str](), False
        for who, (table, known) in tables.items():
            words, is_far = difference(seen, table.get(name))
            cells.append(f"{words:<22}")
            if is_far and name in known:
                reasons.append(f"{who} {known[name]}")
            elif is_far or (name in known and table.get(name) is not None):
                wrong = True
                failures.append(f"{name}: {who} {'differs' if is_far else 'does not differ, so its reason can go'}")
        passed += not wrong
        say(f"{name:<42}{''.join(cells)}{'; '.join(reasons)}")
    say("\n".join(failures))
    say(f"{passed} passed, {len({failure.partition(':')[0] for failure in failures})} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
