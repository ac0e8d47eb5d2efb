"""What the sandbox shows where it cannot lay a garment on well: person and garment beside each other, and why.

Kling understands any photo; the sandbox only shifts cut-outs about. Half of a person, a busy background, or a garment
that a person wears already would come out as nonsense, which looks like a fault of the product.
"""

# Pillow names NumPy's types, which are not installed here.
# pyright: reportUnknownMemberType=false

from PIL import Image, ImageChops, ImageDraw, ImageFont, ImageOps, ImageStat

from kolors_mcp.sandbox.silhouettes import Profile, background_colour

SENTENCE = ("Kling would render", "this garment on this person.", "The sandbox only puts them side by side.")
GROUND = (246, 245, 250)
"""The colour around them."""
_INK, _QUIET = (40, 34, 56), (95, 91, 110)
_SMALL_SIDE = 48
_PLAIN_RIM = 26.0
"""Mean distance of the rim from its usual colour, of 255, up to which a background is plain."""
_HEAD_SHARES = (0.02, 0.05, 0.08, 0.11)
"""Rows, as shares of the height, in which a worn garment's picture shows the head or neck above it."""
_HEAD_HEIGHT = 0.13
_NARROW = 0.5
"""A head or neck is at most so wide, as a share of what is widest below."""
_SKIN_SHARE = 0.35
_SKIN_CB, _SKIN_CR = (77, 127), (138, 173)
"""The usual range of skin, light and dark, in the two colour channels of JPEG."""


def is_plain(image: Image.Image) -> bool:
    """Whether an RGB picture has a background of one colour, so that shapes can be cut out of it."""
    small = image.resize((_SMALL_SIDE, _SMALL_SIDE), Image.Resampling.BOX)
    far = ImageChops.difference(small, Image.new("RGB", small.size, background_colour(small)[:3]))
    rim = Image.new("L", small.size, 255)
    ImageDraw.Draw(rim).rectangle([2, 2, _SMALL_SIDE - 3, _SMALL_SIDE - 3], fill=0)
    return max(ImageStat.Stat(far, rim).mean) <= _PLAIN_RIM


def is_worn(piece: Image.Image, profile: Profile) -> bool:
    """Whether a person is in a cut-out (`RGBA`): narrow at the top, and of the colour of skin there."""
    widest = max((run[-1][1] - run[0][0] for run in profile.rows if run), default=0)
    tops = [extent for share in _HEAD_SHARES if (extent := profile.extent(share))]
    if not tops or any(right - left > _NARROW * widest for left, right in tops):
        return False
    scale = piece.width / profile.width
    left, right = min(extent[0] for extent in tops) * scale, max(extent[1] for extent in tops) * scale
    head = piece.crop((round(left), 0, max(round(left) + 1, round(right)), max(1, round(_HEAD_HEIGHT * piece.height))))
    _, blue, red = head.convert("RGB").convert("YCbCr").split()
    skin = ImageChops.darker(blue.point(_between(*_SKIN_CB)), red.point(_between(*_SKIN_CR)))
    alpha = head.getchannel("A")
    return alpha.getbbox() is not None and ImageStat.Stat(skin, alpha).mean[0] >= _SKIN_SHARE * 255


def beside(person: Image.Image, cloth: Image.Image) -> Image.Image:
    """Return a picture as large as the person's, with both in it and what Kling would do."""
    width, height = person.size
    sheet = Image.new("RGB", person.size, GROUND)
    margin = max(6, min(width, height) // 24)
    size = max(9, round(min(height * 0.03, width * 0.042)))
    room = (width // 2 - margin * 3 // 2, round(height * 0.95) - margin * 3 - size * 6)
    for image, left in ((person, margin), (cloth, width // 2 + margin // 2)):
        fitted = ImageOps.contain(image, room)
        corner = (left + (room[0] - fitted.width) // 2, margin + (room[1] - fitted.height) // 2)
        sheet.paste(fitted, corner)
        ImageDraw.Draw(sheet).rectangle(
            [corner[0], corner[1], corner[0] + fitted.width - 1, corner[1] + fitted.height - 1], outline=(214, 210, 224)
        )
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=size)
    for number, line in enumerate(SENTENCE):
        place = (width / 2, margin * 2 + room[1] + size * (0.8 + 1.35 * number))
        pen.text(place, line, font=font, fill=_QUIET if number == len(SENTENCE) - 1 else _INK, anchor="mm")
    return sheet


def _between(least: int, most: int) -> list[int]:
    return [255 if least <= value <= most else 0 for value in range(256)]
