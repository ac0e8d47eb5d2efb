"""Judges bytes without decoding them: do they fit as they are. All of it is work for a thread."""

import hashlib
from dataclasses import dataclass

from kolors_mcp.images import limits
from kolors_mcp.images.bounds import Bounds
from kolors_mcp.images.formats import jpeg, png, tiff
from kolors_mcp.images.formats.content import Content, MemoryContent
from kolors_mcp.images.formats.sniff import HEAD_BYTES, Kind, description_of, kind_of
from kolors_mcp.images.formats.structure import BrokenError, Structure
from kolors_mcp.images.refusal import RefusalError, too_small


@dataclass(frozen=True)
class Looked:
    """What a look at the bytes, without decoding them, has shown."""

    kind: Kind
    structure: Structure | None

    def fits(self, bounds: Bounds) -> bool:
        """Return whether the bytes are sent as they are."""
        found = self.structure
        return found is not None and found.travels and bounds.lets_pass((found.width, found.height))

    @property
    def notes(self) -> tuple[str, ...]:
        """What leaving the rest out changes for the eye."""
        animated = self.structure is not None and self.structure.animated
        return ("only the first of its pictures is used",) if animated else ()


def digest_of(content: Content, looked: Looked) -> bytes:
    """Return what tells a picture from others: SHA-256 of what of it is picture, or of all where that is not known."""
    if looked.structure is not None:
        return looked.structure.digest
    whole = hashlib.sha256()
    for _, piece in content.slices(0):
        whole.update(piece)
    return whole.digest()


@dataclass(frozen=True)
class Made:
    """A picture that was written anew."""

    content: MemoryContent
    structure: Structure
    notes: tuple[str, ...]


def look(content: Content, *, least: int = limits.MIN_SIDE) -> Looked:
    """Judge a picture by its structure.

    Raises:
        RefusalError: It is no picture, too small, or evidently cut off.
    """
    head = content.read(0, HEAD_BYTES)
    kind = kind_of(head)
    if kind is None:
        raise RefusalError(f"is {description_of(head)}. Give a JPEG, PNG, WebP, HEIC, AVIF, GIF, BMP or TIFF picture.")
    read = {"JPEG": jpeg.read_structure, "PNG": png.read_structure}.get(kind)
    if kind == "TIFF":
        tiff.require_few_pieces(content)
    if read is None:
        return Looked(kind, None)
    try:
        structure = read(content)
    except BrokenError:
        return Looked(kind, None)
    if min(structure.width, structure.height) < least:
        raise too_small(structure.width, structure.height, least)
    return Looked(kind, structure)


def made_of(data: bytes | bytearray, notes: tuple[str, ...], bounds: Bounds) -> Made:
    """Look at what was written as strictly as at a picture from outside, also where this package wrote it.

    Raises:
        RefusalError: It is no picture that fits.
    """
    content = MemoryContent(data)
    looked = look(content)
    if looked.structure is None or not looked.fits(bounds):
        raise RefusalError("could not be written anew. Save it as a JPEG first.")
    return Made(content, looked.structure, notes)


def host_takes(data: bytes) -> bool:
    """Return whether hosts take a picture as it is."""
    return kind_of(data[:HEAD_BYTES]) == "JPEG" and len(data) <= limits.FOR_HOST_BYTES


def kind_known(data: bytes) -> Kind:
    """Return what kind of picture the bytes begin like.

    Raises:
        RefusalError: None that can be read.
    """
    kind = kind_of(data[:HEAD_BYTES])
    if kind is None:
        raise RefusalError("is no picture")
    return kind


def whole(content: Content) -> Looked | None:
    """See that a picture is whole; return what is known of it if only its decoder can tell.

    Raises:
        RefusalError: It is not, or it is no picture.
    """
    try:
        looked = look(content, least=1)
    except RefusalError as error:
        raise RefusalError(str(error), transient=True) from error
    return looked if looked.structure is None else None
