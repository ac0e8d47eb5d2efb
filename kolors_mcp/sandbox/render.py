"""Makes the sandbox's results: the garment laid on the person, clearly marked as simulated."""

# Pillow names NumPy's types, which are not installed here.
# pyright: reportUnknownMemberType=false

import io
import zlib
from dataclasses import dataclass
from typing import Literal

from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from kolors_mcp.sandbox.beside import beside, is_plain, is_worn
from kolors_mcp.sandbox.figures import Figure, measure
from kolors_mcp.sandbox.silhouettes import Profile, coarse, foreground, pieces, shrunken

MARK = "SANDBOX - simulated, not a Kling render"
# A result's sides, in pixels: small to fetch, and well above what Kling takes as an input.
_MAX_LONG_SIDE, _MIN_LONG_SIDE, _MIN_SHORT_SIDE = 1152, 640, 320
_GARMENT_PIXELS = 1200
_MOST_PNG_BYTES = 1_200_000

Kind = Literal["upper", "lower", "dress"]


@dataclass(frozen=True)
class Garment:
    """A garment cut out of its picture: `RGBA`, nothing around it."""

    image: Image.Image
    kind: Kind
    profile: Profile

    def run(self, share: float) -> tuple[float, float]:
        """Return where the body of the garment starts and ends at `share` of its height, as shares of its width."""
        run = self.profile.middle_run(share, self.profile.width / 2) or (0, self.profile.width)
        return run[0] / self.profile.width, run[1] / self.profile.width


def render(human: bytes, cloth: bytes) -> bytes:
    """Return the picture of the person in the garment or garments, as PNG, or as JPEG where a PNG would be large.

    Where they cannot be laid on well, both stand beside each other.

    The same input gives the same bytes. Takes some tenths of a second.

    Args:
        human: A JPEG or PNG of a person.
        cloth: A JPEG or PNG of one garment, or of an upper and a lower one, on a plain background.
    """
    person, garment_picture = _fit(_open(human)), _open(cloth)
    figure, plain = _measured(person), is_plain(garment_picture)
    garments = cut_out(garment_picture) if figure.is_seen and plain else []
    if not garments or any(is_worn(garment.image, garment.profile) for garment in garments):
        person, garments = beside(person, garment_picture), []
    for garment in sorted(garments, key=lambda piece: piece.kind != "lower"):
        _dress(person, garment, figure)
    _mark(person)
    return _encode(person)


def _measured(person: Image.Image) -> Figure:
    """Return the landmarks of a person, who may come from an earlier result with our band across its bottom."""
    figure = measure(person)
    if figure.is_seen:
        return figure
    above = measure(person.crop((0, 0, person.width, person.height - _band_height(person.height))))
    return above if above.is_seen else figure


def cut_out(cloth: Image.Image) -> list[Garment]:
    """Return the one or two garments on an RGB picture, freed from their background."""
    cloth.thumbnail((_GARMENT_PIXELS, _GARMENT_PIXELS), Image.Resampling.LANCZOS)
    mask = foreground(cloth)
    boxes = pieces(mask) or [(0, 0, *cloth.size)]
    # The soft rim has some of the background's colour in it: cut a little inside.
    alpha = shrunken(mask).filter(ImageFilter.GaussianBlur(0.8))
    garments: list[Garment] = []
    for box in boxes:
        image = cloth.crop(box)
        image.putalpha(alpha.crop(box))
        profile = Profile.of(coarse(mask.crop(box)))
        garments.append(Garment(image, _kind(profile, image.size), profile))
    if len(garments) == 2:  # noqa: PLR2004  (a pair: an upper above a lower, as Kling takes it)
        upper, lower = garments
        return [Garment(upper.image, "upper", upper.profile), Garment(lower.image, "lower", lower.profile)]
    return garments


def _kind(profile: Profile, size: tuple[int, int]) -> Kind:
    width, height = size
    middle = profile.width / 2
    legs = sum(
        1
        for share in (0.7, 0.75, 0.8, 0.85, 0.9)
        if (run := profile.middle_run(share, middle)) and not run[0] <= middle <= run[1]
    )
    if legs >= 3:  # noqa: PLR2004  (most of five rows show a gap in the middle)
        return "lower"
    if height > 1.3 * width:
        return "dress"
    top, bottom = profile.extent(0.08), profile.extent(0.92)
    if top and bottom and top[1] - top[0] < 0.7 * (bottom[1] - bottom[0]):
        return "lower"  # A skirt: narrow above, wide below.
    return "upper"


