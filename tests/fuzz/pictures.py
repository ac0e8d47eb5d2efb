"""Feeds mutated pictures and references to the picture gate.

Every outcome has to be a valid JPEG or PNG within the limits with nothing but picture in it, or one refusal.
"""

import random
import struct
import zlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import cache

from PIL import Image

from kolors_mcp.errors import PictureRefusedError
from kolors_mcp.images.pictures import Pictures
from kolors_mcp.images.pixels.typed_pillow import resized
from tests.fuzz.found import Input, Judge, Kind
from tests.support.images_support import (
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


def mutated(chance: random.Random) -> bytes:
    """Change a picture in some places; mend PNG checksums half of the time."""
    data = changed_in_places(chance.choice(seeds()), chance, others=seeds())
    return _mended(data) if chance.random() < 0.5 else data


def changed_in_places(whole: bytes, chance: random.Random, *, others: Sequence[bytes]) -> bytes:
    """Change bytes in one to six places: bits, numbers, runs, ends, order, pieces of others."""
    data = bytearray(whole)
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
                other = chance.choice(others)
                data[at : at + 200] = other[at : at + chance.randint(1, 400)]
    return bytes(data)


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


def make(chance: random.Random) -> Input:
    """A reference of any kind, a picture in a data: URI, or two pictures for an outfit."""
    draw = chance.random()
    if draw < 0.3:
        # A lone surrogate has no UTF-8, and is one of the things that come in.
        return Input(reference(chance).encode("utf-8", "surrogatepass"), {"as": "reference"})
    if draw < 0.9:
        return Input(mutated(chance), {"as": "picture"})
    lower = chance.choice((mutated(chance), chance.choice(seeds())))
    return Input(chance.choice((mutated(chance), chance.choice(seeds()))), {"as": "outfit", "lower": b64(lower)})


@asynccontextmanager
async def judging() -> AsyncGenerator[Judge]:
    """The gate, without folders and without a network."""
    pictures = Pictures(folders=[], resolver=_nowhere, decoder=InProcess())

    async def judge(given: Input) -> str:
        return await _judged(pictures, given)

    yield judge
    await pictures.aclose()


async def _judged(pictures: Pictures, given: Input) -> str:
    try:
        if given.how["as"] == "reference":
            text = given.data.decode("utf-8", "surrogatepass") if _is_text(given.data) else given.data.decode("latin-1")
            picture = await pictures.prepare(text, "human_image")
        elif given.how["as"] == "picture":
            picture = await pictures.prepare("data:;base64," + b64(given.data), "cloth_image")
        else:
            picture = await pictures.outfit(b64(given.data), given.how["lower"])
    except PictureRefusedError as error:
        text = str(error)
        if not text.startswith(("human_image ", "cloth_image ", "lower_cloth_image ")) or "\n" in text:
            raise AssertionError(text) from error
        text.encode()
        return "refused"
    sent = b"".join(picture.blocks())
    picture.close()
    assert_nothing_but_picture(sent)
    if not (len(sent) == picture.size <= 10_000_000 and min(picture.width, picture.height) >= 300):
        raise AssertionError("outside the limits")
    return "sent"


def _is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


async def _nowhere(host: str, port: int) -> Sequence[str]:
    """Resolve no name: nothing of this may reach a network."""
    raise OSError(host, port)


PICTURES_KIND = Kind("pictures", make, judging)
