"""Decodes any picture into upright pixels in sRGB on white, within a budget of memory and time."""

from collections.abc import Callable
from dataclasses import dataclass, field
from io import BufferedReader
from typing import IO, cast

from PIL import Image, JpegImagePlugin, TiffImagePlugin
from PIL.Image import Transpose

from kolors_mcp.images.bounds import SCALES, Size, scaled_down
from kolors_mcp.images.formats import jpeg, png
from kolors_mcp.images.formats.content import Content, SpanReader
from kolors_mcp.images.formats.jpeg_opening import check_opening
from kolors_mcp.images.formats.missing_end import completed_pictures
from kolors_mcp.images.formats.outline import Outline, outline_of
from kolors_mcp.images.formats.sniff import HEAD_BYTES, Kind
from kolors_mcp.images.limits import MAX_DECODED_PIXELS, MAX_SCAN_PIXELS, MIN_SIDE
from kolors_mcp.images.pixels.costs import DearError, bytes_for, memory_for, most_pixels_for, named, no_memory
from kolors_mcp.images.pixels.declared import (
    USUAL_DEPTH,
    coefficient_bytes,
    depth_of,
    frames_of,
    piece_bytes,
    turn_of,
    webp_size,
)
from kolors_mcp.images.pixels.flatten import flattened
from kolors_mcp.images.pixels.loaded import is_same, loaded, opened, streamed
from kolors_mcp.images.refusal import RefusalError, too_many_pixels, too_small

_UPRIGHT: dict[int, tuple[Transpose, str]] = {
    2: (Transpose.FLIP_LEFT_RIGHT, "mirrored"),
    3: (Transpose.ROTATE_180, "turned by 180 degrees"),
    4: (Transpose.FLIP_TOP_BOTTOM, "mirrored and turned by 180 degrees"),
    5: (Transpose.TRANSPOSE, "mirrored and turned by 270 degrees"),
    6: (Transpose.ROTATE_270, "turned by 90 degrees"),
    7: (Transpose.TRANSVERSE, "mirrored and turned by 90 degrees"),
    8: (Transpose.ROTATE_90, "turned by 270 degrees"),
}
"""What makes a picture upright, by the EXIF orientation tag; degrees are clockwise."""

_SIDEWAYS = frozenset((5, 6, 7, 8))
"""Turns that swap width and height."""

_NOT_HERE = ("reformat failed", "not supported", "unsupported", "not implemented")
"""What decoders say of pictures that are sound, but that they were not built for."""

_LOSSLESS: frozenset[Kind] = frozenset(("PNG", "GIF", "BMP"))


@dataclass
class Pixels:
    """A decoded picture: mode RGB or L, upright, sRGB, opaque."""

    image: Image.Image
    kind: Kind
    declared: Size
    """Width and height of the whole picture, upright, although `image` may have been decoded smaller."""
    notes: list[str] = field(default_factory=list[str])

    @property
    def lossless(self) -> bool:
        """Whether the picture came from a format that loses nothing, as drawings and screenshots do."""
        return self.kind in _LOSSLESS


def decode(
    content: Content,
    kind: Kind,
    outline: Outline | None,
    *,
    smaller: Callable[[Size], Size] = lambda size: size,
    least: int = MIN_SIDE,
    memory: int | None = None,
) -> Pixels:
    """Return the pixels of a picture.

    Args:
        content: The bytes.
        kind: What they begin like.
        outline: Their structure, if it could be read to its end.
        smaller: From the declared size to one that is enough; the picture has it then, or is larger if that was cheap.
        least: Least pixels of each side.
        memory: Bytes that may be taken; without, what a picture may have that is decoded alone.

    Raises:
        RefusalError: They cannot be opened, or cost too much to open.
        DearError: They cost more than `memory`.
    """
    try:
        return _decode(content, kind, outline, smaller, least, memory)
    except (RefusalError, DearError):
        raise
    except MemoryError as error:
        raise no_memory(kind, content.size, memory) from error
    except Exception as error:  # decoders raise anything at all on hostile bytes
        if any(word in str(error).lower() for word in _NOT_HERE):
            raise RefusalError(
                f"is {named(kind)} of a sort that cannot be read here. Save it as a JPEG first."
            ) from error
        completed = completed_pictures(content, kind) if outline is None else None
        if completed is not None:
            pixels = _completed(completed, kind, smaller, least, memory)
            if pixels is not None:
                return pixels
        raise RefusalError(
            f"is {named(kind)} that cannot be opened; it is damaged or cut off. Give another copy of it.",
            transient=True,
        ) from error


def _completed(
    contents: tuple[Content, Content],
    kind: Kind,
    smaller: Callable[[Size], Size],
    least: int,
    memory: int | None,
) -> Pixels | None:
    """Return a picture that lacks its last bytes, if next to nothing of it is missing.

    Rows that a decoder makes up depend on what stands in place of the missing bytes; rows that are there do not.
    """
    try:
        pixels, other = (_decode(content, kind, None, smaller, least, memory) for content in contents)
    except (RefusalError, DearError, MemoryError):
        raise
    except Exception:  # noqa: BLE001  (as above: then it is refused like any damaged picture)
        return None
    if not is_same(pixels.image, other.image):
        return None
    pixels.notes.append("its last bytes are missing; the picture is whole")
    return pixels


