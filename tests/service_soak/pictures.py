"""The users' pictures: each wish has a person of its own, told apart by bytes at Kling and by eye in a result."""

# Pillow names NumPy's types, which are not installed here.
# pyright: reportUnknownMemberType=false

import hashlib
import io
from functools import cache, lru_cache

from PIL import Image, ImageChops, ImageStat

from kolors_mcp.sandbox.render import render

from .plan import Plan, WishKey, chance

SIDE, CELLS = 304, 8
"""Pixels of a picture, just above what the vendor takes, and its cells in a row: 64 bits that are the wish's own."""
LARGE_SHARE = 0.1
"""Of the persons, which have some 300 kB, so that a create can be interrupted on its way."""
GARMENTS = ("crimson", "navy", "olive", "orchid", "peru")
_COMPARED = 64
_ALIKE = 12.0
"""Mean difference, of 255, up to which two pictures of results are the same in other sizes; others by some 25."""


class Pictures:
    """Makes and knows again what the users of one run send."""

    def __init__(self, plan: Plan) -> None:
        self._seed = plan.seed
        self._wishes = {self._digest(key): key for key in plan.every_wish()}
        assert len(self._wishes) == plan.total, "two pictures are alike"

    def of(self, key: WishKey) -> tuple[bytes, bytes]:
        """Return the person and the garment of a wish, as JPEG."""
        return _person(self._seed, key), _garment(GARMENTS[key[1] % len(GARMENTS)])

    def wish_of(self, digest: str) -> WishKey | None:
        """Return whose person has this SHA-256 (hex); None if nobody's has."""
        return self._wishes.get(digest)

    def is_result(self, picture: bytes, key: WishKey) -> bool:
        """Whether a picture is what Kling makes of a wish, in full or made smaller."""
        expected = _rendered(*self.of(key))
        if picture == expected:
            return True
        small = [_small(each) for each in (picture, expected)]
        return max(ImageStat.Stat(ImageChops.difference(*small)).mean) <= _ALIKE

    def _digest(self, key: WishKey) -> str:
        return hashlib.sha256(self.of(key)[0]).hexdigest()


@lru_cache(maxsize=4096)
def _person(seed: int, key: WishKey) -> bytes:
    bits = int.from_bytes(hashlib.sha256(f"{seed}/{key}".encode()).digest()[: CELLS * CELLS // 8])
    cells = Image.new("L", (CELLS, CELLS))
    cells.putdata([220 if bits >> place & 1 else 30 for place in range(CELLS * CELLS)])
    image = cells.resize((SIDE, SIDE), Image.Resampling.NEAREST).convert("RGB")
    luck = chance(seed, "picture", key)
    out = io.BytesIO()
    if luck.random() < LARGE_SHARE:
        # Noise cannot be packed, and does not hide the cells.
        noise = Image.frombytes("RGB", image.size, luck.randbytes(3 * SIDE * SIDE))
        Image.blend(image, noise, 0.3).save(out, "JPEG", quality=100, subsampling=0)
    else:
        image.save(out, "JPEG", quality=85)
    return out.getvalue()


@cache
def _garment(colour: str) -> bytes:
    image = Image.new("RGB", (SIDE, SIDE), "white")
    image.paste(Image.new("RGB", (SIDE // 2, SIDE // 2), colour), (SIDE // 4, SIDE // 4))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=85)
    return out.getvalue()


@lru_cache(maxsize=256)
def _rendered(human: bytes, cloth: bytes) -> bytes:
    return render(human, cloth)


def _small(picture: bytes) -> Image.Image:
    with Image.open(io.BytesIO(picture)) as image:
        return image.convert("L").resize((_COMPARED, _COMPARED), Image.Resampling.BOX)
