"""Which outfits fail in the end: a dress goes with no other garment (vendor's page, on the v1-5 model).

Kling looks at the garments; the sandbox knows its own sample dress again, and guesses nothing about other pictures.
"""

# Pillow names NumPy's types, which are not installed here.
# pyright: reportUnknownMemberType=false

import io
from functools import cache

from PIL import Image, ImageChops, ImageStat

from kolors_mcp.models import V1_5
from kolors_mcp.sandbox.render import cut_out
from kolors_mcp.sandbox.requests import CreateRequest
from kolors_mcp.sandbox.samples import sample

_LOOKED_AT_PIXELS = 400
"""Side of the copy that is looked at, about."""
_SIDE = 24
_SAME_PER_CHANNEL = 12.0
"""Mean difference, of 255, up to which a garment is the sample dress in another size; other samples differ by 60."""


def failure_of(request: CreateRequest) -> str | None:
    """Return why a try-on fails in the end, as a task's message; None if nothing speaks against it. Takes some ms."""
    if request.model_name != V1_5:
        return None
    garments = _garments(request.cloth)
    if len(garments) > 1 and any(_is_dress(garment) for garment in garments):
        return "Generation fails: a dress cannot be combined with another garment"
    return None


def _garments(cloth: bytes) -> list[Image.Image]:
    """Return each garment of a picture, on white and small."""
    with Image.open(io.BytesIO(cloth), formats=("JPEG", "PNG")) as image:
        image.draft("RGB", (_LOOKED_AT_PIXELS, _LOOKED_AT_PIXELS))
        small = image.convert("RGB")
    small.thumbnail((2 * _LOOKED_AT_PIXELS, 2 * _LOOKED_AT_PIXELS))
    return [_on_white(garment.image) for garment in cut_out(small)]


def _on_white(garment: Image.Image) -> Image.Image:
    ground = Image.new("RGBA", garment.size, (255, 255, 255, 255))
    return Image.alpha_composite(ground, garment).convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BOX)


@cache
def _dress() -> Image.Image:
    return _garments(sample("dress").read_bytes())[0]


def _is_dress(garment: Image.Image) -> bool:
    differences = ImageStat.Stat(ImageChops.difference(garment, _dress())).mean
    return sum(differences) / len(differences) <= _SAME_PER_CHANNEL
