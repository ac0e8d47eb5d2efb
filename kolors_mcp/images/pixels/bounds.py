"""What a picture that is written anew has to fit into: the limits, unless whoever asks for it has others."""

from dataclasses import dataclass, field

from kolors_mcp.images import limits


@dataclass(frozen=True)
class Bounds:
    """Bytes, pixels and sides; each as `limits` has it if it is not given."""

    max_bytes: int = field(default_factory=lambda: limits.MAX_BYTES)
    max_side: int = field(default_factory=lambda: limits.MAX_SIDE)
    max_pixels: int = field(default_factory=lambda: limits.MAX_PIXELS)
    shrunk_side: int = field(default_factory=lambda: limits.SHRUNK_SIDE)