def _dress(person: Image.Image, garment: Garment, figure: Figure) -> None:
    """Lay a garment on the person."""
    image = garment.image
    if garment.kind == "lower":
        left, right = garment.run(0.22)
        width = figure.hip_width * 1.14 / (right - left)
        is_long = image.height > 1.25 * image.width
        natural = width * image.height / image.width
        height = figure.feet - figure.waist if is_long else natural
        top = figure.waist
    else:
        left, right = garment.run(0.6 if garment.kind == "upper" else 0.28)
        ease = 1.2 if garment.kind == "upper" else 1.16
        width = figure.torso_width * ease / (right - left)
        natural = width * image.height / image.width
        top = figure.shoulders
        wanted = figure.hips - top + 0.02 * (figure.feet - top) if garment.kind == "upper" else natural
        height = min(max(wanted, 0.82 * natural), 1.25 * natural)
    size = (max(1, round(width)), max(1, round(height)))
    fitted = image.resize(size, Image.Resampling.LANCZOS)
    corner = (round(figure.middle - (left + right) / 2 * size[0]), round(top))
    _shadow(person, fitted, corner)
    person.paste(fitted, corner, fitted)


def _shadow(person: Image.Image, garment: Image.Image, corner: tuple[int, int]) -> None:
    """Darken the person a little around the garment, so that it does not look glued on."""
    depth = max(2, person.height // 160)
    left, top = corner[0], corner[1] + depth
    # Nothing is blurred further than this.
    around = 5 * depth
    box = (
        max(0, left - around),
        max(0, top - around),
        min(person.width, left + garment.width + around),
        min(person.height, top + garment.height + around),
    )
    if box[0] >= box[2] or box[1] >= box[3]:
        return
    layer = Image.new("L", (box[2] - box[0], box[3] - box[1]), 0)
    layer.paste(garment.getchannel("A"), (left - box[0], top - box[1]))
    shade = layer.filter(ImageFilter.GaussianBlur(depth)).point([round(value * 0.34) for value in range(256)])
    person.paste((48, 34, 40), box, shade)


def _mark(person: Image.Image) -> None:
    """Write across the bottom what this picture is."""
    width, height = person.size
    size = _letters(height)
    font = ImageFont.load_default(size=size)
    while size > 8 and font.getlength(MARK) > 0.94 * width:  # noqa: PLR2004  (smaller cannot be read)
        size -= 1
        font = ImageFont.load_default(size=size)
    band_height = _band_height(height, size)
    band = Image.new("RGB", (width, band_height), (34, 28, 44))
    pen = ImageDraw.Draw(band)
    pen.rectangle([0, 0, width, max(2, size // 8)], fill=(240, 122, 84))
    pen.text((width / 2, band_height / 2 + size * 0.06), MARK, font=font, fill=(255, 255, 255), anchor="mm")
    person.paste(band, (0, height - band_height), Image.new("L", band.size, 225))


def _letters(height: int) -> int:
    return max(10, round(height * 0.028))


def _band_height(height: int, size: int | None = None) -> int:
    return round((size or _letters(height)) * 1.7)


def _open(content: bytes) -> Image.Image:
    with Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as image:
        # A large JPEG is read at half, a quarter or an eighth of its size.
        image.draft("RGB", (2 * _MAX_LONG_SIDE, 2 * _MAX_LONG_SIDE))
        upright = ImageOps.exif_transpose(image)
        if upright.has_transparency_data:
            ground = Image.new("RGBA", upright.size, (255, 255, 255, 255))
            return Image.alpha_composite(ground, upright.convert("RGBA")).convert("RGB")
        return upright.convert("RGB")


def _fit(person: Image.Image) -> Image.Image:
    longest, shortest = max(person.size), min(person.size)
    scale = min(1.0, _MAX_LONG_SIDE / longest) if longest > _MIN_LONG_SIDE else _MIN_LONG_SIDE / longest
    scale = max(scale, min(1.0, _MIN_SHORT_SIDE / shortest))
    if scale == 1.0:
        return person
    return person.resize((round(person.width * scale), round(person.height * scale)), Image.Resampling.LANCZOS)


def _encode(person: Image.Image) -> bytes:
    file = io.BytesIO()
    # Looking only for runs of a pixel takes a third of the time, and of drawn pictures leaves as few bytes.
    person.save(file, "PNG", compress_type=zlib.Z_RLE)
    if file.tell() > _MOST_PNG_BYTES:
        file = io.BytesIO()
        person.save(file, "JPEG", quality=88)
    return file.getvalue()
