"""Pictures to test with, each of them made here, and a network that exists only in the test."""

import base64
import io
import struct
import zlib
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import anyio
import anyio.to_thread
from PIL import Image, ImageCms, ImageDraw
from pillow_heif import from_pillow

from kolors_mcp.images.bounds import Bounds
from kolors_mcp.images.formats.icc import matrix_profile, srgb_light
from kolors_mcp.images.formats.outline import outline_of
from kolors_mcp.images.refusal import RefusalError
from kolors_mcp.images.worker.jobs import perform
from kolors_mcp.images.worker.messages import Done, Given, Job, Refused, Request
from kolors_mcp.images.worker.pool import Task

RED, GREEN, BLUE, YELLOW = (200, 30, 40), (30, 170, 60), (40, 60, 190), (220, 200, 40)
QUARTERS = (RED, GREEN, BLUE, YELLOW)
"""Colours of the quarters of an upright picture: top left, top right, bottom left, bottom right."""
SIZE = (384, 320)

D65 = (0.3127, 0.3290)
P3_PRIMARIES = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))


class InProcess:
    """A decoder that does the same jobs in a thread of the test's own process, where they can be looked into."""

    async def run(
        self, job: Job, *pictures: Task, bounds: Bounds | None = None, captions: tuple[str, ...] = ()
    ) -> Done:
        given = tuple(Given(one.kind, one.content.size, outline_of(one.structure)) for one in pictures)
        contents = [one.content for one in pictures]
        request = Request(job, given, bounds or Bounds(), captions=captions)
        answer = await anyio.to_thread.run_sync(perform, request, contents)
        if isinstance(answer, Refused):
            raise RefusalError(answer.text, transient=answer.transient, picture=answer.picture)
        assert isinstance(answer, Done), "a test's pictures are small"
        return answer

    async def aclose(self) -> None:
        """There is nothing to let go of."""


