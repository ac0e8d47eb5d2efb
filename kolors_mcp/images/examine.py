"""Judges bytes: do they fit as they are, or what has to be made of them. All of it is work for a thread.

The decoders are imported by the first picture that needs them.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kolors_mcp.images import jpeg, limits, png
from kolors_mcp.images.content import Content, MemoryContent
from kolors_mcp.images.refusal import RefusalError
from kolors_mcp.images.sniff import HEAD, Kind, description_of, kind_of
from kolors_mcp.images.walked import BrokenError, Walked

if TYPE_CHECKING:
    from kolors_mcp.images.outfit import Garment


@dataclass(frozen=True)
class Looked:
    """What a look at the bytes, without decoding them, has shown."""

    kind: Kind
    walked: Walked | None
    fits: bool

    @property
    def notes(self) -> tuple[str, ...]:
        """What leaving the rest out changes for the eye."""
        animated = self.walked is not None and self.walked.animated
        return ("only the first of its pictures is used",) if animated else ()


@dataclass(frozen=True)
class Made:
    """A picture that was written anew."""

    content: MemoryContent
    walked: Walked
    notes: tuple[str, ...]


def look(content: Content, *, least: int = limits.MIN_SIDE) -> Looked:
    """Walk through a picture's structure.

    Raises:
        RefusalError: It is no picture, too small, or evidently cut off.
    """
    head = content.read(0, HEAD)
    kind = kind_of(head)
    if kind is None:
        raise RefusalError(f"is {description_of(head)}. Give a JPEG, PNG, WebP, HEIC, AVIF, GIF, BMP or TIFF picture.")
    walker = {"JPEG": jpeg.walk, "PNG": png.walk}.get(kind)
    if walker is None:
        return Looked(kind, None, fits=False)
    try:
        walked = walker(content)
    except BrokenError:
        return Looked(kind, None, fits=False)
    if min(walked.width, walked.height) < least:
        raise RefusalError(
            f"is {walked.width} x {walked.height} pixels; each side must be at least {least}. Ask for a larger photo."
        )
    fits = (
        walked.obstacle is None
        and walked.size <= limits.MAX_BYTES
        and max(walked.width, walked.height) <= limits.MAX_SIDE
        and walked.width * walked.height <= limits.MAX_PIXELS
    )
    return Looked(kind, walked, fits=fits)


def convert(content: Content, looked: Looked) -> Made:
    """Decode a picture and write it anew within the limits.

    Raises:
        RefusalError: It cannot be opened, or costs too much to open.
    """
    from kolors_mcp.images.encode import encode, enough  # noqa: PLC0415  (brings Pillow)
    from kolors_mcp.images.pixels import decode  # noqa: PLC0415  (brings Pillow)

    pixels = decode(content, looked.kind, looked.walked, smaller=enough)
    data, notes = encode(pixels, content.size)
    return _made(data, looked.notes + tuple(notes))


def garment(content: Content) -> "Garment":
    """Decode one piece of an outfit.

    Raises:
        RefusalError: It is no picture, too small, or cannot be opened.
    """
    from kolors_mcp.images.outfit import garment as piece  # noqa: PLC0415  (brings Pillow)

    looked = look(content)
    return piece(content, looked.kind, looked.walked)


def outfit(upper: "Garment", lower: "Garment") -> Made:
    """Put two garments on one white canvas.

    Raises:
        RefusalError: They are the same.
    """
    from kolors_mcp.images.outfit import compose  # noqa: PLC0415  (brings Pillow)

    return _made(*compose(upper, lower))


def preview(data: bytes) -> bytes:
    """Return a small JPEG of a picture; see `kolors_mcp.images.preview`."""
    from kolors_mcp.images.preview import preview as made  # noqa: PLC0415  (brings Pillow)

    return made(data)


def beside(left: bytes, right: bytes) -> bytes:
    """Return two pictures in one small JPEG; see `kolors_mcp.images.preview`."""
    from kolors_mcp.images.preview import beside as made  # noqa: PLC0415  (brings Pillow)

    return made(left, right)


def handed_out(data: bytes) -> tuple[bytes, bool]:
    """Return a picture as a JPEG within the limits of what hosts take, untouched if it is one, and whether it shrank.

    Raises:
        RefusalError: The bytes are no picture.
    """
    if kind_of(data[:HEAD]) == "JPEG" and len(data) <= limits.HANDED_OUT_BYTES:
        return data, False
    from kolors_mcp.images.preview import handed_out as made  # noqa: PLC0415  (brings Pillow)

    return made(data)


def verify(content: Content) -> None:
    """See that a picture is whole.

    Raises:
        RefusalError: It is not, or it is no picture.
    """
    try:
        looked = look(content, least=1)
    except RefusalError as error:
        raise RefusalError(str(error), passing=True) from error
    if looked.walked is None:
        from kolors_mcp.images.pixels import decode  # noqa: PLC0415  (brings Pillow)

        decode(content, looked.kind, None, least=1)


def _made(data: bytes, notes: tuple[str, ...]) -> Made:
    """Look at what was written as strictly as at anybody else's picture."""
    content = MemoryContent(data)
    walked = (jpeg.walk if kind_of(data[:HEAD]) == "JPEG" else png.walk)(content)
    return Made(content, walked, notes)
