"""What a decoder is told of a picture's structure, small enough to be handed to another process."""

from dataclasses import dataclass

from kolors_mcp.images.formats.content import Span
from kolors_mcp.images.formats.structure import Structure


@dataclass(frozen=True)
class Outline:
    """The part of a `Structure` that decides how its bytes are decoded; see there."""

    width: int
    height: int
    scans: int
    progressive: bool
    readable: tuple[Span, ...] | None
    turn: int = 1
    size: int = 0
    """Bytes of what is picture."""
    travels: bool = False
    colour_codes: tuple[int, int] | None = None


def outline_of(structure: Structure | None) -> Outline | None:
    """Return what a decoder is told of a structure; None if it could not be read to its end."""
    if structure is None:
        return None
    return Outline(
        structure.width,
        structure.height,
        structure.scans,
        structure.progressive,
        structure.readable,
        structure.turn,
        structure.size,
        structure.travels,
        structure.colour_codes,
    )
