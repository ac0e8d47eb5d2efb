"""What pictures cost: those that fit, those that do not, hostile servers, and many at once."""

import base64
import gc
import gzip
import hashlib
import io
import os
import ssl
import tempfile
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

import anyio
import httpcore
from PIL import Image
from pillow_heif import from_pillow

from kolors_mcp.errors import PictureRefusedError
from kolors_mcp.images.bounds import Bounds
from kolors_mcp.images.formats import examine
from kolors_mcp.images.formats.content import MemoryContent
from kolors_mcp.images.formats.outline import outline_of
from kolors_mcp.images.pictures import Pictures
from kolors_mcp.images.pixels.decode import decode
from kolors_mcp.images.pixels.encode import encode
from kolors_mcp.images.pixels.typed_pillow import resized
from kolors_mcp.images.sources.fetch import FetchLimits
from kolors_mcp.images.sources.network import system_connect
from kolors_mcp.kling.body import base64_slices

TWELVE = (4000, 3000)
ROUNDS = 15
DEADLINE = 2.0
"""Seconds that a hostile server gets here; the real deadline is 20."""


def photo(size: tuple[int, int] = TWELVE) -> Image.Image:
    """A picture with the detail of a photo: noise at several scales over a gradient."""
    small = [
        Image.blend(resized(Image.effect_noise((size[0] // 4, size[1] // 4), 60), size), ramp, 0.5)
        for ramp in (resized(Image.linear_gradient("L"), size), resized(Image.radial_gradient("L"), size)) * 2
    ]
    fine = Image.effect_noise(size, 25)
    return Image.merge("RGB", [Image.blend(channel, fine, 0.3) for channel in small[:3]])


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    if kind == "HEIC":
        from_pillow(image).save(buffer, format="HEIF", quality=80)  # pyright: ignore[reportUnknownMemberType]
    else:
        image.save(buffer, kind, **options)
    return buffer.getvalue()


def jpeg_of(image: Image.Image, target: int) -> bytes:
    """A JPEG of nearly `target` bytes, with the metadata of a phone."""
    best = b""
    for quality in range(70, 100):
        data = saved(image, "JPEG", quality=quality, subsampling=0)
        if len(data) > target:
            break
        best = data
    exif = Image.Exif()
    exif[0x0112] = 1
    thumbnail = b"Exif\0\0" + exif.tobytes()[6:] + bytes(20_000)
    return best[:2] + b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail + best[2:] + bytes(50_000)


def row(*cells: str) -> None:
    print(f"  {cells[0]:<30}" + "".join(f"{cell:>15}" for cell in cells[1:]))


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    start = time.perf_counter()
    await work()
    return time.perf_counter() - start


async def peak_of(work: Callable[[], Awaitable[object]]) -> float:
    """Return the megabytes that were held at most while `work` ran."""
    gc.collect()
    tracemalloc.start()
    try:
        await work()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


async def fits(folder: Path, image: Image.Image) -> dict[str, float]:
    """Compare a JPEG that fits, as the server prepares and encodes it, with reading it and one plain base64.

    What the server does includes the SHA-256 that the ledger tells wishes apart by; the ratio is without it.
    """
    path = folder / "fits.jpg"
    path.write_bytes(jpeg_of(image, 9_500_000))
    pictures = Pictures(folders=[folder])

    async def ours() -> int:
        picture = await pictures.prepare(str(path), "human_image")
        length = sum(map(len, base64_slices(picture)))
        picture.close()
        return length

    async def plain() -> int:
        return len(base64.b64encode(path.read_bytes()))

    async def digest() -> int:
        return len(hashlib.sha256(path.read_bytes()).digest())

    await ours()
    digest_times: list[float] = []
    plain_times: list[float] = []
    our_times: list[float] = []
    for _ in range(ROUNDS):
        plain_times.append(await timed(plain))
        our_times.append(await timed(ours))
        digest_times.append(await timed(digest))
    sha256 = median(digest_times)
    found = {
        "plain": median(plain_times),
        "ours": median(our_times),
        "sha256": sha256,
        "ratio": (median(our_times) - sha256) / median(plain_times),
        "plain_peak_mb": await peak_of(plain),
        "peak_mb": await peak_of(ours),
    }
    print(f"A JPEG of {path.stat().st_size / 1e6:.1f} MB that fits: median of {ROUNDS}, one after the other")
    row("", "time", "peak memory")
    row("read and one base64", f"{found['plain'] * 1e3:.1f} ms", f"{found['plain_peak_mb']:.1f} MB")
    row("read, judge, strip, SHA-256, base64", f"{found['ours'] * 1e3:.1f} ms", f"{found['peak_mb']:.1f} MB")
    row("  of it the ledger's SHA-256", f"{found['sha256'] * 1e3:.1f} ms")
    row("ratio without it (goal 2), goal 8 MB", f"{found['ratio']:.2f}")
    return found


def converted(cases: dict[str, bytes]) -> dict[str, dict[str, float]]:
    """Time the pictures that have to be decoded, and show which step dominates."""
    print("\nPictures of 12 megapixels that do not fit as they are: median of 3")
    row("", "size", "look", "decode", "encode", "together")
    rows: dict[str, dict[str, float]] = {}
    bounds = Bounds()
    for name, data in cases.items():
        steps: list[tuple[float, float, float]] = []
        for _ in range(3):
            content = MemoryContent(data)
            start = time.perf_counter()
            looked = examine.look(content)
            looked_at = time.perf_counter()
            outline = outline_of(looked.structure)
            pixels = decode(
                content,
                looked.kind,
                outline,
                smaller=lambda size, scales=looked.kind == "JPEG": bounds.size_for(size, scales=scales),
            )
            decoded_at = time.perf_counter()
            encode(pixels, len(data), bounds, outline)
            steps.append((looked_at - start, decoded_at - looked_at, time.perf_counter() - decoded_at))
        look, decoding, encoding = (median(step) for step in zip(*steps, strict=True))
        rows[name] = {"look": look, "decode": decoding, "encode": encoding}
        shown = (look, decoding, encoding, look + decoding + encoding)
        row(name, f"{len(data) / 1e6:.1f} MB", *(f"{step * 1e3:.0f} ms" for step in shown))
    return rows


async def at_once(folder: Path, cases: dict[str, bytes]) -> dict[str, dict[str, float]]:
    """Run several at once and see how late everybody else is served."""
    for name, data in cases.items():
        (folder / name).write_bytes(data)
    pictures = Pictures(folders=[folder])
    print(f"\nAt once on {os.cpu_count()} cores, and how late a task is that wakes every 5 ms")
    row("", "all done in", "a second", "late (median)", "late (most)")
    rows: dict[str, dict[str, float]] = {}
    for name, number in (("turned JPEG", 1), ("turned JPEG", 2), ("turned JPEG", 8), ("HEIC", 4), ("fits.jpg", 8)):
        late: list[float] = []

        async def other_calls(late: list[float] = late) -> None:
            while True:
                late.append(await timed(lambda: anyio.sleep(0.005)) - 0.005)

        async def all_of_them(name: str = name, number: int = number) -> None:
            async def one() -> None:
                (await pictures.prepare(name, "human_image")).close()

            async with anyio.create_task_group() as tasks:
                for _ in range(number):
                    tasks.start_soon(one)

        taken = 0.0
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(other_calls)
            taken = await timed(all_of_them)
            tasks.cancel_scope.cancel()
        found = {"seconds": taken, "late": median(late or [0]), "latest": max(late, default=0)}
        rows[f"{number} x {name}"] = found
        row(
            f"{number} x {name}",
            f"{taken * 1e3:.0f} ms",
            f"{number / taken:.1f}",
            f"{found['late'] * 1e3:.1f} ms",
            f"{found['latest'] * 1e3:.1f} ms",
        )
    return rows


OK = b"HTTP/1.1 200 OK\r\n"
HARM: dict[str, tuple[Sequence[bytes], float]] = {
    "drips a byte at a time": ([OK + b"Content-Length: 9999999\r\n\r\n", *[b"x"] * 10_000], 0.05),
    "says nothing": ([b""], 3600),
    "never ends": ([OK + b"\r\n", *[bytes(65_536)] * 10_000], 0),
    "declares 5 GB": ([OK + b"Content-Length: 5000000000\r\n\r\n", *[bytes(65_536)] * 10_000], 0),
    "sends less than it said": ([OK + b"Content-Length: 9999\r\n\r\nx"], 0),
    "sends a compressed bomb": ([OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(bytes(50_000_000))], 0),
    "sends 10,000 headers": ([OK + b"".join(b"X-%d: y\r\n" % n for n in range(10_000)) + b"\r\n"], 0),
    "redirects for ever": ([b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"], 0),
}
"""What a server sends, piece by piece, and how many seconds it waits after each."""


async def met(pieces: Sequence[bytes], pause: float) -> tuple[float, float]:
    """Meet a server that means harm; return the seconds it held us, and the megabytes it made us hold."""

    async def serve(stream: anyio.abc.ByteStream) -> None:
        async with stream:
            with suppress(anyio.BrokenResourceError, anyio.EndOfStream):
                await stream.receive()
                for piece in pieces:
                    await stream.send(piece)
                    await anyio.sleep(pause)

    async def resolver(host: str, port: int) -> Sequence[str]:
        del host, port
        return ["93.184.216.34"]

    async def connect(address: str, port: int, seconds: float | None) -> httpcore.AsyncNetworkStream:
        del address, port
        return await system_connect("127.0.0.1", listening, seconds)

    async def refused() -> None:
        try:
            await pictures.prepare("http://shop.example/", "cloth_image")
        except PictureRefusedError:
            return
        raise AssertionError("a server that means harm was believed")

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    listening = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610  (no Django here)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    pictures = Pictures(
        folders=[], resolver=resolver, connect=connect, costs=FetchLimits(seconds=DEADLINE), ssl_context=tls
    )
    held, peak = 0.0, 0.0
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        held = await timed(refused)
        peak = await peak_of(refused)
        await pictures.aclose()
        tasks.cancel_scope.cancel()
    return held, peak


async def hostile() -> dict[str, dict[str, float]]:
    """Meet them all."""
    print(f"\nServers that mean harm, with a deadline of {DEADLINE:g} s (the real one is 20 s)")
    row("", "held us for", "peak memory")
    rows: dict[str, dict[str, float]] = {}
    for name, (pieces, pause) in HARM.items():
        held, peak = await met(pieces, pause)
        rows[name] = {"seconds": held, "peak_mb": peak}
        row(name, f"{held:.2f} s", f"{peak:.1f} MB")
    return rows


async def run() -> dict[str, Any]:
    """Measure everything."""
    image = photo()
    exif = Image.Exif()
    exif[0x0112] = 6
    cases = {
        "HEIC": saved(image, "HEIC"),
        "WebP": saved(image, "WEBP", quality=85, method=2),
        "PNG": saved(image, "PNG", compress_level=1),
        "turned JPEG": saved(image, "JPEG", quality=90, exif=exif.tobytes()),
    }
    with tempfile.TemporaryDirectory() as name:
        return {
            "fits": await fits(Path(name), image),
            "converted": converted(cases),
            "at once": await at_once(Path(name), cases),
            "hostile": await hostile(),
        }


def main() -> dict[str, Any]:
    """Print the tables and return the figures: seconds, megabytes and ratios."""
    return anyio.run(run)


if __name__ == "__main__":
    main()
