"""Takes the pictures out of a message before its JSON is read: base64 is most of a create, and reads fast by itself.

In the place of each picture a short word is left that nobody else can have written. The rest is short, and is read as
any message. What the word stands for is put back among the arguments, so that nothing else ever sees it. A message in
which a picture does not stand in its usual place, written in the usual way, is left as it is.
"""

import json
import re
import secrets
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, NamedTuple, cast

from kolors_mcp.bounds import linear
from kolors_mcp.pictures import InlinePicture

TOOL = "create_try_on"
"""The one tool that is given large pictures."""
ARGUMENTS = frozenset({"human_image", "cloth_image", "lower_cloth_image"})
"""Those of its arguments that take an `InlinePicture`."""
MIN_CHARACTERS = 16 * 1024
"""Of base64 that is taken out."""
MAX_REST_BYTES = 64 * 1024
"""Of what is left of a message, which is read once more for it."""

_HEAD = re.compile(rb"data:[A-Za-z0-9][A-Za-z0-9.+/_-]{0,80};base64,")
_LONGEST_HEAD = 100
_LAST = 4
"""Characters in which base64 ends: any other way to write the same bytes differs here."""


class Lifted(NamedTuple):
    """A message without its pictures."""

    rest: bytes
    pictures: dict[str, InlinePicture]
    """By the word that stands in the place of each."""

    def put_back(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return a call's arguments with each picture in its place; it is not held here any more."""
        return {
            name: self.pictures.pop(value, value) if isinstance(value, str) else value
            for name, value in arguments.items()
        }


LIFTED: ContextVar[Lifted | None] = ContextVar("lifted", default=None)
"""What was taken out of the request that is being answered, where it is read again by others."""


@linear(
    b'"', b'\\"', b'"' + b"A" * MIN_CHARACTERS + b'"', b"A", b'"data:image/png;base64,', b'{"a":', b"\xff", b"=", b" ",
    opening=b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_try_on","arguments":{"human_image":',
)  # fmt: skip
def lift(message: bytes | bytearray) -> Lifted | None:
    """Return a message without its pictures; None if it is to be read as it is."""
    pictures: dict[str, InlinePicture] = {}
    pieces: list[bytes | bytearray] = []
    rest = begin = 0
    for start, stop in _long_runs(message):
        picture = _picture(memoryview(message)[start:stop])
        if picture is None:
            continue
        word = secrets.token_hex(16)
        pictures[word] = picture
        pieces += (message[begin:start], word.encode())
        rest, begin = rest + start - begin, stop
        if rest > MAX_REST_BYTES or len(pictures) > len(ARGUMENTS):
            return None
    if not pictures or rest + len(message) - begin > MAX_REST_BYTES:
        return None
    pieces.append(message[begin:])
    lifted = Lifted(b"".join(pieces), pictures)
    return lifted if _are_arguments(lifted) else None


def _long_runs(message: bytes | bytearray) -> Iterator[tuple[int, int]]:
    """Yield where something long stands between two quotation marks that have none between them."""
    # A look takes in as many bytes as a run has at least, so that each byte is looked at twice at most.
    place = message.find(b'"') + 1
    while place and place + MIN_CHARACTERS <= len(message):
        last = message.rfind(b'"', place, place + MIN_CHARACTERS)
        if last >= 0:
            place = last + 1
            continue
        stop = message.find(b'"', place + MIN_CHARACTERS)
        if stop < 0:
            return
        yield place, stop
        place = stop + 1


def _picture(run: memoryview) -> InlinePicture | None:
    """Return what a run of characters says if it is base64, written in the one usual way, alone or in a `data:` URI."""
    import pybase64  # noqa: PLC0415  (only for calls with pictures in them)

    found = _HEAD.match(run[:_LONGEST_HEAD])
    head = b"" if found is None else found[0]
    encoded = run[len(head) :]
    try:
        data = pybase64.b64decode(encoded, validate=True)
    except ValueError:
        return None
    ending = bytes(encoded[-_LAST:])
    if pybase64.b64encode(pybase64.b64decode(ending)) != ending:
        return None
    return InlinePicture(head.decode(), data)


def _are_arguments(lifted: Lifted) -> bool:
    """Whether each word is all of an argument that takes a picture."""
    try:
        message = json.loads(lifted.rest, object_pairs_hook=_unambiguous)
    except (ValueError, RecursionError):
        return False
    match message:
        case {"method": "tools/call", "params": {"name": str(name), "arguments": dict()}} if name == TOOL:
            arguments = cast("dict[str, object]", message["params"]["arguments"])
            words = {value for one in ARGUMENTS if isinstance(value := arguments.get(one), str)}
            return lifted.pictures.keys() <= words
        case _:
            return False


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("an object has a name twice")
    return made
