"""Memory: what one create with two pictures holds at most, over a fresh server, its decoding processes counted."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image, ImageOps

from benchmarks.pictures import photo, saved
from benchmarks.pipes import Server, cpu_seconds, forget_peak, kolors, megabytes, upstream

GOAL_MB, GOAL_AS_IT_IS_MB, GOAL_TURNED_SECONDS = 120, 8, 0.150
SMALL = ("small.webp", "small.jpg")
"""What loads all that creates need, a decoding process included."""
MP12, MP24, MP27, MP48, MP100 = (4000, 3000), (6000, 4000), (6000, 4500), (8000, 6000), (11600, 8700)


def jpeg(size: tuple[int, int], *, progressive: bool = False) -> Callable[[Image.Image], bytes]:
    """Return what makes a JPEG of so many pixels."""
    return lambda image: saved(repeated(image, size), "JPEG", quality=80, progressive=progressive)


def turned(image: Image.Image) -> bytes:
    """Return a JPEG that is upright only by its tag."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(repeated(image, MP12), "JPEG", quality=80, exif=exif.tobytes())


def translucent(image: Image.Image) -> bytes:
    """Return a PNG of which each pixel is as clear as it is red."""
    clear = repeated(image, MP24)
    clear.putalpha(clear.getchannel(0))
    return saved(clear, "PNG", compress_level=1)


def repeated(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return so many pixels of a picture beside itself: a large photo takes minutes to be made."""
    whole = Image.new(image.mode, size)
    for left in range(0, size[0], image.width):
        for top in range(0, size[1], image.height):
            whole.paste(image, (left, top))
    return whole


AS_IT_IS, TURNED = "fits as it is", "JPEG 12 MP, turned"
CASES: dict[str, Callable[[Image.Image], bytes]] = {
    AS_IT_IS: lambda image: saved(repeated(image, MP12), "JPEG", quality=94, subsampling=0),
    TURNED: turned,
    "JPEG 27 MP": jpeg(MP27),
    "JPEG 48 MP": jpeg(MP48),
    "JPEG 100 MP": jpeg(MP100),
    "JPEG 12 MP, progressive": jpeg(MP12, progressive=True),
    "JPEG 27 MP, progressive": jpeg(MP27, progressive=True),
    "JPEG 48 MP, progressive": jpeg(MP48, progressive=True),
    "HEIC 12 MP": lambda image: saved(repeated(image, MP12), "HEIC"),
    "AVIF 12 MP": lambda image: saved(repeated(image, MP12), "AVIF", speed=10),
    "WebP 12 MP": lambda image: saved(repeated(image, MP12), "WEBP", method=0),
    "PNG 24 MP, transparent": translucent,
    "PNG 48 MP": lambda image: saved(repeated(ImageOps.posterize(image, 3), MP48), "PNG", compress_level=1),
    "TIFF 24 MP": lambda image: saved(repeated(image, MP24), "TIFF", compression="tiff_adobe_deflate"),
}
"""Two of each make a create; all but the first have to be decoded."""


@dataclass
class Held:
    """What a create took: megabytes over what each process had before, and seconds of CPU in all of them."""

    server_mb: float
    process_mb: float
    cpu_seconds: float

    @property
    def mb(self) -> float:
        """All of it."""
        return self.server_mb + self.process_mb


def main() -> dict[str, Any]:
    """Print a row for each case, in a fresh server each; the resident memory is counted."""
    images = [photo((1000, 750))]
    images.append(ImageOps.mirror(images[0]))
    rows: dict[str, Any] = {}
    print(f"\nA create with two pictures: most memory (resident) over a fresh server, goal {GOAL_MB} MB together")
    print(f"  {'':<26}{'each':>9}{'server':>10}{'processes':>12}{'together':>11}{'goal':>6}{'CPU a picture':>17}")
    with TemporaryDirectory() as name, upstream(0, Path(name)) as port:
        folder = Path(name)
        (folder / SMALL[0]).write_bytes(saved(photo((640, 480)), "WEBP"))
        (folder / SMALL[1]).write_bytes(saved(photo((600, 480)), "JPEG"))
        for case, made in CASES.items():
            pair = [folder / "person", folder / "garment"]
            for path, image in zip(pair, images, strict=True):
                path.write_bytes(made(image))
            held = measured(port, folder, pair, "original" if case == AS_IT_IS else "2048")
            rows[case] = vars(held)
            goal = GOAL_AS_IT_IS_MB if case == AS_IT_IS else GOAL_MB
            each = held.cpu_seconds / len(pair)
            size = sum(path.stat().st_size for path in pair) / len(pair) / 1e6
            print(
                f"  {case:<26}{size:>6.1f} MB{held.server_mb:>7.1f} MB{held.process_mb:>9.1f} MB{held.mb:>8.1f} MB"
                f"{goal:>6}{each * 1000:>14.0f} ms"
                + (f", goal {GOAL_TURNED_SECONDS * 1000:.0f}" if case == TURNED else "")
            )
    return rows


def measured(port: int, folder: Path, pair: list[Path], side: str) -> Held:
    """Let a server that has just begun take a pair of pictures."""
    with kolors(port, folder, KOLORS_SENT_SIDE=side) as server:
        create(server, [folder / name for name in SMALL])
        before = {pid: megabytes(pid, "VmRSS") for pid in (server.process.pid, *server.children())}
        for pid in before:
            forget_peak(pid)
        begun = sum(map(cpu_seconds, before))
        create(server, pair)
        idle, *fresh = before.values()
        # Processes that were started meanwhile had nothing before but what any has.
        most = [megabytes(pid, "VmHWM") - before.get(pid, *fresh) for pid in server.children()]
        server_mb = server.peak_mb() - idle
        spent = sum(map(cpu_seconds, (server.process.pid, *server.children()))) - begun
    return Held(server_mb, sum(most), spent)


def create(server: Server, pair: list[Path]) -> None:
    """Create a try-on, and wait for the answer."""
    human, cloth = map(str, pair)
    server.result(server.call("create_try_on", {"human_image": human, "cloth_image": cloth, "new_render": True}))


if __name__ == "__main__":
    main()
