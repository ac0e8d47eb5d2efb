"""What the sandbox shows: its sample pictures, and results that are real, marked and always the same."""

import io
from collections.abc import Callable
from functools import cache
from pathlib import Path

import httpx
import pytest
from PIL import Image, ImageChops, ImageStat

from kolors_mcp.sandbox.beside import GROUND
from kolors_mcp.sandbox.figures import measure
from kolors_mcp.sandbox.render import cut_out, render
from kolors_mcp.sandbox.samples import SampleName, sample
from scripts.samples import brush
from scripts.samples.draw import DRAWINGS, draw
from tests.support.sandbox_door import NO_TLS, calling, picture, text

_NAMES: tuple[SampleName, ...] = ("person", "upper", "lower", "dress")
_FINE: SampleName = "dress"
"""The one that is drawn as finely as it is kept."""
rendered = cache(render)
"""Rendering takes a tenth of a second, and several tests look at the same result."""


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content)).convert("RGB")


def written(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


@cache
def outfit() -> bytes:
    """Put the T-shirt above the jeans on one white canvas."""
    upper, lower = Image.open(sample("upper")), Image.open(sample("lower"))
    canvas = Image.new("RGB", (900, 1800), "white")
    canvas.paste(upper, (50, 20))
    canvas.paste(lower, (130, 860))
    return written(canvas)


def differing(first: Image.Image, second: Image.Image, box: tuple[int, int, int, int]) -> float:
    """Return how far apart two pictures are inside a box, 0 to 255."""
    return max(ImageStat.Stat(ImageChops.difference(first.crop(box), second.crop(box))).mean)


def test_the_samples_are_what_the_script_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(DRAWINGS) == set(_NAMES)
    # Without the smooth edges, which cost nine times the pixels, each line is where it was.
    monkeypatch.setattr(brush, "SCALE", 1)
    others: dict[SampleName, Callable[[], Image.Image]] = {name: DRAWINGS[name] for name in _NAMES if name != _FINE}
    monkeypatch.setattr("scripts.samples.draw.DRAWINGS", others)
    draw(tmp_path)
    for name in others:
        kept, drawn = Image.open(sample(name)), Image.open(tmp_path / f"{name}.jpg")
        assert kept.size == drawn.size
        assert differing(kept.reduce(4), drawn.reduce(4), (0, 0, *kept.reduce(4).size)) < 2


def test_a_sample_drawn_as_finely_as_it_is_kept_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.samples.draw.DRAWINGS", {_FINE: DRAWINGS[_FINE]})
    draw(tmp_path)
    kept, drawn = Image.open(sample(_FINE)), Image.open(tmp_path / f"{_FINE}.jpg")
    # Another version of the decoder or of the blur may round differently, but not move a line.
    assert differing(kept, drawn, (0, 0, *kept.size)) < 1.5


@pytest.mark.parametrize("name", _NAMES)
def test_each_sample_is_small_and_passes_the_sandboxs_own_checks(name: SampleName) -> None:
    content = sample(name).read_bytes()
    assert len(content) < 120_000
    assert min(opened(content).size) >= 600
    with calling() as caller:
        assert caller.create(human_image=text(content), cloth_image=text(content)).json()["code"] == 0


@pytest.mark.parametrize(("name", "kind"), [("upper", "upper"), ("lower", "lower"), ("dress", "dress")])
def test_a_garments_kind_is_seen_from_its_shape(name: SampleName, kind: str) -> None:
    assert [garment.kind for garment in cut_out(opened(sample(name).read_bytes()))] == [kind]


def test_two_garments_on_one_canvas_are_taken_apart() -> None:
    assert [garment.kind for garment in cut_out(opened(outfit()))] == ["upper", "lower"]


# Boxes on the sample person: the chest, the thighs, the face.
_CHEST, _THIGHS, _FACE = (330, 330, 440, 440), (320, 600, 370, 720), (340, 100, 430, 200)


@pytest.mark.parametrize(
    ("garment", "chest", "thighs"),
    [("upper", True, False), ("lower", False, True), ("dress", True, True), ("outfit", True, True)],
)
def test_a_garment_lands_where_it_is_worn_and_leaves_the_face(garment: str, chest: bool, thighs: bool) -> None:
    person = sample("person").read_bytes()
    cloth = outfit() if garment == "outfit" else sample(garment).read_bytes()  # pyright: ignore[reportArgumentType]
    result = opened(rendered(person, cloth))
    before = opened(person)
    assert result.size == before.size
    assert (differing(result, before, _CHEST) > 30) is chest
    assert (differing(result, before, _THIGHS) > 30) is thighs
    assert differing(result, before, _FACE) == 0


def test_a_person_cut_off_at_the_knees_is_dressed_in_the_same_proportion() -> None:
    whole = Image.open(sample("person"))
    file = io.BytesIO()
    whole.crop((100, 0, 668, 760)).save(file, "PNG")
    cut = measure(opened(file.getvalue()))
    full = measure(opened(sample("person").read_bytes()))
    assert cut.middle == pytest.approx(full.middle - 100, abs=8)
    assert cut.shoulders == pytest.approx(full.shoulders, abs=12)
    assert cut.torso_width == pytest.approx(full.torso_width, rel=0.1)
    assert cut.feet > 760


@pytest.mark.parametrize(
    "odd", ["half a person", "a garment that somebody wears", "a garment before a busy background"]
)
def test_what_cannot_be_laid_on_well_stands_beside_the_person(odd: str) -> None:
    person, cloth = opened(sample("person").read_bytes()), opened(sample("upper").read_bytes())
    if odd == "half a person":
        person = person.crop((200, 20, 570, 420))
    elif odd == "a garment that somebody wears":
        cloth = person
    else:
        ground = Image.linear_gradient("L").convert("RGB")
        ground.paste(cloth.reduce(4), (28, 28))
        cloth = ground
    result = opened(render(written(person), written(cloth)))
    assert result.getpixel((2, 2)) == GROUND
    # Both are whole: the left half is the person, small.
    left = result.crop((0, 0, result.width // 2, result.height * 7 // 10))
    box = ImageChops.difference(left, Image.new("RGB", left.size, GROUND)).getbbox()
    assert box is not None
    assert (box[2] - box[0]) / (box[3] - box[1]) == pytest.approx(person.width / person.height, rel=0.05)


def test_something_is_laid_over_an_earlier_result() -> None:
    first = rendered(sample("person").read_bytes(), sample("dress").read_bytes())
    second, before = opened(render(first, sample("upper").read_bytes())), opened(first)
    assert differing(second, before, _CHEST) > 30
    assert differing(second, before, _FACE) == 0
    assert differing(second, before, _THIGHS) < 30


def test_a_result_carries_a_dark_band_with_light_letters_across_its_bottom() -> None:
    result = opened(rendered(sample("person").read_bytes(), sample("dress").read_bytes())).convert("L")
    band = result.crop((0, result.height - 36, result.width, result.height))
    dark, light = band.getextrema()
    assert isinstance(dark, int)
    assert dark < 70
    assert light == 255 or light > 220  # pyright: ignore[reportOperatorIssue]
    assert ImageStat.Stat(band).median[0] < 90


def test_rendering_the_same_pictures_gives_the_same_bytes() -> None:
    person, cloth = sample("person").read_bytes(), sample("upper").read_bytes()
    assert render(person, cloth) == rendered(person, cloth)


def busy(width: int, height: int) -> bytes:
    """Return a picture with a busy background, as a photo has."""
    file = io.BytesIO()
    Image.effect_noise((width, height), 90).convert("RGB").save(file, "JPEG", quality=95)
    return file.getvalue()


@pytest.mark.parametrize(
    ("human", "cloth"),
    [
        (picture, lambda: picture(300, 300)),
        (lambda: picture(300, 1800), lambda: picture(1800, 300)),
        (lambda: busy(750, 500), lambda: busy(350, 350)),
        (lambda: busy(300, 300), lambda: picture(400, 900, "JPEG", (255, 255, 255))),
        (lambda: busy(450, 800), sample("dress").read_bytes),
        (sample("upper").read_bytes, sample("person").read_bytes),
    ],
)
def test_any_pictures_give_a_real_result_of_useful_size(human: Callable[[], bytes], cloth: Callable[[], bytes]) -> None:
    content = render(human(), cloth())
    result = opened(content)
    assert min(result.size) >= 300
    assert max(result.size) >= 600
    assert len(content) < 1_500_000


def test_transparency_greyscale_and_a_turned_photo_are_understood() -> None:
    file = io.BytesIO()
    Image.new("RGBA", (400, 500), (0, 0, 0, 0)).save(file, "PNG")
    grey = io.BytesIO()
    Image.new("L", (900, 600), 180).save(
        grey,
        "JPEG",
        exif=b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00",
    )
    assert opened(render(grey.getvalue(), file.getvalue())).size == (600, 900)


def test_a_result_over_the_wire_is_the_rendered_picture() -> None:
    person, cloth = sample("person").read_bytes(), sample("lower").read_bytes()
    with calling() as caller:
        name = caller.made(human_image=text(person), cloth_image=text(cloth))
        caller.sandbox.clock.advance(6)
        link = caller.read(name).json()["data"]["task_result"]["images"][0]["url"]
        first, second = (httpx.get(link, trust_env=False, verify=NO_TLS).content for _ in range(2))
    assert first == second == rendered(person, cloth)
