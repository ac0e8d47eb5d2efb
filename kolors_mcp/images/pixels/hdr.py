"""Brings HDR pictures (PQ and HLG) to ordinary white, as browsers show them on an ordinary screen.

The way is the one of SMPTE ST 2094-50 for a picture that brings no curve of its own: one factor for all three channels,
after the brightest of them, in the primaries of BT.2020. So colours keep their hue, and skies their clouds.
"""

from functools import lru_cache

from PIL import Image, ImageFilter

from kolors_mcp.images.formats.icc import srgb_coded
from kolors_mcp.images.formats.primaries import Chromaticity, applied, inverse, product, rgb_to_xyz

PQ, HLG = 16, 18
"""Transfers, as ITU-T H.273 numbers them."""
Primaries = tuple[Chromaticity, tuple[Chromaticity, ...]]
"""The white, and red, green and blue."""
_BT2020: Primaries = (0.3127, 0.3290), ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))
_BT709: Primaries = (0.3127, 0.3290), ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
_WHITE_NITS, _PEAK_NITS = 203.0, 1000.0
"""Ordinary white in HDR pictures (ITU-R BT.2408), and where the highlights of a picture end that does not say it."""
_PEAK = _PEAK_NITS / _WHITE_NITS
_POINTS = 37
"""Of each axis of the table, between which is interpolated. With so many, ordinary white and the peak lie on points."""
_FROM_WHITE = 0.5
"""What ordinary white becomes: below it all is scaled by that, above it highlights are bent together."""
_BEND = (1.65, 0.825)
"""The middle point of the curve (a quadratic one of Bézier) from there to the peak, by the standard for this peak."""


def from_hdr(image: Image.Image, primaries: Primaries, transfer: int) -> Image.Image:
    """Return an HDR picture in sRGB.

    Args:
        image: In mode RGB or L.
        primaries: Its own.
        transfer: `PQ` or `HLG`.
    """
    return image.convert("RGB").filter(_table(primaries, transfer))


@lru_cache(maxsize=1)  # for a picture that is converted in bands
def _table(primaries: Primaries, transfer: int) -> ImageFilter.Color3DLUT:
    to_xyz = rgb_to_xyz(*primaries)
    to_bt2020 = product(inverse(rgb_to_xyz(*_BT2020)), to_xyz)
    to_srgb = product(inverse(rgb_to_xyz(*_BT709)), rgb_to_xyz(*_BT2020))
    steps = [step / (_POINTS - 1) for step in range(_POINTS)]
    light = [_pq_light(step) if transfer == PQ else _hlg_scene_light(step) for step in steps]

    def converted(red: float, green: float, blue: float) -> tuple[float, ...]:
        factor = 1.0 if transfer == PQ else _hlg_factor(applied(to_xyz, (red, green, blue))[1])
        colour = [factor * value for value in applied(to_bt2020, (red, green, blue))]
        brightest = max(*colour, 1e-9)
        bent = _within_white(brightest) / brightest
        return tuple(srgb_coded(min(1.0, max(0.0, value * bent))) for value in applied(to_srgb, colour))

    # The values of red change fastest.
    values = [converted(red, green, blue) for blue in light for green in light for red in light]
    return ImageFilter.Color3DLUT(_POINTS, values)


def _pq_light(coded: float) -> float:
    """Return the light of a PQ value, 1 for ordinary white (SMPTE ST 2084)."""
    power = coded ** (1 / 78.84375)
    nits = 10_000 * (max(power - 0.8359375, 0.0) / (18.8515625 - 18.6875 * power)) ** (1 / 0.1593017578125)
    return nits / _WHITE_NITS


def _hlg_scene_light(coded: float) -> float:
    """Return the light before the camera of an HLG value, 0 to 1 (ITU-R BT.2100)."""
    return coded**2 / 3 if coded <= 0.5 else (2.718281828 ** ((coded - 0.55991073) / 0.17883277) + 0.28466892) / 12  # noqa: PLR2004  (the standard's numbers)


def _hlg_factor(luminance: float) -> float:
    """Return what light before the camera is multiplied by on a screen that reaches the peak (ITU-R BT.2100)."""
    return _PEAK * luminance**0.2


def _within_white(light: float) -> float:
    """Return what light becomes, 1 for ordinary white before, and for white after."""
    if light <= 1:
        return light * _FROM_WHITE
    if light >= _PEAK:
        return 1.0
    (x, y), start = _BEND, _FROM_WHITE
    # Where on the curve its light is this one.
    square, double, single = 1 - 2 * x + _PEAK, 2 * (x - 1), 1 - light
    at = ((double**2 - 4 * square * single) ** 0.5 - double) / (2 * square)
    return (1 - at) ** 2 * start + 2 * at * (1 - at) * y + at**2
