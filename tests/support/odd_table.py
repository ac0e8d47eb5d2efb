"""Odd pictures that are taken: of each kind one that is built otherwise than the ordinary one."""

import struct
from functools import cache

from PIL import Image

from kolors_mcp.images.pixels.typed_pillow import mapped
from tests.support.hostile_pictures import changed
from tests.support.images_support import QUARTERS, chunk, encoded, exif, heic, jpeg, png, quarters, turned, with_chunk
from tests.support.images_table import KINDS, ON_WHITE, OPEN, PALETTE, WHITE, Good
from tests.support.odd_pictures import (
    BLACK_IS_ZERO,
    CMYK,
    RGB,
    WHITE_IS_ZERO,
    bmp_of_16_bits,
    bmp_with_alpha,
    gif_part,
    grey_bmp,
    lab_tiff,
    negative,
    tiff,
    without_adobe,
    ycck_jpeg,
)
from tests.support.odd_pngs import animated_png, interlaced_png, packed_png, palette_png

SIZE = (320, 304)
IMAGE = quarters(SIZE)
SHADES = quarters(SIZE, [(value, value, value) for value in (0x11, 0x66, 0xAA, 0xEE)]).convert("L")
"""Of each shade both halves of the byte are the same, so that 2 and 4 bits tell most of it."""
GREY_QUARTERS = tuple((shade, shade, shade) for shade in (0x11, 0x66, 0xAA, 0xEE))
BLACK_AND_WHITE = mapped(SHADES, [255 * (value > 0x80) for value in range(256)]).convert("1")
CLEAR_BELOW = Image.new("L", SIZE, 255)
CLEAR_BELOW.paste(0, (0, SIZE[1] // 2, *SIZE))

ANEW = "written anew, because the file is built in an unusual way"
ALPHA, FROM_CMYK = "transparent parts made white", "converted from CMYK to RGB"
SIXTEEN, ONE_FRAME = "reduced from 16 to 8 bits a channel", "only the first of its pictures is used"
FROM_TIFF, FROM_GIF, FROM_BMP = (
    f"converted from {kind} to {to}" for kind, to in (("TIFF", "JPEG"), ("GIF", "PNG"), ("BMP", "PNG"))
)
Colours = tuple[tuple[int, int, int], ...]


def with_clear_half(image: Image.Image) -> Image.Image:
    """The picture, its lower half clear."""
    made = image.convert("RGBA" if image.mode == "RGB" else "LA")
    made.putalpha(CLEAR_BELOW)
    return made


def of_png(name: str, data: bytes, *notes: str, expected: Colours = QUARTERS, within: int = 1) -> Good:
    return Good(f"a PNG, {name}", data, notes, expected, within, SIZE, "image/png")


def lossless(name: str, data: bytes, *notes: str, expected: Colours = QUARTERS, within: int = 1) -> Good:
    return Good(name, data, notes, expected, within, SIZE, "image/png")


def lossy(name: str, data: bytes, *notes: str, expected: Colours = QUARTERS, within: int = 10) -> Good:
    return Good(name, data, notes, expected, within, SIZE)


def one_clear(depth: int, shade: int) -> bytes:
    """A grey PNG with a clear shade, in the numbers of the file."""
    return packed_png(SHADES, depth, chunk(b"tRNS", struct.pack(">H", shade)))


LAST_CLEAR = (*GREY_QUARTERS[:3], WHITE)
TWO_BITS = ((0, 0, 0), (85, 85, 85), (170, 170, 170), (255, 255, 255))


@cache
def odd() -> list[Good]:
    """Pictures that are taken."""
    return [
        of_png("interlaced", interlaced_png(IMAGE), ANEW),
        of_png("interlaced and half clear", interlaced_png(with_clear_half(IMAGE)), ALPHA, expected=ON_WHITE),
        of_png("of 2-bit grey", packed_png(SHADES, 2), ANEW, expected=TWO_BITS),
        of_png("of 4-bit grey", packed_png(SHADES, 4), ANEW, expected=GREY_QUARTERS),
        of_png("one shade of 2 bits clear", one_clear(2, 1), ALPHA, expected=(TWO_BITS[0], WHITE, *TWO_BITS[2:])),
        of_png("one shade of 4 bits clear", one_clear(4, 0xE), ALPHA, expected=LAST_CLEAR),
        of_png("one shade of 8 bits clear", one_clear(8, 0xEE), ALPHA, expected=LAST_CLEAR),
        of_png("one shade of 16 bits clear", one_clear(16, 0xEE7F), SIXTEEN, ALPHA, expected=LAST_CLEAR),
        of_png(
            "one colour of 16 bits clear",
            packed_png(IMAGE, 16, chunk(b"tRNS", bytes(value for one in QUARTERS[3] for value in (one, 0x7F)))),
            SIXTEEN,
            ALPHA,
            expected=(*QUARTERS[:3], WHITE),
        ),
        of_png(
            "of 16-bit colour, half clear", packed_png(with_clear_half(IMAGE), 16), SIXTEEN, ALPHA, expected=ON_WHITE
        ),
        of_png(
            "of 16-bit grey, half clear",
            packed_png(with_clear_half(SHADES), 16),
            SIXTEEN,
            ALPHA,
            expected=(*GREY_QUARTERS[:2], WHITE, WHITE),
        ),
        of_png("with a palette of four", palette_png(IMAGE, 2), PALETTE),
        of_png(
            "with a palette of clear and opaque colours",
            palette_png(SHADES, 1, alpha=True),
            PALETTE,
            ALPHA,
            expected=(WHITE, WHITE, (0xCC, 0xCC, 0xCC), (0xCC, 0xCC, 0xCC)),
            within=120,
        ),
        of_png(
            "whose still picture is no frame of its animation",
            animated_png(png(negative(IMAGE)), png(IMAGE)),
            ONE_FRAME,
            ANEW,
            within=0,
        ),
        of_png(
            "whose frames of few colours its still picture is none of",
            animated_png(palette_png(IMAGE, 2), palette_png(IMAGE, 2)),
            ONE_FRAME,
            PALETTE,
        ),
        of_png(
            "whose animation begins with a part of it",
            animated_png(png(IMAGE), png(Image.new("RGB", (9, 9), WHITE)), 20, 20),
            ONE_FRAME,
            within=0,
        ),
        *(
            of_png(f"whose animation {what}", animated_png(png(IMAGE), frame), ONE_FRAME, ANEW, within=0)
            for what, frame in (
                ("is damaged", changed(png(negative(IMAGE)), 60, *bytes(20))),
                ("lacks its last rows", png(negative(IMAGE))[:-40] + png(IMAGE)[-12:]),
            )
        ),
        of_png("with a number of frames and none", with_chunk(png(IMAGE), b"acTL", bytes(8)), ONE_FRAME, within=0),
        lossy("a JPEG of inks coded as colours", ycck_jpeg(IMAGE), FROM_CMYK),
        lossy("a JPEG of nobody's inks", without_adobe(jpeg(IMAGE.convert("CMYK"))), FROM_CMYK),
        lossless("a GIF of lines in order", encoded(IMAGE.quantize(16), "GIF", interlace=0), FROM_GIF, PALETTE),
        lossless(
            "a GIF whose first frame is half of it",
            gif_part(IMAGE, SIZE[0] // 2),
            FROM_GIF,
            ALPHA,
            expected=(QUARTERS[0], WHITE, WHITE, WHITE),
        ),
        lossless("a BMP of two bytes a pixel", bmp_of_16_bits(IMAGE, (0xF800, 0x07E0, 0x001F)), FROM_BMP, within=7),
        lossless("a BMP of sixteen shades", grey_bmp(SHADES, 4), FROM_BMP, PALETTE, expected=GREY_QUARTERS),
        lossless(
            "a BMP that is half clear", bmp_with_alpha(with_clear_half(IMAGE)), FROM_BMP, ALPHA, expected=ON_WHITE
        ),
        lossy("a TIFF of the other order", tiff(IMAGE, RGB, order=">"), FROM_TIFF),
        lossy("a TIFF of 16-bit colour", tiff(IMAGE, RGB, bits=16), FROM_TIFF, SIXTEEN),
        lossy(
            "a TIFF of 16-bit grey",
            tiff(SHADES, BLACK_IS_ZERO, bits=16, order=">"),
            FROM_TIFF,
            SIXTEEN,
            expected=GREY_QUARTERS,
        ),
        lossy("a TIFF whose zero is white", tiff(negative(SHADES), WHITE_IS_ZERO), FROM_TIFF, expected=GREY_QUARTERS),
        lossy(
            "a TIFF of numbers from 0 to 1",
            tiff(SHADES, BLACK_IS_ZERO, bits=32),
            FROM_TIFF,
            "reduced from 32 to 8 bits a channel",
            expected=GREY_QUARTERS,
        ),
        lossy("a TIFF of inks, one strip", tiff(IMAGE.convert("CMYK"), CMYK), FROM_TIFF, FROM_CMYK),
        lossy("a TIFF of Lab", lab_tiff(IMAGE), FROM_TIFF, "converted from Lab to RGB"),
        lossy(
            "a TIFF that is half clear", tiff(with_clear_half(IMAGE), RGB, t338=2), FROM_TIFF, ALPHA, expected=ON_WHITE
        ),
        lossy(
            "a TIFF that is half clear and multiplied",
            tiff(with_clear_half(IMAGE).convert("RGBa"), RGB, t338=1),
            FROM_TIFF,
            ALPHA,
            expected=ON_WHITE,
        ),
        lossy(
            "a TIFF of one page as fax machines send it",
            encoded(
                mapped(SHADES, [255 * (value > 0x80) for value in range(256)]).convert("1"),
                "TIFF",
                compression="group4",
            ),
            FROM_TIFF,
            "black and white turned into shades of grey",
            expected=((0, 0, 0), (0, 0, 0), WHITE, WHITE),
        ),
        lossy(
            "an animated WebP",
            encoded(IMAGE, "WEBP", lossless=True, save_all=True, append_images=[negative(IMAGE)]),
            "converted from WebP to JPEG",
            ONE_FRAME,
        ),
        lossy(
            "a WebP that is turned",
            encoded(turned(6, IMAGE), "WEBP", quality=95, exif=exif(6)),
            "converted from WebP to JPEG",
            "turned by 90 degrees as the photo's tag says",
            within=12,
        ),
        lossy(
            "an AVIF of grey",
            encoded(SHADES, "AVIF", quality=95, speed=10),
            "converted from AVIF to JPEG",
            expected=GREY_QUARTERS,
        ),
        lossy(
            "a HEIC that is half clear",
            heic(with_clear_half(IMAGE)),
            "converted from HEIC to JPEG",
            ALPHA,
            expected=ON_WHITE,
            within=12,
        ),
    ]


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def of_twelve_bits(data: bytes, frame: bytes) -> bytes:
    """A JPEG whose frame says so."""
    at = data.index(frame) + 4
    return data[:at] + b"\x0c" + data[at + 1 :]


def other(begins: bytes) -> bytes:
    return begins + bytes(500)


TWELVE = "human_image is a 12-bit JPEG, which cannot be read here. Save it as an ordinary JPEG first."


@cache
def odd_bad() -> dict[str, tuple[bytes, str]]:
    """What cannot be read, and why it is refused."""
    # What packs badly, so that a part of the file is a part of the picture.
    noise = Image.merge("RGB", [Image.effect_noise(SIZE, 60) for _ in "RGB"])
    return {
        "a progressive JPEG of 12 bits": (of_twelve_bits(jpeg(IMAGE, progressive=True), b"\xff\xc2"), TWELVE),
        "a grey JPEG of 12 bits": (of_twelve_bits(jpeg(SHADES), b"\xff\xc0"), TWELVE),
        **{
            f"half of {name}": (half(data), f"human_image is {name.partition(',')[0]} that {OPEN}")
            for name, data in {
                "a JPEG, progressive": jpeg(noise, progressive=True, quality=50),
                "a PNG, interlaced": interlaced_png(IMAGE),
                "a PNG, with a palette": encoded(noise.convert("P"), "PNG"),
                "a GIF": encoded(noise.convert("P"), "GIF"),
                "a BMP": encoded(noise, "BMP"),
                "a TIFF": tiff(noise, RGB),
                "a TIFF, packed": encoded(noise, "TIFF", compression="tiff_lzw"),
                "an AVIF": encoded(IMAGE, "AVIF", speed=10),
            }.items()
        },
        **{
            f"{name}, begun with {begins[:12]!r}": (other(begins), f"human_image is {name}. {KINDS}")
            for name, begins in (
                ("an SVG drawing, which cannot be read", b"<!-- by hand -->\n<svg xmlns='x'>"),
                ("an SVG drawing, which cannot be read", b"\xef\xbb\xbf<SVG>"),
                ("a compressed file", b"\x1f\x8b\x08"),
                ("an icon file", b"\0\0\1\0\1\0"),
                ("an icon file", b"\0\0\2\0\1\0"),
                ("a Photoshop file", b"8BPS\0\2"),
                ("a JPEG XL picture, which cannot be read", b"\xff\x0a"),
                ("a JPEG 2000 picture, which cannot be read", b"\0\0\0\x0cjP  \r\n\x87\n"),
                ("a JPEG 2000 picture, which cannot be read", b"\xff\x4f\xff\x51\0\x29"),
                ("a video", b"\0\0\0\x14ftypqt  "),
                ("a video", b"\x1aE\xdf\xa3"),
                ("a video", b"RIFF\x10\0\0\0AVI LIST"),
            )
        },
    }
