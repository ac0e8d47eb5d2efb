"""The odd pictures that are compared: one photo, in every way of writing it that a decoder may read otherwise."""

import struct
from collections.abc import Callable
from functools import cache

from PIL import Image, ImageFilter

from kolors_mcp.images.pixels.typed_pillow import resized
from tests.support.images_support import (
    chunk,
    cmyk_profile,
    encoded,
    exif,
    heic,
    jpeg,
    p3_profile,
    png,
    turned,
    with_chunk,
    with_segment,
)
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
from tests.support.odd_pngs import animated_png, interlaced_png, packed_png, palette_png, plain_animated_png

Made = dict[str, Callable[[], bytes]]
SIZE = WIDTH, HEIGHT = 480, 360
P3_CHROMATICITIES = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)


@cache
def photo() -> Image.Image:
    """Smooth colours from edge to edge, no two corners alike: a difference of colour or place shows anywhere."""
    gradient = Image.linear_gradient("L")
    parts = (gradient, gradient.transpose(Image.Transpose.ROTATE_90), Image.radial_gradient("L"))
    return Image.merge("RGB", [resized(part, SIZE) for part in parts]).filter(ImageFilter.GaussianBlur(4))


@cache
def clear() -> Image.Image:
    """The photo, from clear to opaque."""
    image = photo().convert("RGBA")
    image.putalpha(photo().getchannel("G"))
    return image


@cache
def grey() -> Image.Image:
    return photo().convert("L")


def coloured(primaries: int, transfer: int) -> bytes:
    """A PNG that names its colours by number (ITU-T H.273)."""
    return with_chunk(png(photo()), b"cICP", bytes((primaries, transfer, 0, 1)))


def renamed(data: bytes, primaries: int, transfer: int) -> bytes:
    """A HEIC or AVIF that names other colours by number."""
    at = data.index(b"colrnclx") + 8
    return data[:at] + struct.pack(">HH", primaries, transfer) + data[at + 4 :]


def avif(image: Image.Image | None = None, **options: object) -> bytes:
    return encoded(image or photo(), "AVIF", **{"quality": 95, "subsampling": "4:4:4", **options})


