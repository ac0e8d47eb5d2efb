"""An earlier result as a picture: which one an argument names, and its bytes. So a jacket goes over a dress."""

from collections.abc import Awaitable, Callable

from kolors_mcp import errors
from kolors_mcp.models import is_id, looks_like_an_id
from kolors_mcp.pictures import Given, InlinePicture, LoadedPicture, PictureSource
from kolors_mcp.try_ons.uris import SCHEME, Address, address_of
from kolors_mcp.wording import quoted

MAX_RESULT_NAME_CHARACTERS = 1_000
"""Characters of an argument that may name a result; what is longer is a picture, or a link to one."""

IsKnown = Callable[[str], Awaitable[bool]]
Original = Callable[[str, int], Awaitable[bytes]]


async def source_of(
    reference: Given, argument: str, is_known: IsKnown, original: Original, *, has_files: bool = True
) -> PictureSource:
    """Return the finished picture that an argument names; what it was given, if that names none.

    A `tryon://` address is nothing else. A name of letters and digits is a try-on if it is written down here, or, in
    the form of Kling's ids and our references, if Kling knows it; any other is left to those who open files.

    Args:
        reference: What the argument was given.
        argument: Its name; refusals begin with it.
        is_known: Whether a try-on of this id or reference is written down, and the user may see it.
        original: Returns a picture of a try-on whole, by its index.
        has_files: Whether what looks like an id may be a file's name.

    Raises:
        PictureRefusedError: It names a try-on of which there is no such picture. Nothing was sent.
    """
    if isinstance(reference, InlinePicture):
        return reference
    name = reference.strip(" \t\r\n<>\"'`") if len(reference) <= MAX_RESULT_NAME_CHARACTERS else ""
    addressed = name.startswith(SCHEME)
    address = address_of(name) if addressed else Address(name) if is_id(name) else None
    if address is None or address.task_id is None:
        if addressed:
            raise errors.PictureRefusedError(
                f"{argument} is {quoted(name)}, which names no picture of a try-on. Nothing was sent. Give the "
                "task_id of one, or its picture as tryon://TASK_ID/images/0."
            )
        return reference
    certain = addressed or await is_known(address.task_id)
    if not certain and not looks_like_an_id(address.task_id):
        return reference
    called = f"try-on {quoted(address.task_id, 80)}"
    try:
        data = await original(address.task_id, address.index or 0)
    except errors.TaskNotFoundError as error:
        if has_files and not certain:
            return reference
        unknown = "Kling does not know" if has_files else "is not known"
        raise errors.PictureRefusedError(
            f"{argument} names {called}, which {unknown}. Nothing was sent. list_try_ons shows those that there are."
        ) from error
    except errors.ResultUnavailableError as error:
        raise errors.PictureRefusedError(f"{argument}: {error} Nothing was sent.") from error
    except errors.KlingError as error:
        raise errors.PictureRefusedError(
            f"{argument} names {called}, which could not be looked at: {error.happened} Nothing was sent. Try again in "
            "a minute, or give its saved copy."
        ) from error
    return LoadedPicture(data, called, (f"the finished picture of {called}",))
