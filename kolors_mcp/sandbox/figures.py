"""Where on a picture of a person a garment belongs: shoulders, waist, hips, feet."""

from dataclasses import dataclass

from PIL import Image

from kolors_mcp.sandbox.silhouettes import Profile, coarse, foreground

# Shares of the height of a standing person, from the top of the head; a figure drawing's usual measures.
_SHOULDERS = 0.195
_CHEST = 0.32
_WAIST = 0.455
_HIPS = 0.53
_FEET = 0.955
_NARROWEST_NECK, _WIDEST_NECK = 0.1, 0.24
_TORSO_WIDTH = 0.18
_TORSO_LIMITS = (0.14, 0.26)
_CUT_LENGTH = 2.6
_FULL_LENGTH = 2.3  # A person who is at least this many times as tall as wide is shown from head to feet.
_LEAST_SEEN = 0.6
"""Share of a body that has to be on the picture, down to below the hips."""


@dataclass(frozen=True)
class Figure:
    """Landmarks of a person, in pixels of the picture."""

    middle: float
    shoulders: float
    """Height at which a collar sits."""
    waist: float
    hips: float
    feet: float
    """The ankles; below the picture's edge if they are not on it."""
    torso_width: float
    """Across the chest, below the arms."""
    hip_width: float
    is_seen: bool = True
    """False: nothing was found, or less than the legs are missing; this is a guess."""


def measure(person: Image.Image) -> Figure:
    """Find the landmarks of a person on an RGB picture; before a busy background, guess a figure in its middle."""
    width, height = person.size
    mask = coarse(foreground(person))
    box = mask.getbbox()
    scale = height / mask.height
    plain = (
        box is not None
        and sum(mask.histogram()[128:]) < 0.6 * mask.width * mask.height
        and box[2] - box[0] < 0.9 * mask.width
    )
    if box is None or not plain:
        return _guess(width, height)
    profile = Profile.of(mask.crop(box))
    across, tall = box[2] - box[0], box[3] - box[1]
    reaches_edge = box[3] >= mask.height - 2
    full = float(tall)
    if reaches_edge and tall < _FULL_LENGTH * across:
        # Cut off somewhere: a person is about two and a half times as tall as wide with hanging arms.
        full = max(full, _CUT_LENGTH * across)
    neck = _neck(profile, full)
    if neck is None:
        return _guess(width, height)
    neck_row, middle = neck
    shoulders = neck_row / full + 0.012
    torso = _width(profile, shoulders + _CHEST - _SHOULDERS, full, middle)
    hips = _width(profile, _HIPS, full, middle)
    return Figure(
        middle=(box[0] + middle) * scale,
        shoulders=(box[1] + shoulders * full) * scale,
        waist=(box[1] + _WAIST * full) * scale,
        hips=(box[1] + _HIPS * full) * scale,
        feet=(box[1] + _FEET * full) * scale,
        torso_width=torso * scale,
        hip_width=hips * scale,
        is_seen=tall >= _LEAST_SEEN * full,
    )


def _guess(width: int, height: int) -> Figure:
    # A portrait picture of a standing person, with a little air; wider pictures show less of the body.
    full = 0.92 * height * max(1.0, min(2.2, 1.4 * width / height))
    top = 0.05 * height
    return Figure(
        middle=width / 2,
        shoulders=top + _SHOULDERS * full,
        waist=top + _WAIST * full,
        hips=top + _HIPS * full,
        feet=top + _FEET * full,
        torso_width=_TORSO_WIDTH * full,
        hip_width=_TORSO_WIDTH * full,
        is_seen=False,
    )


def _neck(profile: Profile, full: float) -> tuple[int, float] | None:
    """Return row and middle of the narrowest place between head and shoulders."""
    candidates: list[tuple[int, int, float]] = []
    for row in range(int(_NARROWEST_NECK * full), int(_WIDEST_NECK * full)):
        if row < len(profile.rows) and profile.rows[row]:
            left, right = max(profile.rows[row], key=lambda run: run[1] - run[0])
            candidates.append((right - left, -row, (left + right) / 2))
    if not candidates:
        return None
    narrowest = min(candidate[0] for candidate in candidates)
    # The lowest row that is about as narrow: that is where the shoulders begin.
    _, negative_row, middle = min((c for c in candidates if c[0] <= narrowest + 2), key=lambda c: c[1])
    return -negative_row, middle


def _width(profile: Profile, share: float, full: float, middle: float) -> float:
    row = int(share * full)
    run = profile.middle_run(row / len(profile.rows), middle) if row < len(profile.rows) else None
    least, most = (limit * full for limit in _TORSO_LIMITS)
    if run is None or not least <= run[1] - run[0] <= most:
        return _TORSO_WIDTH * full
    return float(run[1] - run[0])
