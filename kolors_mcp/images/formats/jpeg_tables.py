"""The tables and headers inside a JPEG, checked as strictly as the decoder at the other end will check them."""

from dataclasses import dataclass
from functools import cached_property

from kolors_mcp.bounds import Steps, linear
from kolors_mcp.images.formats.structure import BrokenError
from kolors_mcp.images.refusal import RefusalError

_MAX_TABLES = 4
_LAST_COEFFICIENT = 63
_MAX_DC_SYMBOL = 15
_MAX_MCU_BLOCKS = 10
_MAX_POINT_TRANSFORM = 13
_PRECISION, _TWELVE_BITS = 8, 12
_MAX_FACTOR = 4


@dataclass(frozen=True)
class Component:
    """One colour component of a frame."""

    identifier: int
    horizontal: int
    vertical: int
    quantization: int


@dataclass(frozen=True)
class Frame:
    """A frame header."""

    width: int
    height: int
    progressive: bool
    components: tuple[Component, ...]

    @cached_property
    def blocks(self) -> int:
        """At least how many 8 x 8 blocks the scans bring."""
        widest = max(component.horizontal for component in self.components)
        highest = max(component.vertical for component in self.components)
        return sum(
            _eighths(self.width * component.horizontal, widest) * _eighths(self.height * component.vertical, highest)
            for component in self.components
        )

    @property
    def usual_sampling(self) -> bool:
        """Whether the colour differences are sampled in a way that every decoder knows."""
        first, *others = self.components
        if any((other.horizontal, other.vertical) != (1, 1) for other in others):
            return False
        return not others or (first.horizontal in (1, 2, 4) and first.vertical in (1, 2))


@dataclass(frozen=True)
class Scan:
    """A scan header: which components, and whether it brings their means for the first time."""

    components: tuple[int, ...]
    first: bool


class Tables:
    """Which quantization and Huffman tables have been defined so far.

    Args:
        steps: The picture's budget; a segment of 64 KB can hold thousands of tables, so each counts as a step.
    """

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self.quantization: set[int] = set()
        self.huffman: set[tuple[int, int]] = set()
        """(class, number); class 0 is for means, 1 for everything else."""

    @linear(bytes(65), b"\x10" + bytes(128))
    def add_quantization(self, payload: bytes) -> None:
        """Read a DQT segment."""
        position = 0
        while position < len(payload):
            self._steps.take()
            precision, number = payload[position] >> 4, payload[position] & 15
            position += 1 + 64 * (precision + 1)
            if precision > 1 or number >= _MAX_TABLES or position > len(payload):
                raise BrokenError("quantization table")
            self.quantization.add(number)

    @linear(bytes(17), b"\x10\0\1" + bytes(15))
    def add_huffman(self, payload: bytes) -> None:
        """Read a DHT segment."""
        position = 0
        while position < len(payload):
            self._steps.take()
            kind, number = payload[position] >> 4, payload[position] & 15
            counts = payload[position + 1 : position + 17]
            symbols = payload[position + 17 : position + 17 + sum(counts)]
            position += 17 + sum(counts)
            if kind > 1 or number >= _MAX_TABLES or position > len(payload) or sum(counts) > 256:  # noqa: PLR2004  (bytes)
                raise BrokenError("Huffman table")
            if not _fits(counts) or (kind == 0 and max(symbols, default=0) > _MAX_DC_SYMBOL):
                raise BrokenError("Huffman codes")
            self.huffman.add((kind, number))


@linear(b"\1\x11\0", opening=b"\x08\1\0\1\0\xff")
def read_frame(payload: bytes, *, progressive: bool) -> Frame:
    """Read an SOF segment of an 8-bit Huffman frame."""
    if len(payload) < 6 or len(payload) != 6 + 3 * payload[5]:  # noqa: PLR2004  (fixed layout)
        raise BrokenError("frame header")
    components = tuple(
        Component(payload[at], payload[at + 1] >> 4, payload[at + 1] & 15, payload[at + 2])
        for at in range(6, len(payload), 3)
    )
    height, width = int.from_bytes(payload[1:3], "big"), int.from_bytes(payload[3:5], "big")
    if payload[0] == _TWELVE_BITS:
        raise RefusalError("is a 12-bit JPEG, which cannot be read here. Save it as an ordinary JPEG first.")
    if (
        payload[0] != _PRECISION
        or not (width and height)
        or not 1 <= len(components) <= _MAX_TABLES
        or len({component.identifier for component in components}) != len(components)
        or any(
            not (1 <= component.horizontal <= _MAX_FACTOR and 1 <= component.vertical <= _MAX_FACTOR)
            for component in components
        )
    ):
        raise BrokenError("frame header")
    return Frame(width, height, progressive, components)


@linear(b"\1\0", opening=b"\4", closing=b"\0\x3f\0")
def read_scan(payload: bytes, frame: Frame, tables: Tables) -> Scan:
    """Read an SOS segment and see that everything it leans on is there."""
    if not payload or not 1 <= payload[0] <= _MAX_TABLES or len(payload) != 4 + 2 * payload[0]:
        raise BrokenError("scan header")
    first, last, high, low = payload[-3], payload[-2], payload[-1] >> 4, payload[-1] & 15
    identifiers = [component.identifier for component in frame.components]
    chosen: list[int] = []
    for at in range(1, len(payload) - 3, 2):
        if payload[at] not in identifiers:
            raise BrokenError("scan of an unknown component")
        index = identifiers.index(payload[at])
        chosen.append(index)
        if frame.components[index].quantization not in tables.quantization:
            raise BrokenError("no quantization table")
        means, others = payload[at + 1] >> 4, payload[at + 1] & 15
        if not frame.progressive:
            needed = {(0, means), (1, others)}
        elif first == 0:
            needed = {(0, means)} if high == 0 else set[tuple[int, int]]()
        else:
            needed = {(1, others)}
        if not needed <= tables.huffman:
            raise BrokenError("no Huffman table")
    if len(set(chosen)) != len(chosen):
        raise BrokenError("scan of a component twice")
    blocks = sum(frame.components[index].horizontal * frame.components[index].vertical for index in chosen)
    if len(chosen) > 1 and blocks > _MAX_MCU_BLOCKS:
        raise BrokenError("too many blocks in a unit")
    _check_selection(first, last, high, low, frame=frame, several=len(chosen) > 1)
    return Scan(tuple(chosen), first == 0 and high == 0)


def _check_selection(first: int, last: int, high: int, low: int, *, frame: Frame, several: bool) -> None:
    """See that the coefficients and bits a scan brings are a step that a decoder knows (T.81, annex G)."""
    if not frame.progressive:
        good = (first, last, high, low) == (0, _LAST_COEFFICIENT, 0, 0)
    elif first == 0:
        good = last == 0
    else:
        good = first <= last <= _LAST_COEFFICIENT and not several
    if frame.progressive:
        good = good and low <= _MAX_POINT_TRANSFORM and (high == 0 or low == high - 1)
    if not good:
        raise BrokenError("scan selection")


def _fits(counts: bytes) -> bool:
    """Return whether codes of these lengths exist, the all-ones code of the last length left unused or not."""
    code = 0
    for length, count in enumerate(counts, start=1):
        code += count
        if code > 1 << length:
            return False
        code <<= 1
    return True


def _eighths(scaled: int, factor: int) -> int:
    """Return how many blocks a component needs along one side."""
    return -(-scaled // (factor * 8))
