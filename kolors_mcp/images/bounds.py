"""What a picture that is sent has to fit into, and the size that it is brought to."""

from dataclasses import dataclass, field
from math import ceil

from kolors_mcp.images import limits
from kolors_mcp.images.limits import MIN_SIDE

Size = tuple[int, int]
"""Width and height in pixels."""

SCALES = (8, 4, 2)
"""The decoder of JPEGs makes a picture smaller by one of these at next to no cost, before it has all of its pixels."""


@dataclass(frozen=True)
class Bounds:
    """Bytes and the longest side, in pixels; each as `limits` has it if it is not given."""

    max_bytes: int = field(default_factory=lambda: limits.MAX_BYTES)
    sent_side: int | None = field(default_factory=lambda: limits.SENT_SIDE)
    """None: whatever Kling takes is sent as it is."""

    def lets_pass(self, size: Size) -> bool:
        """Return whether a picture of this size needs not be made smaller to travel."""
        return self.sent_side is None or scaled(size, self.sent_side / max(size)) == size

    def size_for(self, size: Size, *, scales: bool = False) -> Size:
        """Return what a picture of `size` is brought to when it is written anew; the same if it is small enough.

        Args:
            size: All of its pixels.
            scales: Whether its decoder can make it smaller by one of `SCALES`.
        """
        longest = self.sent_side or limits.MAX_SIDE
        if scales and self.sent_side is not None and max(size) > longest:
            for scale in SCALES:
                fraction = scaled_down(size, scale)
                if limits.NEAR_ENOUGH * longest <= max(fraction) <= longest and min(fraction) >= MIN_SIDE:
                    return fraction
        brought = scaled(size, longest / max(size))
        if brought[0] * brought[1] > limits.MAX_PIXELS:
            brought = scaled(size, limits.SHRUNK_SIDE / max(size))
        return brought


def scaled(size: Size, factor: float) -> Size:
    """Return `size` times `factor`, never enlarged, and no side brought below the least that Kling takes."""
    factor = max(factor, MIN_SIDE / min(size))
    if factor >= 1:
        return size
    width, height = (max(MIN_SIDE, round(side * factor)) for side in size)
    return width, height


def scaled_down(size: Size, scale: int) -> Size:
    """Return the size of a picture that its decoder makes smaller by `scale`."""
    return ceil(size[0] / scale), ceil(size[1] / scale)
