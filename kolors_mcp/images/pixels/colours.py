"""Brings decoded pixels of any kind to eight bits of sRGB on white, so that they look as they did."""

import io
import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

from PIL import Image, ImageCms

from kolors_mcp.images.formats.icc import Curve, is_srgb, matrix_profile, srgb_light
from kolors_mcp.images.pixels.hdr import HLG, PQ, Primaries, from_hdr
from kolors_mcp.images.pixels.typed_pillow import lab, mapped, scaled_values, srgb
from kolors_mcp.wording import quoted

COLOUR_CODES, WHITE_IS_ZERO = "kolors colour codes", "kolors white is zero"
"""What is written into a picture's `info` of its colours, where its decoder does not."""
WHITE = (255, 255, 255)
_D65, _C = (0.3127, 0.3290), (0.310, 0.316)
"""Whites: daylight, and the older illuminant."""
_BT709 = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
# Code points of ITU-T H.273, as PNG, HEIF and AVIF carry them: primaries with their white, and transfers.
_PRIMARIES: Mapping[int, Primaries] = {
    1: (_D65, _BT709),
    4: (_C, ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08))),
    5: (_D65, ((0.640, 0.330), (0.290, 0.600), (0.150, 0.060))),
    6: (_D65, ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070))),
    7: (_D65, ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070))),
    8: (_C, ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049))),
    9: (_D65, ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))),
    11: ((0.314, 0.351), ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))),
    12: (_D65, ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))),
    22: (_D65, ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077))),
}
_LINEAR = 8
_USUAL_GAMMA = 1 / 2.2
_SIXTEEN_TO_EIGHT = [(value * 255 + 32767) // 65535 for value in range(65536)]


def to_srgb(image: Image.Image, head: bytes) -> tuple[Image.Image, list[str]]:
    """Return the picture in mode RGB or L, and what was done to it.

    Args:
        image: A loaded picture.
        head: The beginning of a HEIC or AVIF, which names its colours where no decoder tells; else empty.
    """
    notes: list[str] = []
    hdr = _hdr(image, head)
    profile = None if hdr is not None else _profile(image, head)
    image, alpha = _without_alpha(_eight_bits(image, notes), notes)
    name = {"CMYK": "CMYK", "LAB": "Lab", "YCbCr": "YCbCr"}.get(image.mode)
    if hdr is not None:
        image = from_hdr(image, *hdr)
        notes.append("colours converted to sRGB from HDR")
    if profile is not None:
        converted = _converted(image, profile)
        if converted is None:
            notes.append("its colour profile is damaged and was left out")
        else:
            image = converted
            if name is None:
                notes.append(f"colours converted to sRGB from the profile {quoted(_name(profile), 60)}")
    if image.mode not in ("RGB", "L"):
        image = _converted(image, None) or image.convert("RGB")
    if name is not None:
        notes.append(f"converted from {name} to RGB")
    if alpha is not None:
        white = Image.new("RGB", image.size, WHITE)
        white.paste(image, mask=alpha)
        image = white
        notes.append("transparent parts made white")
    return image, notes


def _eight_bits(image: Image.Image, notes: list[str]) -> Image.Image:
    if image.mode.startswith("I"):
        table = _SIXTEEN_TO_EIGHT[::-1] if image.info.get(WHITE_IS_ZERO) else _SIXTEEN_TO_EIGHT
        return mapped(image.convert("I"), table, "L")
    if image.mode == "F":
        _, brightest = cast("tuple[float, float]", image.getextrema())
        scale = 255.0 if brightest <= 1 else 1.0
        return scaled_values(image, scale).convert("L")
    if image.mode == "1":
        notes.append("black and white turned into shades of grey")
        return image.convert("L")
    return image


def _without_alpha(image: Image.Image, notes: list[str]) -> tuple[Image.Image, Image.Image | None]:
    """Part a picture from its transparency; None if it has none or does not use it."""
    if image.mode not in ("RGBA", "LA", "PA", "RGBa", "La") and "transparency" not in image.info:
        if image.mode == "P":
            notes.append("palette turned into full colours")
            return image.convert("RGB"), None
        return image, None
    if image.mode in ("P", "PA"):
        notes.append("palette turned into full colours")
    rgba = image.convert("RGBA")
    alpha = rgba.getchannel("A")
    if alpha.getextrema() == (255, 255):
        notes.append("unused transparency left out")
        return rgba.convert("RGB"), None
    return rgba.convert("RGB"), alpha


def _profile(image: Image.Image, head: bytes) -> bytes | None:
    """Return the profile that the colours have to be converted from, written out if it was only hinted at."""
    codes = cast("tuple[int, int] | None", image.info.get(COLOUR_CODES))
    if codes is not None and codes[0] in _PRIMARIES:  # before anything else that a PNG says (PNG, third edition)
        return _coded_profile(struct.pack(">HH", *codes), _PNG_CURVES)
    icc = image.info.get("icc_profile")
    if isinstance(icc, bytes) and icc:
        return None if is_srgb(icc, channels=1 if image.mode in ("L", "LA", "I;16", "1") else 3) else icc
    try:
        if head:
            return _coded_profile(head.partition(b"colrnclx")[2][:4])
        if getattr(image, "format", None) == "PNG" and "srgb" not in image.info:
            return _png_profile(image)
    except ValueError:
        return None  # numbers that describe no colours describe no change either
    return None


def _hdr(image: Image.Image, head: bytes) -> tuple[Primaries, int] | None:
    """Return the primaries and the transfer of a picture that says it is HDR."""
    codes = cast("tuple[int, int] | None", image.info.get(COLOUR_CODES))
    named = head.partition(b"colrnclx")[2][:4]
    if codes is None and len(named) == 4 and "icc_profile" not in image.info:  # noqa: PLR2004  (two 16-bit numbers)
        codes = struct.unpack(">HH", named)
    if codes is None or codes[0] not in _PRIMARIES or codes[1] not in (PQ, HLG):
        return None
    return _PRIMARIES[codes[0]], codes[1]


def _png_profile(image: Image.Image) -> bytes | None:
    gamma: Any = image.info.get("gamma", _USUAL_GAMMA)
    numbers: Any = image.info.get("chromaticity")
    given = cast("tuple[float, ...] | None", numbers)
    if not 0.1 <= gamma <= 10:  # noqa: PLR2004  (nothing that a screen ever had)
        return None
    white, primaries = _D65, _BT709
    if given and len(given) == 8:  # noqa: PLR2004  (four pairs)
        white, primaries = (given[0], given[1]), (given[2:4], given[4:6], given[6:8])
    usual = all(
        abs(x - y) < 0.005  # noqa: PLR2004  (rounding)
        for found, expected in zip((white, *primaries), (_D65, *_BT709), strict=True)
        for x, y in zip(found, expected, strict=True)
    )
    curve: Curve = srgb_light
    if abs(gamma - _USUAL_GAMMA) > 0.025:  # noqa: PLR2004  (rounding)
        curve = lambda value: value ** (1 / gamma)  # noqa: E731  (a one-line formula)
    elif usual:
        return None
    return matrix_profile(white, [(x, y) for x, y in primaries], curve)


def _coded_profile(codes: bytes, more: Mapping[int, Curve] = MappingProxyType({})) -> bytes | None:
    if len(codes) < 4:  # noqa: PLR2004  (two 16-bit numbers)
        return None
    primaries, transfer = struct.unpack(">HH", codes)
    curve = {**_CURVES, **more}.get(transfer, srgb_light)
    if primaries not in _PRIMARIES or (primaries == 1 and curve is srgb_light):
        return None
    white, points = _PRIMARIES[primaries]
    return matrix_profile(white, points, curve)


def _light_of_240m(coded: float) -> float:
    """Return the light of a value of the first high-definition video (SMPTE ST 240)."""
    return coded / 4 if coded <= 0.0913 else ((coded + 0.1115) / 1.1115) ** (1 / 0.45)  # noqa: PLR2004  (the standard's numbers)


def _converted(image: Image.Image, profile: bytes | None) -> Image.Image | None:
    """Convert by the colour management library; None if the profile is unusable or does not fit the picture."""
    try:
        if profile is None:
            if image.mode != "LAB":
                return None
            source = lab()
        else:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(
            image,
            source,
            srgb(),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return converted


def _name(profile: bytes) -> str:
    try:
        return (
            ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile))).strip(" \r\n-") or "unnamed"
        )
    except (ImageCms.PyCMSError, OSError):
        return "unnamed"


_CURVES: Mapping[int, Curve] = {_LINEAR: float}
_PNG_CURVES: Mapping[int, Curve] = {
    **dict.fromkeys((1, 6, 11, 14, 15), lambda value: value**2.4),  # as screens show video (ITU-R BT.1886)
    4: lambda value: value**2.2,
    5: lambda value: value**2.8,
    7: _light_of_240m,
    17: lambda value: value**2.6 * 52.37 / 48,  # in the cinema (SMPTE ST 428-1)
}
"""What browsers read from a PNG. A HEIC or AVIF with these numbers is shown as sRGB, as most of them are meant."""