def quarters(size: tuple[int, int] = SIZE, colours: Sequence[tuple[int, int, int]] = QUARTERS) -> Image.Image:
    """An upright picture in four colours, no two of its turned or mirrored forms alike."""
    width, height = size
    image = Image.new("RGB", size)
    draw = ImageDraw.Draw(image)
    for index, colour in enumerate(colours):
        left, top = (index % 2) * (width // 2), (index // 2) * (height // 2)
        draw.rectangle((left, top, left + width // 2, top + height // 2), fill=colour)
    return image


@cache
def _tile(spread: float) -> Image.Image:
    # Drawing noise is dear. No side of a picture is a multiple of this one, so that no two rows are alike.
    return Image.merge("RGB", [Image.effect_noise((331, 331), spread) for _ in "RGB"])


def grain(size: tuple[int, int], spread: float) -> Image.Image:
    """Noise in three colours that no file format packs well; the same at each call, in this process."""
    image, tile = Image.new("RGB", size), _tile(spread)
    for top in range(0, size[1], tile.height):
        for left in range(0, size[0], tile.width):
            image.paste(tile, (left, top))
    return image


def corners(image: Image.Image) -> list[tuple[int, int, int]]:
    """The colours in the middle of the quarters."""
    rgb = image.convert("RGB")
    width, height = rgb.size
    points = [(width // 4, height // 4), (width * 3 // 4, height // 4)]
    points += [(x, height * 3 // 4) for x, _ in points]
    found: list[tuple[int, int, int]] = []
    for point in points:
        pixel = rgb.getpixel(point)
        assert isinstance(pixel, tuple)
        found.append((int(pixel[0]), int(pixel[1]), int(pixel[2])))
    return found


def distance(found: Iterable[Sequence[int]], expected: Iterable[Sequence[int]]) -> int:
    """The largest difference of any channel."""
    return max(abs(a - b) for x, y in zip(found, expected, strict=True) for a, b in zip(x, y, strict=True))


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The picture in a format of Pillow's."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def jpeg(image: Image.Image | None = None, **options: Any) -> bytes:
    return encoded(image or quarters(), "JPEG", **{"quality": 92, "subsampling": 0, **options})


def png(image: Image.Image | None = None, **options: Any) -> bytes:
    return encoded(image or quarters(), "PNG", **options) if image or options else _plain_png()


@cache
def _plain_png() -> bytes:
    return encoded(quarters(), "PNG")


def heic(image: Image.Image | None = None, **options: Any) -> bytes:
    return _heic(image or quarters(), **options) if image or options else _plain_heic()


@cache
def _plain_heic() -> bytes:
    return _heic(quarters())


def _heic(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    from_pillow(image).save(  # pyright: ignore[reportUnknownMemberType]
        buffer, format="HEIF", quality=95, chroma=444, **options
    )
    return buffer.getvalue()


def exif(orientation: int) -> bytes:
    """An EXIF block as phones write it: orientation, a position, a maker, a thumbnail's worth of bytes."""
    block = Image.Exif()
    block[0x0112] = orientation
    block[0x010F] = "SECRET-MAKER"
    block.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    return block.tobytes()


def turned(orientation: int, image: Image.Image | None = None) -> Image.Image:
    """The pixels that a camera stores for an upright picture when it writes this orientation."""
    upright = image or quarters()
    inverse = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    return upright.transpose(inverse[orientation]) if orientation in inverse else upright


def p3_profile() -> bytes:
    """Display P3: wider primaries, sRGB's curve."""
    return matrix_profile(D65, P3_PRIMARIES, srgb_light)


def srgb_profile() -> bytes:
    """The library's own sRGB, which is not this project's."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]


def cmyk_profile() -> bytes:
    """A small printer's profile: a table from four inks to Lab, inks thinner than the naive formula has them."""
    grid = 3
    table = bytearray()
    srgb_to_lab = ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(io.BytesIO(srgb_profile())),
        ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")),  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        "RGB",
        "LAB",
    )
    for c in range(grid):
        for m in range(grid):
            for y in range(grid):
                for k in range(grid):
                    rgb = [
                        round(255 * (1 - 0.75 * ink / (grid - 1)) * (1 - 0.85 * k / (grid - 1))) for ink in (c, m, y)
                    ]
                    one = Image.new("RGB", (1, 1), (rgb[0], rgb[1], rgb[2]))
                    lab = ImageCms.applyTransform(one, srgb_to_lab)
                    assert lab is not None
                    level, a, b = lab.tobytes()
                    # Pillow keeps a and b signed; the table has them from 0, with 128 in the middle.
                    table += bytes((level, a ^ 128, b ^ 128))
    identity = bytes(range(256))
    lut = b"mft1\0\0\0\0" + bytes((4, 3, grid, 0))
    lut += struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    lut += identity * 4 + bytes(table) + identity * 3
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    text = b"desc\0\0\0\0" + struct.pack(">I", 6) + b"Inks!\0" + b"\0" * 78
    tags = [(b"desc", text), (b"wtpt", white), (b"A2B0", lut)]
    directory, body = b"", b""
    start = 132 + 12 * len(tags)
    for name, data in tags:
        directory += struct.pack(">4sII", name, start + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    header = struct.pack(
        ">I4sI4s4s4s12s4s4sI4sI8sI3i4s16s28x",
        start + len(body), b"", 0x02400000, b"prtr", b"CMYK", b"Lab ", b"", b"acsp", b"", 0, b"", 0, b"", 0,
        63190, 65536, 54061, b"", b"",
    )  # fmt: skip
    return header + struct.pack(">I", len(tags)) + directory + body


def chunk(name: bytes, data: bytes) -> bytes:
    """A PNG chunk with its checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def with_chunk(picture: bytes, name: bytes, data: bytes) -> bytes:
    """The PNG with a chunk behind its header."""
    return picture[:33] + chunk(name, data) + picture[33:]


def with_segment(picture: bytes, code: int, data: bytes) -> bytes:
    """The JPEG with a segment behind its start."""
    return picture[:2] + struct.pack(">BBH", 0xFF, code, len(data) + 2) + data + picture[2:]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def opened(data: bytes) -> Image.Image:
    """The picture decoded, which it must be able to be."""
    image = Image.open(io.BytesIO(data), formats=["JPEG", "PNG"])
    image.load()
    return image


def assert_nothing_but_picture(data: bytes, image: Image.Image | None = None) -> None:
    """No EXIF, colour profile, comment, text, thumbnail, second picture or trailing data. It may be decoded already."""
    image = image or opened(data)
    harmless = {"jfif", "jfif_version", "jfif_unit", "jfif_density", "adobe", "adobe_transform"}
    assert not set(image.info) - harmless - {"progressive", "progression"}
    assert dict(image.getexif()) == {}
    if data[:2] == b"\xff\xd8":
        assert data.endswith(b"\xff\xd9")
        assert not any(bytes((0xFF, code)) in data[:20] for code in (0xE1, 0xE2, 0xFE))
    else:
        assert data.endswith(b"IEND\xaeB`\x82")


def riff(chunks: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


BMP_BOMB = struct.pack("<IHHIIiiHHIIiiII", 1000, 0, 0, 54, 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0)
