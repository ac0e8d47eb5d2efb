"""Tiny pictures, made once: every wish is a pair of its own, and Kling tells by the pair whose wish it is."""

import base64
import io
import math
from collections.abc import Collection

from PIL import Image

from tests.support.making import noise

SIDE, BLOCK = 304, 8
"""Pixels: just above what the vendor takes, and what a JPEG is made of."""
PER_ROW = SIDE // BLOCK
BEGINNING_CHARACTERS = 4096
"""By so much of its base64 a large person is known: it is noise from its first lines on."""


class Pictures:
    """Persons and garments for so many wishes."""

    def __init__(self, wishes: int, large: Collection[int] = ()) -> None:
        """Make the square root of them of each kind.

        Args:
            wishes: How many.
            large: Those whose person is more than a connection takes in at once, so that their creates can be held up.
        """
        self._kinds = max(2, math.ceil(math.sqrt(wishes)))
        self._humans = [_picture("teal", number) for number in range(self._kinds)]
        self._cloths = [_picture("crimson", number) for number in range(self._kinds)]
        self._numbers = [{text: number for number, text in enumerate(kind)} for kind in (self._humans, self._cloths)]
        assert all(len(numbers) == self._kinds for numbers in self._numbers), "two pictures are alike"
        self._large = {wish: base64.b64encode(noise(wish)).decode() for wish in large}
        self._wishes = {human: wish for wish, human in self._large.items()}

    def of(self, wish: int) -> tuple[str, str]:
        """Return the person and the garment of a wish, in base64."""
        human, cloth = divmod(wish, self._kinds)
        return self._large.get(wish) or self._humans[human], self._cloths[cloth]

    def wish_of(self, human: str, cloth: str) -> int | None:
        """Return the number of the wish that has these pictures; None if none has."""
        if (wish := self._wishes.get(human)) is not None:
            return wish if self.of(wish)[1] == cloth else None
        numbers = [known.get(text) for known, text in zip(self._numbers, (human, cloth), strict=True)]
        if numbers[0] is None or numbers[1] is None:
            return None
        return numbers[0] * self._kinds + numbers[1]

    def begun(self, beginning: bytes) -> int | None:
        """Return the number of the wish whose large person a request begins with; None if it is no such request."""
        starts = ((wish, human[:BEGINNING_CHARACTERS].encode()) for wish, human in self._large.items())
        return next((wish for wish, start in starts if start in beginning), None)


def _picture(colour: str, number: int) -> str:
    """Return a picture of one colour with one block in white, whose place is the number."""
    image = Image.new("RGB", (SIDE, SIDE), colour)
    row, column = divmod(number, PER_ROW)
    image.paste((255, 255, 255), (column * BLOCK, row * BLOCK, (column + 1) * BLOCK, (row + 1) * BLOCK))
    out = io.BytesIO()
    image.save(out, "JPEG")
    return base64.b64encode(out.getvalue()).decode()