def _decode(
    content: Content,
    kind: Kind,
    outline: Outline | None,
    smaller: Callable[[Size], Size],
    least: int,
    memory: int | None,
) -> Pixels:
    if kind == "WebP":
        # Its decoder sets memory aside for the declared size as soon as it is opened.
        size = webp_size(content.read(0, 32))
        check_size(*size, least, budget=MAX_DECODED_PIXELS)
        _check_memory(content, size, bytes_for(kind, "RGBA", size, smaller(size)), memory)
    if kind == "JPEG" and outline is None:
        check_opening(content)
    if kind == "PNG" and (shown := png.first_shown(content)) is not None:
        content, outline = shown[0], outline_of(shown[1])
    spans = ((0, content.size),) if outline is None or outline.readable is None else outline.readable
    with BufferedReader(SpanReader(content, spans), 1 << 16) as file:
        image = opened(cast("IO[bytes]", file), kind)
        check_size(*image.size, least, budget=None if kind == "JPEG" else MAX_DECODED_PIXELS)
        declared, rows = image.size, streamed(image, cast("IO[bytes]", file), content, outline)
        if isinstance(image, JpegImagePlugin.JpegImageFile):
            _spare(image, content, outline, smaller, memory)
        else:
            extra = piece_bytes(image) if isinstance(image, TiffImagePlugin.TiffImageFile) else 0
            banded = rows is not None
            needed = extra + bytes_for(kind, image.mode, image.size, smaller(image.size), banded=banded)
            _check_memory(content, image.size, needed, memory)
        frames = frames_of(image)
        turn = turn_of(image) if outline is None else outline.turn
        depth = depth_of(image, content)
        pixels = loaded(image, rows, content, kind, outline, memory)
        del image  # with it goes what its decoder holds
        if pixels.size[0] * pixels.size[1] > MAX_DECODED_PIXELS:
            raise too_many_pixels(*pixels.size, MAX_DECODED_PIXELS)
        notes = [f"only the first of its {frames} used"] if frames else []
        if depth > USUAL_DEPTH:
            notes.append(f"reduced from {depth} to 8 bits a channel")
        if kind == "TIFF":  # whose decoder has turned it already
            declared, turned = pixels.size, False
        else:
            turned = turn in _SIDEWAYS
        enough = _swapped(smaller(_swapped(declared, turned)), turned)
        head = content.read(0, HEAD_BYTES * 16) if kind in ("HEIC", "AVIF") else b""
        flat, colour_notes = flattened(pixels, head, enough)
        del pixels, rows
        notes += colour_notes
    if turn in _UPRIGHT:
        transposition, words = _UPRIGHT[turn]
        notes.insert(0, f"{words} as the photo's tag says")
        if kind != "TIFF":
            flat = flat.transpose(transposition)
    flat.info.clear()
    return Pixels(flat, kind, _swapped(declared, turned), notes)


def _reaches(size: Size, enough: Size) -> bool:
    return size[0] >= enough[0] and size[1] >= enough[1]


def _swapped(size: Size, turned: bool) -> Size:
    return (size[1], size[0]) if turned else size


def _check_memory(content: Content, size: Size, needed: int, memory: int | None) -> None:
    """Refuse a picture by the memory that its decoder takes, or ask for it, before anything is decoded."""
    pixels = size[0] * size[1]
    most = memory_for(content.size, pixels)
    if needed > most:
        raise too_many_pixels(*size, most_pixels_for(needed, pixels, most), of_its_kind=True)
    if memory is not None and needed > memory:
        raise DearError(most)


def check_size(width: int, height: int, least: int, *, budget: int | None) -> None:
    """Refuse a picture by the size that it declares, before anything is decoded."""
    if min(width, height) < least:
        raise too_small(width, height, least)
    if budget is not None and width * height > budget:
        raise too_many_pixels(width, height, MAX_DECODED_PIXELS)


def _spare(
    image: JpegImagePlugin.JpegImageFile,
    content: Content,
    outline: Outline | None,
    smaller: Callable[[Size], Size],
    memory: int | None,
) -> None:
    """Bound what a JPEG costs: memory by decoding it smaller if that will do, time by its scans."""
    width, height = image.size
    progressive = bool(image.info.get("progressive")) or (outline is not None and outline.progressive)
    scans = outline.scans if outline is not None else jpeg.count_scans(content)
    if width * height * scans > MAX_SCAN_PIXELS:
        raise RefusalError(
            f"has {width} x {height} pixels in {scans} passes, which takes too long to open. Save it anew first."
        )
    enough = smaller(image.size)
    scale = next((scale for scale in SCALES if _reaches(scaled_down(image.size, scale), enough)), 1)
    if scale > 1:
        # Asked for less than what it comes to, so that a size with a remainder is not decoded at twice the scale.
        image.draft(image.mode, (width // scale, height // scale))
    # All scans of a progressive picture are held whole, whatever is made of them afterwards.
    held = (width, height) if progressive else image.size
    if held[0] * held[1] > MAX_DECODED_PIXELS:
        raise too_many_pixels(width, height, MAX_DECODED_PIXELS)
    needed = bytes_for("JPEG", image.mode, image.size, enough) + (coefficient_bytes(image, held) if progressive else 0)
    _check_memory(content, (width, height), needed, memory)
