"""The addresses of try-ons and of their pictures, `tryon://...`: how they are built, and what they mean."""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from kolors_mcp.bounds import linear
from kolors_mcp.models import is_id

SCHEME = "tryon://"
RECENT_URI = "tryon://recent"
TRY_ON_TEMPLATE = "tryon://{task_id}"
PICTURE_TEMPLATE = "tryon://{task_id}/images/{index}"

_ADDRESS = re.compile(r"tryon://([^/?#\s]{1,600})(?:/images/([0-9]{1,2}))?")


@dataclass(frozen=True)
class Address:
    """What a `tryon://` address means: the latest ones, one try-on, or one of its pictures."""

    task_id: str | None
    index: int | None = None


def try_on_uri(task_id: str) -> str:
    """Return the address under which a try-on is known here, in Kling's id or our reference."""
    return f"tryon://{quote(task_id, safe='')}"


def picture_uri(task_id: str, index: int) -> str:
    """Return the address under which a finished picture is known here."""
    return f"{try_on_uri(task_id)}/images/{index}"


@linear(b"%41", b"/images/1", b"a", opening=b"tryon://")
def address_of(uri: str) -> Address | None:
    """Return what an address means; None if it is not one of ours."""
    if uri == RECENT_URI:
        return Address(None)
    found = _ADDRESS.fullmatch(uri)
    if found is None:
        return None
    task_id = unquote(found[1])
    if not is_id(task_id):
        return None
    return Address(task_id, None if found[2] is None else int(found[2]))
