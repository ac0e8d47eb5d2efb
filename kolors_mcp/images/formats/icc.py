"""Tells whether a colour profile is sRGB, and writes the profiles that some pictures only hint at.

Layout and formulas are those of ICC.1:2010 (profiles) and IEC 61966-2-1 (sRGB).
"""

import struct
import zlib
from collections.abc import Callable, Sequence

from kolors_mcp.bounds import linear
from kolors_mcp.images.formats.primaries import Chromaticity, applied, rgb_to_xyz, solve, xyz_of

Curve = Callable[[float], float]
"""From a coded value to light, both 0 to 1."""

_SRGB_COLORANTS = {
    b"rXYZ": (0.4360, 0.2225, 0.0139),
    b"gXYZ": (0.3851, 0.7169, 0.0971),
    b"bXYZ": (0.1431, 0.0606, 0.7141),
}
"""The primaries of sRGB as profiles carry them, seen under D50."""
_COLORANT_TOLERANCE = 0.003
_CURVE_TOLERANCE = 0.012
"""In coded values: three steps of 255. The pure 2.2 curve lies outside, and looks different in the shadows."""
_SAMPLES = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95, 1.0)
_D50 = (0.9642, 1.0, 0.8249)
_BRADFORD = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
"""From XYZ to what the eye adapts by."""
_HEADER = 128
_MAX_TAGS = 100
_MAX_PROFILE_BYTES = 4_000_000
_MAX_CURVE_ENTRIES = 65_536
_CURVE_POINTS = 1024
_TABLE = bytes(16) + b"GRAYXYZ " + bytes(12) + b"acsp" + bytes(88) + struct.pack(">I", _MAX_TAGS)
"""How a profile of one channel begins, up to its table of tags; for what makes hostile ones."""


MAX_SEGMENTS = 255
"""Most segments of a profile in a JPEG: their number is a byte."""


@linear(b"\1\1ab", b"\0", b"")
def joined_segments(segments: Sequence[bytes]) -> bytes:
    """Return the profile that JPEG segments carry in numbered pieces; empty if a piece is missing."""
    if len(segments) > MAX_SEGMENTS:
        return b""
    pieces = {segment[0]: segment[2:] for segment in segments if len(segment) > 2}  # noqa: PLR2004  (number, count)
    total = segments[0][1] if segments and len(segments[0]) > 1 else 0
    if len(pieces) != len(segments) or set(pieces) != set(range(1, total + 1)):
        return b""
    return b"".join(pieces[number] for number in range(1, total + 1))


@linear(b"\0", b"\0\0\xff\xff", b"\x78\xda", opening=b"icc\0\0\x78\xda")
def embedded_profile(chunk: bytes) -> bytes:
    """Return the profile of an iCCP chunk; empty if it cannot be had or is unreasonably large."""
    _, _, rest = chunk.partition(b"\0")
    inflater = zlib.decompressobj()
    try:
        profile = inflater.decompress(rest[1:], _MAX_PROFILE_BYTES)
    except zlib.error:
        return b""
    return profile if inflater.eof else b""


@linear(b"aaaa\0\0\0\0\xff\xff\xff\xff", b"kTRC\0\0\0\x84\0\1\0\0", b"\0\0\0\1", opening=_TABLE)
def is_srgb(profile: bytes, *, channels: int = 3) -> bool:
    """Return whether a picture with this profile looks the same without it: sRGB primaries and sRGB's curve."""
    tags = _tags(profile)
    if tags is None or any(name.startswith((b"A2B", b"D2B")) for name in tags):
        return False
    try:
        if channels == 1:
            return profile[16:20] == b"GRAY" and _is_srgb_curve(_curve(tags[b"kTRC"]))
        return (
            profile[16:20] == b"RGB "
            and profile[20:24] == b"XYZ "
            and all(
                abs(found - expected) <= _COLORANT_TOLERANCE
                for name, colorant in _SRGB_COLORANTS.items()
                for found, expected in zip(_xyz(tags[name]), colorant, strict=True)
            )
            and all(_is_srgb_curve(_curve(tags[name])) for name in (b"rTRC", b"gTRC", b"bTRC"))
        )
    except (KeyError, struct.error, ValueError, OverflowError, ZeroDivisionError, IndexError, TypeError):
        # A curve may ask for anything, a root of a negative number too, which is no light (a TypeError, compared).
        return False


def srgb_light(value: float) -> float:
    """Return the light of a coded sRGB value."""
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4  # noqa: PLR2004  (the standard's numbers)


def srgb_coded(light: float) -> float:
    """Return the coded sRGB value of a light."""
    return light * 12.92 if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055  # noqa: PLR2004  (the standard's numbers)


