"""Makes pictures that no library of the tests writes: TIFFs by their tags, BMPs of few bits, inks, frames of a GIF."""

import struct
from collections.abc import Callable
from functools import lru_cache

from PIL import Image, ImageCms

from tests.support.images_support import encoded, jpeg
from tests.support.odd_pngs import interwoven, packed, rows_of

BLACK_IS_ZERO, WHITE_IS_ZERO, RGB, CMYK = 1, 0, 2, 5
"""What the numbers of a TIFF mean (tag 262)."""


def tiff(
    image: Image.Image, photometric: int, *, bits: int = 8, order: str = "<", data: bytes | None = None, **tags: int
) -> bytes:
    """A TIFF of one strip.

    Args:
        image: What is in it.
        photometric: What its numbers mean.
        bits: Of a channel: 8, 16, or 32 for numbers from 0 to 1.
        order: Of the bytes.
        data: What stands there instead of the picture's own numbers.
        **tags: More of them by number, as `t338=2`.
    """
    samples = len(image.getbands())
    if data is None:
        values = image.tobytes()
        fractions = [struct.pack(f"{order}f", value / 255) for value in range(256)]
        data = {
            8: lambda: values,
            16: lambda: interwoven(values, values),
            32: lambda: b"".join(map(fractions.__getitem__, values)),
        }[bits]()
    depths = struct.pack(f"{order}{samples}H", *[bits] * samples)
    entries = {256: image.width, 257: image.height, 259: 1, 262: photometric, 277: samples, 278: image.height}
    entries |= {279: len(data), 339: 3 if bits == 32 else 1} | {int(name[1:]): value for name, value in tags.items()}
    behind = 8 + 2 + 12 * (len(entries) + 2) + 4
    entries[273] = behind + len(depths)
    written = {tag: struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in entries.items()}
    # Up to two short numbers stand in the entry itself.
    place = depths.ljust(4, b"\0") if samples < 3 else struct.pack(f"{order}I", behind)
    written[258] = struct.pack(f"{order}HHI", 258, 3, samples) + place
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(written))
    return head + b"".join(written[tag] for tag in sorted(written)) + bytes(4) + depths + data


def lab_tiff(image: Image.Image) -> bytes:
    made = ImageCms.profileToProfile(
        image,
        ImageCms.createProfile("sRGB"),  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        ImageCms.createProfile("LAB"),  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        outputMode="LAB",
    )
    assert made is not None
    return encoded(made, "TIFF")


def negative(image: Image.Image) -> Image.Image:
    return Image.eval(image, lambda value: 255 - value)


# --- JPEG


def without_adobe(data: bytes) -> bytes:
    """A JPEG without the marker that says whose inks these are."""
    at = data.index(b"\xff\xee")
    return data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") :]


def ycck_jpeg(image: Image.Image) -> bytes:
    """A JPEG of inks of which the first three are coded as luminance and chroma, as Photoshop writes it."""
    # Both write the complement of an ink, and the colours that are coded are the inks' own.
    coded = [negative(channel) for channel in negative(image).convert("YCbCr").split()]
    data = jpeg(Image.merge("CMYK", (*coded, Image.new("L", image.size, 0))))
    at = data.index(b"Adobe") + 11
    return data[:at] + b"\2" + data[at + 1 :]


# --- GIF and BMP


def gif_part(image: Image.Image, side: int, *, has_clear_part: bool = False) -> bytes:
    """A GIF whose first frame covers a square at the top left of its canvas; a half of that may be clear."""
    few = image.quantize(63, dither=Image.Dither.NONE)
    options = {}
    if has_clear_part:
        few.paste(63, (0, 0, side // 2, side))
        options = {"transparency": 63}
    data = bytearray(encoded(few.crop((0, 0, side, side)), "GIF", **options))
    data[6:10] = struct.pack("<HH", *image.size)
    data[11] = 7  # the background's colour, which browsers do not show
    return bytes(data)


def grey_bmp(image: Image.Image, bits: int) -> bytes:
    """A BMP of shades of grey by a palette."""
    table = b"".join(bytes((shade, shade, shade, 0)) for shade in range(0, 256, 255 // ((1 << bits) - 1)))
    return _bmp(image, bits, lambda row: packed(row, bits), table=table)


def bmp_of_16_bits(image: Image.Image, masks: tuple[int, int, int]) -> bytes:
    """A BMP whose colours stand in so many bits of two bytes."""
    fields = [((mask & -mask).bit_length() - 1, mask.bit_count()) for mask in masks]

    @lru_cache(maxsize=8)
    def packed_row(row: bytes) -> bytes:
        channels = zip(row[::3], row[1::3], row[2::3], strict=True)
        return b"".join(
            sum((value >> 8 - bits) << shift for value, (shift, bits) in zip(pixel, fields, strict=True)).to_bytes(
                2, "little"
            )
            for pixel in channels
        )

    return _bmp(image, 16, packed_row, masks=struct.pack("<III", *masks))


def bmp_with_alpha(image: Image.Image) -> bytes:
    """A BMP of 32 bits that says which of them are alpha."""
    red, green, blue, alpha = image.split()
    swapped = Image.merge("RGBA", (blue, green, red, alpha))
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    return _bmp(swapped, 32, bytes, header=124, masks=masks)


def _bmp(
    image: Image.Image,
    bits: int,
    pack: Callable[[bytes], bytes],
    *,
    header: int = 40,
    table: bytes = b"",
    masks: bytes = b"",
) -> bytes:
    packed_rows = [pack(row) for row in rows_of(image, 8)]
    rows = b"".join(row + bytes(-len(row) % 4) for row in reversed(packed_rows))
    more = masks if header == 40 else masks.ljust(header - 40, b"\0")
    start = 14 + 40 + len(more) + len(table)
    about = struct.pack("<IiiHHIIiiII", header, *image.size, 1, bits, 3 if masks else 0, len(rows), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + about + more + table + rows
