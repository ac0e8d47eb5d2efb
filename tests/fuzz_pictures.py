"""Mutates pictures and references at random, reproducibly, and reports whatever gets past the gate.

    python tests/fuzz_pictures.py --seconds 60 --seed 1

Every outcome has to be a valid JPEG or PNG within the limits with nothing but picture in it, or one refusal.
"""

import argparse
import random
import struct
import sys
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import anyio
from images_support import (
    InProcess,
    assert_nothing_but_picture,
    b64,
    encoded,
    exif,
    heic,
    jpeg,
    p3_profile,
    png,
    quarters,
)
from PIL import Image

from kolors_mcp.errors import PictureRefusedError
from kolors_mcp.images.pictures import Pictures
from kolors_mcp.images.typed_pillow import resized

_SMALL = (304, 302)


@cache
def seeds() -> Sequence[bytes]:
    """One small picture of each kind and build."""
    image = quarters(_SMALL)
    clear = image.convert("RGBA")
    clear.putalpha(resized(Image.linear_gradient("L"), _SMALL))
    palette = image.quantize(8)
    return (
        jpeg(image),
        jpeg(image, progressive=True, exif=exif(6), comment=b"a comment"),
        jpeg(image.convert("CMYK")),
        jpeg(image, icc_profile=p3_profile(), restart_marker_blocks=3, subsampling=2),
        jpeg(image.convert("L")),
        png(image),
        png(clear),
        png(palette, transparency=1),
        png(image, icc_profile=p3_profile(), exif=exif(3)),
        png(image.convert("L").convert("I;16")),
        png(image, save_all=True, append_images=[image.rotate(180)]),
        encoded(image, "WEBP"),
        encoded(clear, "WEBP", lossless=True),
        encoded(palette, "GIF", save_all=True, append_images=[palette.rotate(180)]),
        encoded(image, "BMP"),
        encoded(palette, "BMP"),
        encoded(image, "TIFF", compression="tiff_lzw"),
        encoded(image.convert("CMYK"), "TIFF", compression="jpeg"),
        encoded(image, "AVIF", speed=10),
        heic(image),
        encoded(image, "MPO", save_all=True, append_images=[image]),
    )


@dataclass
class Result:
    """What a run came to."""

    count: int = 0
    sent: int = 0
    refused: int = 0
    escapes: list[str] = field(default_factory=list[str])


def mutated(chance: random.Random) -> bytes:
    """Change a picture in one to six places: bytes, numbers, runs, ends, order; mend PNG checksums half of the time."""
    data = bytearray(chance.choice(seeds()))
    for _ in range(chance.randint(1, 6)):
        if not data:
            break
        # Headers decide most, so that half of the changes fall there.
        at = chance.randrange(min(len(data), 700) if chance.random() < 0.5 else len(data))
        match chance.randrange(8):
            case 0:
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                data[at] = chance.choice((0, 1, 0x7F, 0x80, 0xD8, 0xD9, 0xDA, 0xFE, 0xFF))
            case 2:
                number = chance.choice((0, 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 65_500, len(data)))
                form = chance.choice((">I", "<I", ">H", "<H"))
                piece = struct.pack(form, number % (1 << 8 * struct.calcsize(form)))
                data[at : at + len(piece)] = piece
            case 3:
                del data[at : at + chance.randint(1, 64)]
            case 4:
                data[at:at] = data[at : at + chance.randint(1, 64)]
            case 5:
                data[at:at] = chance.randbytes(chance.randint(1, 32))
            case 6:
                del data[at:]
            case _:
                other = chance.choice(seeds())
                data[at : at + 200] = other[at : at + chance.randint(1, 400)]
    return _mended(bytes(data)) if chance.random() < 0.5 else bytes(data)


