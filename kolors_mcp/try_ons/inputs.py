"""What an earlier create was given, as a picture again: the person for another garment, or all of it once more."""

from collections.abc import Awaitable, Callable

from kolors_mcp import errors
from kolors_mcp.jobs.memory import Inputs
from kolors_mcp.pictures import Given, InlinePicture
from kolors_mcp.try_ons.uris import input_address_of
from kolors_mcp.wording import quoted

_CALLED = {"person": "person's photo", "garment": "garment's photo", "lower": "lower garment's photo"}

InputsOf = Callable[[str], Awaitable[Inputs | None]]


async def given_for(reference: Given, argument: str, inputs_of: InputsOf) -> Given:
    """Return what a create was given for the picture that an argument names; what it was given, if it names none.

    Args:
        reference: What the argument was given.
        argument: Its name; refusals begin with it.
        inputs_of: Returns what the create of a try-on was given, if that is remembered and the user may see it.

    Raises:
        PictureRefusedError: It is not remembered any more. Nothing was sent.
    """
    address = None if isinstance(reference, InlinePicture) else input_address_of(reference)
    if address is None:
        return reference
    inputs = await inputs_of(address.task_id)
    given = None if inputs is None else getattr(inputs, address.role)
    if not isinstance(given, str | InlinePicture):
        raise errors.PictureRefusedError(
            f"{argument} names the {_CALLED[address.role]} of try-on {quoted(address.task_id, 80)}, which is not "
            "remembered here: what was sent is kept only for a while, by the process that sent it. Nothing was sent. "
            "Give the photo itself."
        )
    # What is remembered stays whole, although the call lets go of what it was given.
    return given.kept() if isinstance(given, InlinePicture) else given
