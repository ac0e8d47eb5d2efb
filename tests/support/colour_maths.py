"""How colours are to look after conversion, worked out here and not by the code under test."""

from collections.abc import Callable, Sequence

from tests.support.images_support import QUARTERS

Colour = tuple[int, int, int]

# From linear Display P3 to linear sRGB (both D65), as CSS Color 4 lists it.
P3_TO_SRGB = ((1.2249401, -0.2249404, 0.0), (-0.0420569, 1.0420571, 0.0), (-0.0196376, -0.0786361, 1.0982735))

# The same for the primaries of American television, SMPTE 170M.
BT601_TO_SRGB = (
    (0.9395421, 0.0501814, 0.0102766),
    (0.0177722, 0.9657929, 0.0164349),
    (-0.0016216, -0.0043697, 1.0059913),
)


def light(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def coded(value: float) -> int:
    value = min(1.0, max(0.0, value))
    return round(255 * (12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055))


def from_p3(colour: Colour) -> Colour:
    return _by(P3_TO_SRGB, colour)


def from_bt601(colour: Colour) -> Colour:
    return _by(BT601_TO_SRGB, colour)


def by_power(exponent: float) -> Callable[[Colour], Colour]:
    """From values whose light is this power of them, with the colours of sRGB."""

    def converted(colour: Colour) -> Colour:
        red, green, blue = (coded((channel / 255) ** exponent) for channel in colour)
        return red, green, blue

    return converted


def _by(matrix: Sequence[Sequence[float]], colour: Colour) -> Colour:
    linear = [light(channel / 255) for channel in colour]
    red, green, blue = (
        coded(sum(weight * channel for weight, channel in zip(row, linear, strict=True))) for row in matrix
    )
    return red, green, blue


def each(function: Callable[[Colour], Colour], given: Sequence[Colour] = QUARTERS) -> list[Colour]:
    return [function(colour) for colour in given]
