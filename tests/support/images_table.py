"""Which pictures are taken, with what is said about each, and which are refused, with why.

The tables are made when they are used: each process of the tests loads this file.
"""

import struct
import zlib
from dataclasses import dataclass
from functools import cache
from typing import Literal

from PIL import Image

from tests.support.images_support import (
    QUARTERS,
    SIZE,
    chunk,
    encoded,
    exif,
    heic,
    jpeg,
    png,
    quarters,
    srgb_profile,
    turned,
    with_chunk,
    with_segment,
)

WHITE = (255, 255, 255)


def half_clear() -> Image.Image:
    """The upper half opaque, the lower half clear."""
    image = quarters().convert("RGBA")
    alpha = Image.new("L", SIZE, 255)
    alpha.paste(0, (0, SIZE[1] // 2, *SIZE))
    image.putalpha(alpha)
    return image


def sixteen_bit_grey() -> bytes:
    return sixteen_bit(0, [bytes((shade, 0)) for shade in (0x10, 0x60, 0xA0, 0xF0)])


def sixteen_bit_colour() -> bytes:
    return sixteen_bit(2, [b"".join(bytes((value, 0x7F)) for value in colour) for colour in QUARTERS])


def sixteen_bit(colour: int, pixels: list[bytes]) -> bytes:
    """A PNG whose quarters are of these pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *SIZE, 16, colour, 0, 0, 0))
    first, second, third, fourth = (pixel * (SIZE[0] // 2) for pixel in pixels)
    data = zlib.compress(b"".join((b"\0" + row) * (SIZE[1] // 2) for row in (first + second, third + fourth)))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@dataclass(frozen=True)
class Good:
    """A picture that is taken."""

    name: str
    data: bytes
    notes: tuple[str, ...] = ()
    expected: tuple[tuple[int, int, int], ...] = QUARTERS
    within: int = 6
    size: tuple[int, int] = SIZE
    media_type: Literal["image/jpeg", "image/png"] = "image/jpeg"
    untouched: bool = False


ON_WHITE = (*QUARTERS[:2], WHITE, WHITE)
GREYS = tuple((value, value, value) for value in (0x10, 0x60, 0xA0, 0xEF))
PALETTE = "palette turned into full colours"


@cache
def good() -> list[Good]:
    """Pictures of each kind that are taken."""
    return [
        Good("a plain JPEG", jpeg(), untouched=True),
        Good("a progressive JPEG", jpeg(progressive=True), untouched=True),
        Good("a JPEG with restarts", jpeg(restart_marker_blocks=2), untouched=True),
        Good("a JPEG with half the colours", jpeg(subsampling=2), untouched=True, within=20),
        Good("a JPEG tagged as sRGB", jpeg(icc_profile=srgb_profile())),
        Good("a JPEG with EXIF and a position", jpeg(exif=exif(1))),
        Good("a JPEG with EXIF and a resolution", jpeg(dpi=(300, 300), exif=exif(1))),
        Good("a JPEG with a comment", jpeg(comment=b"SECRET-COMMENT")),
        Good("a JPEG with an archive behind it", jpeg() + b"PK\x03\x04SECRET-ARCHIVE"),
        Good("a JPEG with a second picture behind it", jpeg() + jpeg(Image.new("RGB", (64, 64), (255, 0, 0)))),
        Good("a JPEG with content credentials", with_segment(jpeg(), 0xEB, b"JP\x00\x01SECRET-C2PA" * 20)),
        Good(
            "a JPEG with a thumbnail in its header",
            with_segment(
                jpeg()[:2] + jpeg()[20:], 0xE0, b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x02\x02" + b"SECRETSECRET"
            ),
        ),
        Good("a CMYK JPEG", jpeg(quarters().convert("CMYK")), ("converted from CMYK to RGB",)),
        Good(
            "a JPEG stored as RGB", jpeg(keep_rgb=True), ("written anew, because the file is built in an unusual way",)
        ),
        Good("a plain PNG", png(), media_type="image/png", untouched=True),
        Good(
            "a PNG with EXIF and text",
            with_chunk(png(exif=exif(1)), b"tEXt", b"k\0SECRET-TEXT"),
            media_type="image/png",
        ),
        Good("a PNG tagged as sRGB", png(icc_profile=srgb_profile()), media_type="image/png"),
        Good("a PNG with an archive behind it", png() + b"PK\x03\x04SECRET-ARCHIVE", media_type="image/png"),
        Good(
            "a PNG that is half clear",
            png(half_clear()),
            ("transparent parts made white",),
            expected=ON_WHITE,
            media_type="image/png",
        ),
        Good(
            "a PNG with an alpha channel that is not used",
            png(quarters().convert("RGBA")),
            ("unused transparency left out",),
            media_type="image/png",
            within=0,
        ),
        Good("a PNG with a palette", png(quarters().quantize(16)), (PALETTE,), media_type="image/png"),
        Good(
            "a PNG with a clear colour",
            png(transparency=QUARTERS[3]),
            ("transparent parts made white",),
            expected=(*QUARTERS[:3], WHITE),
            media_type="image/png",
            within=0,
        ),
        Good(
            "a PNG of 16-bit grey",
            sixteen_bit_grey(),
            ("reduced from 16 to 8 bits a channel",),
            expected=GREYS,
            media_type="image/png",
            within=1,
        ),
        Good(
            "a PNG of 16-bit colour",
            sixteen_bit_colour(),
            ("reduced from 16 to 8 bits a channel",),
            media_type="image/png",
            within=1,
        ),
        Good(
            "a PNG that is turned",
            png(turned(6), exif=exif(6)),
            ("turned by 90 degrees as the photo's tag says",),
            media_type="image/png",
            within=0,
        ),
        Good(
            "an animated PNG",
            png(save_all=True, append_images=[quarters().rotate(180)]),
            ("only the first of its pictures is used",),
            media_type="image/png",
            within=0,
        ),
        Good("a WebP", encoded(quarters(), "WEBP", quality=95), ("converted from WebP to JPEG",), within=12),
        Good(
            "a lossless WebP that is half clear",
            encoded(half_clear(), "WEBP", lossless=True),
            ("converted from WebP to JPEG", "transparent parts made white"),
            expected=ON_WHITE,
        ),
        Good("a HEIC", heic(), ("converted from HEIC to JPEG",), within=10),
        Good(
            "an AVIF",
            encoded(quarters(), "AVIF", quality=90, subsampling="4:4:4"),
            ("converted from AVIF to JPEG",),
            within=10,
        ),
        Good(
            "a turned AVIF",
            encoded(turned(8), "AVIF", quality=90, subsampling="4:4:4", exif=exif(8)),
            ("converted from AVIF to JPEG", "turned by 270 degrees as the photo's tag says"),
            within=10,
        ),
        Good(
            "a GIF",
            encoded(quarters().quantize(16), "GIF"),
            ("converted from GIF to PNG", PALETTE),
            media_type="image/png",
        ),
        Good(
            "an animated GIF",
            encoded(quarters().quantize(16), "GIF", save_all=True, append_images=[quarters().rotate(180).quantize(16)]),
            ("converted from GIF to PNG", "only the first of its pictures is used", PALETTE),
            media_type="image/png",
        ),
        Good("a BMP", encoded(quarters(), "BMP"), ("converted from BMP to PNG",), media_type="image/png", within=0),
        Good("a TIFF", encoded(quarters(), "TIFF", compression="tiff_lzw"), ("converted from TIFF to JPEG",)),
        Good(
            "a turned TIFF",
            encoded(turned(6), "TIFF", tiffinfo={274: 6}),
            ("converted from TIFF to JPEG", "turned by 90 degrees as the photo's tag says"),
        ),
        Good(
            "a TIFF of two pages",
            encoded(quarters(), "TIFF", save_all=True, append_images=[Image.new("RGB", SIZE)]),
            ("converted from TIFF to JPEG", "only the first of its pages is used"),
        ),
        Good(
            "a CMYK TIFF",
            encoded(quarters().convert("CMYK"), "TIFF"),
            ("converted from TIFF to JPEG", "converted from CMYK to RGB"),
        ),
        Good(
            "a long JPEG",
            jpeg(quarters((1600, 500))),
            ("its sides are 1600 to 500; beyond 2.5 to 1 Kling may refuse it",),
            size=(1600, 500),
        ),
        Good("the smallest JPEG", jpeg(quarters((300, 300))), size=(300, 300), untouched=True),
    ]


@cache
def large() -> list[Good]:
    """A picture as the largest cameras of phones make it."""
    return [
        Good(
            "a JPEG of 48 megapixels",
            jpeg(quarters((8064, 6048)), quality=60, subsampling=2),
            ("sent at 2016 x 1512, from 8064 x 6048, as large as Kling uses",),
            size=(2016, 1512),
            within=20,
        )
    ]


EXIF_WORDS = {
    2: "mirrored",
    3: "turned by 180 degrees",
    4: "mirrored and turned by 180 degrees",
    5: "mirrored and turned by 270 degrees",
    6: "turned by 90 degrees",
    7: "mirrored and turned by 90 degrees",
    8: "turned by 270 degrees",
}


@cache
def turned_photos() -> list[Good]:
    """Photos of each orientation."""
    return [
        Good(f"a JPEG of orientation {tag}", jpeg(turned(tag), exif=exif(tag)), (f"{words} as the photo's tag says",))
        for tag, words in EXIF_WORDS.items()
    ]


OPEN = "cannot be opened; it is damaged or cut off. Give another copy of it."
MEGAPIXELS = "at most 89 megapixels can be opened. Ask for a smaller version."
KINDS = "Give a JPEG, PNG, WebP, HEIC, AVIF, GIF, BMP or TIFF picture."


@cache
def bad() -> dict[str, tuple[bytes, str]]:
    """What is no usable picture, and why it is refused."""
    return {
        "a small JPEG": (
            jpeg(quarters((280, 410))),
            "human_image is 280 x 410 pixels; each side must be at least 300. Ask for a larger photo.",
        ),
        "a small turned JPEG": (
            jpeg(quarters((410, 280)), exif=exif(6)),
            "human_image is 410 x 280 pixels; each side must be at least 300. Ask for a larger photo.",
        ),
        "a small WebP": (
            encoded(quarters((299, 600)), "WEBP"),
            "human_image is 299 x 600 pixels; each side must be at least 300. Ask for a larger photo.",
        ),
        "a cut JPEG": (jpeg()[:-230], f"human_image is a JPEG that {OPEN}"),
        "a cut PNG": (png()[:-60], f"human_image is a PNG that {OPEN}"),
        "a cut WebP": (encoded(quarters(), "WEBP")[:-100], f"human_image is a WebP that {OPEN}"),
        "a cut HEIC": (heic()[:-350], f"human_image is a HEIC that {OPEN}"),
        "a PNG with a wrong checksum": (png()[:60] + b"\xff" + png()[61:], f"human_image is a PNG that {OPEN}"),
        "a PDF": (b"%PDF-1.7\n" + b"x" * 2000, f"human_image is a PDF document. {KINDS}"),
        "an archive": (b"PK\x03\x04" + b"x" * 2000, f"human_image is a ZIP archive or an office document. {KINDS}"),
        "a private key": (
            b"-----BEGIN OPENSSH PRIVATE KEY-----\n" + b"x" * 2000,
            f"human_image is a text file. {KINDS}",
        ),
        "an SVG": (
            b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg">' + b" " * 200,
            f"human_image is an SVG drawing, which cannot be read. {KINDS}",
        ),
        "noise": (bytes(range(256)) * 20, f"human_image is no picture of a kind that can be read. {KINDS}"),
        "a WebP that declares more than it has": (
            b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0/\xff\xff\xff\x0f" + bytes(9),
            f"human_image declares 16384 x 16384 pixels; {MEGAPIXELS}",
        ),
        "a PNG that declares more than it has": (
            png()[:16] + b"\0\0\x75\x30\0\0\x75\x30\x08\x02\0\0\0" + b"\0\0\0\0" + png()[33:],
            f"human_image is a PNG that {OPEN}",
        ),
    }
