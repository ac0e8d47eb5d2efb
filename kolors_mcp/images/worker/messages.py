"""What the server and its decoding process say to each other, as data: a request, and one of three answers."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, cast, get_args

from kolors_mcp.bounds import linear
from kolors_mcp.images import limits
from kolors_mcp.images.bounds import Bounds
from kolors_mcp.images.formats.outline import Outline
from kolors_mcp.images.formats.sniff import Kind
from kolors_mcp.wording import plain

Job = Literal["convert", "outfit", "preview", "side_by_side", "sheet", "for_host", "verify"]

MAX_PICTURES = limits.SHEET_PICTURES
TAKEN = b"\x06"
"""What the process says when it has a request with all its pictures, before it looks into any of them."""
_MAX_NOTES = 20
_MAX_TEXT_CHARACTERS = 600


class MalformedError(Exception):
    """The other side says something that it never says; it is not to be trusted any more."""


@dataclass(frozen=True)
class Given:
    """One picture of a request."""

    kind: Kind
    size: int
    """Bytes."""
    outline: Outline | None = None
    handed: bool = False
    """Whether its open file comes with the request, instead of its bytes after it."""


@dataclass(frozen=True)
class Request:
    """What is to be done, and to which pictures."""

    job: Job
    pictures: tuple[Given, ...]
    bounds: Bounds = field(default_factory=Bounds)
    memory: int | None = None
    """Bytes that may be taken for it; without, what its pictures may have that are decoded alone."""
    captions: tuple[str, ...] = ()
    """What is written below each picture of a sheet."""

    def to_wire(self) -> bytes:
        """Return the header; the pictures' bytes follow it."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_wire(cls, header: bytes) -> "Request":
        """Read a header, which the server has written."""
        found = cast("dict[str, Any]", json.loads(header))
        pictures = tuple(map(_given, found["pictures"]))
        return cls(found["job"], pictures, Bounds(**found["bounds"]), found["memory"], tuple(found["captions"]))


@dataclass(frozen=True)
class Done:
    """What came of it."""

    data: bytes | bytearray = b""
    notes: tuple[str, ...] = ()
    shrunk: bool = False

    def header(self) -> bytes:
        """Return what goes before the data."""
        return json.dumps({"size": len(self.data), "notes": self.notes, "shrunk": self.shrunk}).encode()


@dataclass(frozen=True)
class Refused:
    """Why nothing came of it, as the rest of a sentence; see `RefusalError`."""

    text: str
    transient: bool = False
    picture: int = 0
    """Which of the request's pictures it is about."""

    def header(self) -> bytes:
        """Return all of it."""
        return json.dumps(asdict(self)).encode()


@dataclass(frozen=True)
class Dear:
    """It takes more memory than was given, but not more than one may have that is decoded alone."""

    memory: int

    def header(self) -> bytes:
        """Return all of it."""
        return json.dumps(asdict(self)).encode()


Answer = Done | Refused | Dear


@linear(b'"a",', b"[", opening=b'{"size": 1, "shrunk": false, "notes": [', closing=b'"a"]}')
def answer_of(header: bytes) -> tuple[Answer, int]:
    """Read an answer's header, and how many bytes follow it.

    A decoder that hostile bytes have taken over can say anything. So each value is checked, and texts are plain.

    Raises:
        MalformedError: It is no answer.
    """
    try:
        found: Any = json.loads(header)
    except (ValueError, RecursionError) as error:
        raise MalformedError from error
    match found:
        case {"text": str(text), "transient": bool(transient), "picture": int(picture)} if 0 <= picture < MAX_PICTURES:
            return Refused(plain(text, _MAX_TEXT_CHARACTERS), transient, picture), 0
        case {"size": int(size), "notes": [*notes], "shrunk": bool(shrunk)} if (
            0 <= size <= limits.MAX_OUTPUT_BYTES and len(notes) <= _MAX_NOTES
        ):
            texts = tuple(plain(note, _MAX_TEXT_CHARACTERS) for note in notes if isinstance(note, str))
            return Done(b"", texts, shrunk), size
        case {"memory": int(memory)} if 0 < memory <= limits.PHOTO_DECODING_BYTES:
            return Dear(memory), 0
        case _:
            raise MalformedError


def _given(found: Mapping[str, Any]) -> Given:
    told = cast("dict[str, Any] | None", found["outline"])
    outline: Outline | None = None
    if told is not None:
        spans = cast("list[tuple[int, int]] | None", told.pop("readable"))
        outline = Outline(**told, readable=None if spans is None else tuple((start, stop) for start, stop in spans))
    kind = found["kind"]
    if kind not in get_args(Kind):
        raise MalformedError
    return Given(kind, found["size"], outline, found["handed"])
