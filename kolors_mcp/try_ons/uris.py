"""Addresses of try-ons, of their pictures and of what went in, `tryon://...`: how they are built, what they mean."""

import re
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote, unquote

from kolors_mcp.bounds import linear
from kolors_mcp.models import is_id

SCHEME = "tryon://"
RECENT_URI = SCHEME + "recent"
TRY_ON_TEMPLATE = SCHEME + "{task_id}"
PICTURE_TEMPLATE = TRY_ON_TEMPLATE + "/images/{index}"

_ADDRESS = re.compile(SCHEME + r"([^/?#\s]{1,600})(?:/images/([0-9]{1,2})|/(person|garment|lower))?")
MAX_ADDRESS_CHARACTERS = 700


@dataclass(frozen=True)
class Address:
    """What a `tryon://` address means: the latest ones, one try-on, or one of its pictures."""

    task_id: str | None
    index: int | None = None


class InputAddress(NamedTuple):
    """What the address of a picture means that a try-on was made of."""

    task_id: str
    role: str
    """`person`, `garment` or `lower`."""


def try_on_uri(task_id: str) -> str:
    """Return the address under which a try-on is known here, in Kling's id or our reference."""
    return SCHEME + quote(task_id, safe="")


def picture_uri(task_id: str, index: int) -> str:
    """Return the address under which a finished picture is known here."""
    return f"{try_on_uri(task_id)}/images/{index}"


@linear(b"%41", b"/images/1", b"a", opening=b"tryon://")
def address_of(uri: str) -> Address | None:
    """Return what an address means; None if it is not one of ours."""
    if uri == RECENT_URI:
        return Address(None)
    found = _read(uri)
    return found if isinstance(found, Address) else None


@linear(b"%41", b"/person", b"a", opening=b"tryon://")
def input_address_of(reference: str) -> InputAddress | None:
    """Return which picture of which try-on `tryon://ID/person`, `/garment` or `/lower` means; None if it is no such."""
    found = _read(reference.strip()) if len(reference) <= MAX_ADDRESS_CHARACTERS else None
    return found if isinstance(found, InputAddress) else None


def _read(uri: str) -> Address | InputAddress | None:
    found = _ADDRESS.fullmatch(uri)
    if found is None:
        return None
    task_id = unquote(found[1])
    if not is_id(task_id):
        return None
    if found[3] is not None:
        return InputAddress(task_id, found[3])
    return Address(task_id, None if found[2] is None else int(found[2]))