def _mended(data: bytes) -> bytes:
    """Give every chunk of a PNG the checksum of what it has become, so that changes reach what is behind it."""
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        return data
    done, at = bytearray(data[:8]), 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        body = data[at + 4 : at + 8 + length]
        done += data[at : at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + length
    return bytes(done)


_PIECES = (
    "data:", "image/png", ";base64", ";", ",", "%", "%2e", "http", "s", "://", "127.0.0.1", "[::1]", "0x7f.1", "@", ":",
    "80", "99999", "/", "..", "~", "\\", "file://", "localhost", "C:", ".png", "/proc/self/environ", "/dev/zero", " ",
    '"', "\n", "\0", "\ud800", "\u202e", "=", "/9j/4AAQSkZJRgABAQAAAQABAAD", "iVBORw0KGgoAAAANSUhEUgAA",
    "UklGRg", "A" * 50,
)  # fmt: skip


def reference(chance: random.Random) -> str:
    """Make something that looks like a link, a path, a data: URI or base64, or like several."""
    if chance.random() < 0.3:
        text = list(b64(mutated(chance)))
        for _ in range(chance.randint(0, 3)):
            text[chance.randrange(len(text) or 1) : 0] = chance.choice(_PIECES)
        return chance.choice(("", "data:;base64,", '"')) + "".join(text)
    return "".join(chance.choice(_PIECES) for _ in range(chance.randint(0, 9)))


async def _one(pictures: Pictures, chance: random.Random, result: Result) -> None:
    try:
        if chance.random() < 0.3:
            picture = await pictures.prepare(reference(chance), "human_image")
        elif chance.random() < 0.9:
            picture = await pictures.prepare("data:;base64," + b64(mutated(chance)), "cloth_image")
        else:
            upper, lower = (b64(chance.choice((mutated(chance), chance.choice(seeds())))) for _ in range(2))
            picture = await pictures.outfit(upper, lower)
        sent = b"".join(picture.blocks())
        assert_nothing_but_picture(sent)
        if not (len(sent) == picture.size <= 10_000_000 and min(picture.width, picture.height) >= 300):
            raise AssertionError("outside the limits")
        result.sent += 1
    except PictureRefusedError as error:
        text = str(error)
        if not text.startswith(("human_image ", "cloth_image ", "lower_cloth_image ")) or "\n" in text:
            raise AssertionError(text) from error
        result.refused += 1


async def _nowhere(host: str, port: int) -> Sequence[str]:
    """Resolve no name: nothing of this may reach a network."""
    raise OSError(host, port)


async def _many(seed: int, iterations: int | None, seconds: float | None, result: Result) -> None:
    pictures = Pictures(folders=[], resolver=_nowhere, decoder=InProcess())
    until = None if seconds is None else time.monotonic() + seconds
    while (iterations is None or result.count < iterations) and (until is None or time.monotonic() < until):
        # Each step has its own seed, so that one can be repeated alone.
        step = result.count
        try:
            await _one(pictures, random.Random(f"{seed}/{step}"), result)  # noqa: S311  (chance, not secrets)
        except Exception as error:  # noqa: BLE001  (finding these is what this program is for)
            result.escapes.append(f"seed {seed}/{step}: {type(error).__name__}: {str(error)[:200]}")
        result.count += 1
    await pictures.aclose()


def run(seed: int, *, iterations: int | None = None, seconds: float | None = None) -> Result:
    """Fuzz for a number of steps or a time, whichever ends first."""
    result = Result()
    anyio.run(_many, seed, iterations, seconds, result)
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=None, help="the clock's if none is given")
    parser.add_argument("--iterations", type=int, default=None)
    arguments = parser.parse_args()
    seed = int(time.time()) if arguments.seed is None else arguments.seed
    result = run(seed, seconds=arguments.seconds, iterations=arguments.iterations)
    for escape in result.escapes:
        print(escape)  # noqa: T201  (a program for people)
    print(  # noqa: T201  (a program for people)
        f"seed {seed}: {result.count} steps, {result.sent} pictures sent, {result.refused} refused, "
        f"{len(result.escapes)} escapes"
    )
    return 1 if result.escapes else 0


if __name__ == "__main__":
    sys.exit(main())
