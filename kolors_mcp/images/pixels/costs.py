"""How much memory it takes to decode a picture, and how much one may take, told before anything is decoded."""

from kolors_mcp.images import limits
from kolors_mcp.images.formats.sniff import Kind
from kolors_mcp.images.refusal import RefusalError

WHOLE: dict[Kind, tuple[float, float]] = {"WebP": (12, 4), "AVIF": (9.5, 4), "HEIC": (7.5, 4)}
"""Bytes for each pixel of decoders that unpack the whole picture into memory of their own and hand over a copy: at
most, and afterwards. Measured with Pillow 13, libwebp 1.6, dav1d and libheif 1.23."""
BAND_PIXELS = 1_000_000
"""Pixels that are unpacked, converted and shrunk at once; a picture of so many is converted whole."""
_BAND_BYTES = 20 * BAND_PIXELS
"""Memory for all forms in which a band is held, from what its decoder packs it into to what is left of it."""
_STORED = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "F": 9}
"""Bytes in which Pillow keeps a pixel of a mode; four for most, whatever they need. Numbers with a point
are copied once."""
_LARGE = 15_000_000
"""Pixels up to which every picture fits into the smaller share of memory."""


def bytes_for(kind: Kind, mode: str, size: tuple[int, int], enough: tuple[int, int], *, banded: bool = False) -> int:
    """Return the memory that a picture takes until it is flat and of the size that is enough.

    Args:
        kind: Which decoder it has.
        mode: What its pixels are made of.
        size: Of what is decoded.
        enough: What it is shrunk to.
        banded: Whether its rows are made when they are asked for.
    """
    most, kept = WHOLE.get(kind, (_STORED.get(mode, 4),) * 2)
    pixels = size[0] * size[1]
    flat = 4 * min(pixels, enough[0] * enough[1])
    if banded:
        return _BAND_BYTES + flat
    return int(max(most * pixels, kept * pixels + flat))


class DearError(Exception):
    """A picture takes more memory than it was given, but not more than one may have that is decoded alone.

    Attributes:
        memory: Bytes that it should be given.
    """

    def __init__(self, memory: int) -> None:
        super().__init__()
        self.memory = memory


def memory_for(file_bytes: int, pixels: int = _LARGE) -> int:
    """Return the memory that a picture may take that is decoded alone.

    A bomb is small, and a photo is not: who sends megabytes may have the memory that a photo of that size needs.
    """
    photo = pixels <= file_bytes * limits.PHOTO_PIXELS_PER_BYTE
    return limits.PHOTO_DECODING_BYTES if photo else limits.DECODING_BYTES


def most_pixels_for(needed: int, pixels: int, most: int) -> int:
    """Return how many pixels of the same kind would fit."""
    return pixels * most // needed


def too_dear(kind: str) -> str:
    """Say that a picture could not be decoded within the bounds; the rest of a sentence."""
    return (
        f"is {named(kind)} that cannot be opened here; it needs too much memory or time. "
        "Save it as a smaller JPEG first."
    )


def no_memory(kind: Kind, file_bytes: int, memory: int | None) -> DearError | RefusalError:
    """Return what is raised when memory ran out after all, so much having been given."""
    alone = memory_for(file_bytes)
    return RefusalError(too_dear(kind)) if memory is None or memory >= alone else DearError(alone)


def no_process(kind: str) -> str:
    """Say that there is nothing here that could decode a picture; the rest of a sentence."""
    megabytes, megapixels = limits.MAX_BYTES // 1_000_000, limits.MAX_PIXELS // 1_000_000
    return (
        f"is {named(kind)} that cannot be opened here: no process for it could be started. Give an upright sRGB JPEG "
        f"of at most {megabytes} MB and {megapixels} megapixels; that is sent as it is."
    )


def named(kind: str) -> str:
    """Return a kind with its article."""
    return f"an {kind}" if kind == "AVIF" else f"a {kind}"
