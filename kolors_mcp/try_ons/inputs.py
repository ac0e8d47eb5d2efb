"""What an earlier create was given, as a picture again: the person for another garment, or all of it once more."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import unquote

from kolors_mcp import errors
from kolors_mcp.bounds import linear
from kolors_mcp.jobs.memory import Inputs
from kolors_mcp.models import is_id
from kolors_mcp.wording import quoted

_ADDRESS = re.compile(r"tryon://([^/?#\s]{1,600})/(person|garment|lower)")
MAX_ADDRESS_CHARACTERS = 700
_CALLED = {"person": "person's photo", "garment": "garment's photo", "lower": "lower garment's photo"}

InputsOf = Callable[[str], Awaitable[Inputs | None]]


@dataclass(frozen=True)
class InputAddress:
    """A picture that a try-on was made of."""

    task_id: str
    role: str
    """`person`, `garment` or `lower`."""


@linear(b"%41", b"/person", b"a", opening=b"tryon://")
def input_address_of(reference: str) -> InputAddress | None:
    """Return which picture of which try-on `tryon://ID/person`, `/garment` or `/lower` means; None if it is no such."""
    found = _ADDRESS.fullmatch(reference.strip()) if len(reference) <= MAX_ADDRESS_CHARACTERS else None
    if found is None or not is_id(unquote(found[1])):
        return None
    return InputAddress(unquote(found[1]), found[2])


async def given_for(reference: str, argument: str, inputs_of: InputsOf) -> str:
    """Return what a create was given for the picture that an argument names; what it was given, if it names none.

    Args:
        reference: What the argument was given.
        argument: Its name; refusals begin with it.
        inputs_of: Returns what the create of a try-on was given, if that is remembered and the user may see it.

    Raises:
        PictureRefusedError: It is not remembered any more. Nothing was sent.
    """
    address = input_address_of(reference)
    if address is None:
        return reference
    inputs = await inputs_of(address.task_id)
    given = None if inputs is None else getattr(inputs, address.role)
    if not isinstance(given, str):
        raise errors.PictureRefusedError(
            f"{argument} names the {_CALLED[address.role]} of try-on {quoted(address.task_id, 80)}, which is not "
            "remembered here: what was sent is kept only for a while, by the process that sent it. Nothing was sent. "
            "Give the photo itself."
        )
    return given