def gain_map_jpeg() -> bytes:
    """A photo with a second picture behind it, by which screens of high range brighten it (ISO 21496-1)."""
    named = b"urn:iso:std:iso:ts:21496:-1\0" + bytes(4)
    small = jpeg(resized(Image.radial_gradient("L"), (WIDTH // 4, HEIGHT // 4)), quality=60)
    return with_segment(jpeg(photo()), 0xE2, named) + with_segment(small, 0xE2, named)


def stored(orientation: int) -> Image.Image:
    return turned(orientation, photo())


PNG: Made = {
    "plain": lambda: png(photo()),
    **{f"{depth}-bit grey": lambda depth=depth: packed_png(grey(), depth) for depth in (1, 2, 4, 16)},
    "16-bit colour": lambda: packed_png(photo(), 16),
    "16-bit colour with alpha": lambda: packed_png(clear(), 16),
    "grey with alpha": lambda: packed_png(clear().convert("LA"), 8),
    "16-bit grey with alpha": lambda: packed_png(clear().convert("LA"), 16),
    **{
        f"{depth}-bit grey, one shade clear": lambda depth=depth: packed_png(
            grey(), depth, chunk(b"tRNS", bytes((0, 1 << depth - 1)) if depth < 16 else b"\x80\x7f")
        )
        for depth in (1, 2, 4, 8, 16)
    },
    "16-bit colour, one clear": lambda: packed_png(
        photo().quantize(4).convert("RGB"), 16, chunk(b"tRNS", bytes(value for c in a_colour() for value in (c, 0x7F)))
    ),
    **{f"{depth}-bit palette": lambda depth=depth: palette_png(photo(), depth) for depth in (1, 2, 4, 8)},
    "4-bit palette with alpha": lambda: palette_png(photo(), 4, alpha=True),
    "8-bit palette with alpha": lambda: palette_png(photo(), 8, alpha=True),
    "interlaced": lambda: interlaced_png(photo()),
    "interlaced with alpha": lambda: interlaced_png(clear()),
    "alpha": lambda: png(clear()),
    "cICP, Display P3": lambda: coloured(12, 13),
    "cICP, BT.2020": lambda: coloured(9, 14),
    "cICP, BT.709": lambda: coloured(1, 1),
    "cICP, BT.470": lambda: coloured(5, 5),
    "cICP, PQ": lambda: coloured(9, 16),
    "cICP, HLG": lambda: coloured(9, 18),
    "cICP, linear": lambda: coloured(1, 8),
    "gAMA 1.0": lambda: with_chunk(png(photo()), b"gAMA", struct.pack(">I", 100_000)),
    "gAMA 1.8": lambda: with_chunk(png(photo()), b"gAMA", struct.pack(">I", 55_556)),
    "cHRM": lambda: with_chunk(
        with_chunk(png(photo()), b"cHRM", P3_CHROMATICITIES), b"gAMA", struct.pack(">I", 45_455)
    ),
    "profile": lambda: png(photo(), icc_profile=p3_profile()),
    "eXIf 6": lambda: png(stored(6), exif=exif(6)),
    "animated": lambda: plain_animated_png(photo()),
    "animated, still is no frame": lambda: animated_png(png(photo()), png(negative(photo()))),
    "animated, first frame is a part": lambda: animated_png(
        png(photo()), png(negative(photo()).crop((0, 0, 200, 100))), 40, 40
    ),
}
JPEG: Made = {
    "plain": lambda: jpeg(photo()),
    "grey": lambda: jpeg(grey()),
    "progressive": lambda: jpeg(photo(), progressive=True),
    "half the colours": lambda: jpeg(photo(), subsampling=2),
    "RGB": lambda: jpeg(photo(), keep_rgb=True),
    "CMYK": lambda: jpeg(photo().convert("CMYK")),
    "CMYK with a profile": lambda: jpeg(photo().convert("CMYK"), icc_profile=cmyk_profile()),
    "CMYK without marker": lambda: without_adobe(jpeg(photo().convert("CMYK"))),
    "YCCK": lambda: ycck_jpeg(photo()),
    "profile": lambda: jpeg(photo(), icc_profile=p3_profile()),
    "no JFIF header": lambda: jpeg(photo())[:2] + jpeg(photo())[20:],
    "gain map": gain_map_jpeg,
    "less its end": lambda: jpeg(photo())[:-2],
    **{f"orientation {tag}": lambda tag=tag: jpeg(stored(tag), exif=exif(tag)) for tag in range(1, 9)},
}
TIFF: Made = {
    "plain": lambda: tiff(photo(), RGB),
    "big-endian": lambda: tiff(photo(), RGB, order=">"),
    **{
        f"packed by {way}": lambda way=way: encoded(photo(), "TIFF", compression=way)
        for way in ("tiff_lzw", "tiff_adobe_deflate", "jpeg")
    },
    "fax": lambda: encoded(grey().convert("1"), "TIFF", compression="group4"),
    "white is zero": lambda: tiff(negative(grey()), WHITE_IS_ZERO),
    "white is zero, 16 bit": lambda: tiff(negative(grey()), WHITE_IS_ZERO, bits=16),
    "16-bit grey": lambda: tiff(grey(), BLACK_IS_ZERO, bits=16),
    "16-bit grey, big-endian": lambda: tiff(grey(), BLACK_IS_ZERO, bits=16, order=">"),
    "16-bit colour": lambda: tiff(photo(), RGB, bits=16),
    "float": lambda: tiff(grey(), BLACK_IS_ZERO, bits=32),
    "CMYK": lambda: tiff(photo().convert("CMYK"), CMYK),
    "Lab": lambda: lab_tiff(photo()),
    "alpha": lambda: tiff(clear(), RGB, t338=2),
    "premultiplied alpha": lambda: tiff(clear().convert("RGBa"), RGB, t338=1),
    **{f"orientation {tag}": lambda tag=tag: encoded(stored(tag), "TIFF", tiffinfo={274: tag}) for tag in range(1, 9)},
}
OTHERS: Made = {
    "WebP": lambda: encoded(photo(), "WEBP", quality=95),
    "WebP, alpha": lambda: encoded(clear(), "WEBP", quality=95),
    "WebP, lossless with alpha": lambda: encoded(clear(), "WEBP", lossless=True, exact=True),
    "WebP, profile": lambda: encoded(photo(), "WEBP", quality=95, icc_profile=p3_profile()),
    "WebP, animated": lambda: encoded(photo(), "WEBP", lossless=True, save_all=True, append_images=[negative(photo())]),
    "WebP, EXIF 6": lambda: encoded(stored(6), "WEBP", quality=95, exif=exif(6)),
    "GIF": lambda: encoded(photo().quantize(64), "GIF"),
    "GIF, not interlaced": lambda: encoded(photo().quantize(64), "GIF", interlace=0),
    "GIF, animated": lambda: encoded(photo(), "GIF", save_all=True, append_images=[negative(photo())]),
    "GIF, first frame is a part": lambda: gif_part(photo(), 320),
    "GIF, first frame is a part, half clear": lambda: gif_part(photo(), 320, has_clear_part=True),
    "BMP, 24 bit": lambda: encoded(photo(), "BMP"),
    **{f"BMP, {bits} bit": lambda bits=bits: grey_bmp(grey(), bits) for bits in (1, 4, 8)},
    "BMP, 16 bit": lambda: bmp_of_16_bits(photo(), (0x7C00, 0x03E0, 0x001F)),
    "BMP, 16 bit, more of green": lambda: bmp_of_16_bits(photo(), (0xF800, 0x07E0, 0x001F)),
    "BMP, alpha": lambda: bmp_with_alpha(clear()),
    "AVIF": avif,
    "AVIF, grey": lambda: avif(grey(), subsampling="4:0:0"),
    "AVIF, alpha": lambda: avif(clear()),
    "AVIF, profile": lambda: avif(icc_profile=p3_profile()),
    "AVIF, Display P3 by number": lambda: renamed(avif(), 12, 13),
    "AVIF, BT.601 by number": lambda: renamed(avif(), 6, 6),
    "AVIF, PQ": lambda: renamed(avif(), 9, 16),
    "AVIF, turned": lambda: avif(stored(6), exif=exif(6)),
    "HEIC": lambda: heic(photo()),
    "HEIC, alpha": lambda: heic(clear()),
    "HEIC, grey": lambda: heic(grey()),
    "HEIC, profile": lambda: heic(photo(), icc_profile=p3_profile()),
    "HEIC, turned": lambda: heic(stored(6), exif=exif(6)),
}


def a_colour() -> tuple[int, ...]:
    """The colour in the middle of the photo in four colours."""
    pixel = photo().quantize(4).convert("RGB").getpixel((WIDTH // 2, HEIGHT // 2))
    assert isinstance(pixel, tuple)
    return tuple(int(value) for value in pixel)


PICTURES: Made = {
    **{f"PNG, {name}": made for name, made in PNG.items()},
    **{f"JPEG, {name}": made for name, made in JPEG.items()},
    **{f"TIFF, {name}": made for name, made in TIFF.items()},
    **OTHERS,
}
