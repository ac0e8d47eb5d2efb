"""What a decoder is told of a picture's structure, small enough to be handed to another process."""

from dataclasses import dataclass

from kolors_mcp.images.formats.content import Span
from kolors_mcp.images.formats.structure import Walked


@dataclass(frozen=True)
class Outline:
    """The part of a `Walked` that decides how its bytes are decoded; see there."""

    width: int
    height: int
    scans: int
    progressive: bool
    readable: tuple[Span, ...] | None
    turn: int = 1


def outline_of(walked: Walked | None) -> Outline | None:
    """Return what a walk found for the decoder; None if it did not come to the end."""
    if walked is None:
        return None
    return Outline(walked.width, walked.height, walked.scans, walked.progressive, walked.readable, walked.turn)