def matrix_profile(white: Chromaticity, primaries: Sequence[Chromaticity], curve: Curve) -> bytes:
    """Return an RGB profile.

    Args:
        white: Chromaticity x, y of the white.
        primaries: Chromaticities of red, green and blue.
        curve: From coded values to light, the same for all three.

    Raises:
        ValueError: These chromaticities span no colours.
    """
    colorants = _adapted_colorants(white, primaries)
    table = [min(65535, max(0, round(curve(step / (_CURVE_POINTS - 1)) * 65535))) for step in range(_CURVE_POINTS)]
    trc = b"curv\0\0\0\0" + struct.pack(f">I{_CURVE_POINTS}H", _CURVE_POINTS, *table)
    text = b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", 2, 28) + "-".encode("utf-16-be")
    tags = [(b"desc", text), (b"cprt", text), (b"wtpt", _xyz_tag(_D50))]
    tags += [(name, _xyz_tag(xyz)) for name, xyz in zip(_SRGB_COLORANTS, colorants, strict=True)]
    tags += [(name, trc) for name in (b"rTRC", b"gTRC", b"bTRC")]
    directory, body, offsets = b"", b"", dict[bytes, int]()
    start = _HEADER + 4 + 12 * len(tags)
    for name, data in tags:
        if data not in offsets:
            offsets[data] = start + len(body)
            body += data + b"\0" * (-len(data) % 4)
        directory += struct.pack(">4sII", name, offsets[data], len(data))
    header = struct.pack(
        ">I4sI4s4s4s12s4s4sI4sI8sI3i4s16s28x",
        start + len(body), b"", 0x04200000, b"mntr", b"RGB ", b"XYZ ", b"", b"acsp", b"", 0, b"", 0, b"", 1,
        *(round(value * 65536) for value in _D50), b"", b"",
    )  # fmt: skip
    return header + struct.pack(">I", len(tags)) + directory + body


def _tags(profile: bytes) -> dict[bytes, memoryview] | None:
    """Return the tags by name, as views: a hundred tags may each name the same megabytes."""
    if len(profile) < _HEADER + 4 or profile[36:40] != b"acsp":
        return None
    (count,) = struct.unpack_from(">I", profile, _HEADER)
    if count > _MAX_TAGS or len(profile) < _HEADER + 4 + 12 * count:
        return None
    tags: dict[bytes, memoryview] = {}
    view = memoryview(profile)
    for index in range(count):
        name, start, length = struct.unpack_from(">4sII", profile, _HEADER + 4 + 12 * index)
        tags[name] = view[start : start + length]
    return tags


def _xyz(tag: memoryview) -> tuple[float, ...]:
    return tuple(value / 65536 for value in struct.unpack_from(">3i", tag, 8))


def _xyz_tag(xyz: Sequence[float]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in xyz))


def _curve(tag: memoryview) -> Curve:
    """Return the curve of a `curv` or `para` tag."""
    if bytes(tag[:4]) == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        if count == 0:
            return lambda value: value
        points = struct.unpack_from(f">{min(count, _MAX_CURVE_ENTRIES)}H", tag, 12)
        if count == 1:
            return lambda value: value ** (points[0] / 256)
        return lambda value: _between(points, value)
    if bytes(tag[:4]) == b"para":
        kind = struct.unpack_from(">H", tag, 8)[0]
        sizes = (1, 3, 4, 5, 7)
        values = [number / 65536 for number in struct.unpack_from(f">{sizes[kind]}i", tag, 12)]
        return _parametric(kind, values)
    raise ValueError("no curve")


def _between(points: Sequence[int], value: float) -> float:
    place = value * (len(points) - 1)
    low = min(int(place), len(points) - 2)
    return (points[low] + (points[low + 1] - points[low]) * (place - low)) / 65535


def _parametric(kind: int, values: Sequence[float]) -> Curve:
    g, a, b, c, d, e, f = (*values, *(0.0,) * (7 - len(values)))
    if kind == 0:
        return lambda value: value**g
    if kind in (1, 2):
        return lambda value: (a * value + b) ** g + c if value >= -b / a else c
    return lambda value: (a * value + b) ** g + e if value >= d else c * value + f


def _is_srgb_curve(curve: Curve) -> bool:
    return all(abs(srgb_coded(curve(sample)) - sample) <= _CURVE_TOLERANCE for sample in _SAMPLES)


def _adapted_colorants(white: Chromaticity, primaries: Sequence[Chromaticity]) -> list[list[float]]:
    """Return the primaries as XYZ under D50, scaled so that they add up to its white (Bradford adaptation)."""
    colorants = zip(*rgb_to_xyz(white, primaries), strict=True)
    cone, cone_d50 = applied(_BRADFORD, xyz_of(white)), applied(_BRADFORD, _D50)
    if min(map(abs, cone)) < 1e-6:  # noqa: PLR2004  (nothing to divide by)
        raise ValueError("chromaticities")
    adapted: list[list[float]] = []
    for colorant in colorants:
        seen = applied(_BRADFORD, colorant)
        seen = [value * to / of for value, to, of in zip(seen, cone_d50, cone, strict=True)]
        adapted.append(solve(_BRADFORD, seen))
    if any(abs(value) > 30 for colorant in adapted for value in colorant):  # noqa: PLR2004  (the format ends at 32768)
        raise ValueError("chromaticities")
    return adapted
