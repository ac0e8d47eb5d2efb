"""Which try-on a name means: Kling's id, our reference, its address, or a label that exactly one of the user's has."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from kolors_mcp import errors
from kolors_mcp.ledger.job import Job
from kolors_mcp.models import is_id, looks_like_an_id
from kolors_mcp.try_ons.uris import SCHEME, address_of
from kolors_mcp.wording import minute, quoted

MAX_TOLD_APART = 6
"""Try-ons of one label that are told apart in an answer."""

Find = Callable[[str], Awaitable[Job | None]]
"""From an id or reference to what is written down about it, if the user may see it."""
Labelled = Callable[[str, int], Awaitable[list[Job]]]
"""From a label to the user's try-ons that are called so, the newest first, at most so many."""


@dataclass(frozen=True)
class Meant:
    """The try-on that a name means."""

    name: str
    """Kling's id or our reference."""
    job: Job | None
    """What is written down about it."""
    index: int | None = None
    """Of the picture that is meant, if one is."""


async def meant_by(name: str, find: Find, labelled: Labelled) -> Meant:
    """Return the try-on that a name means.

    An id comes before a label: one that is written down here, and whatever has the form of an id.

    Raises:
        ArgumentError: It is an address that names none.
        AmbiguousLabelError: Several try-ons are called so.
        TaskNotFoundError: It is no id, and none is called so.
        LedgerError: What is called so cannot be looked up, and it is no id; or `find` raises it.
    """
    if name.startswith(SCHEME):
        address = address_of(name)
        if address is None or address.task_id is None:
            raise errors.ArgumentError(f"{quoted(name)} names no try-on. Give its task_id, or tryon://TASK_ID.")
        return Meant(address.task_id, await find(address.task_id), address.index)
    job = await find(name) if is_id(name) else None
    if job is not None or looks_like_an_id(name):
        return Meant(name, job)
    try:
        found = await labelled(name, MAX_TOLD_APART + 1)
    except errors.LedgerError:
        if not is_id(name):
            raise
        found = []
    if len(found) > 1:
        raise errors.AmbiguousLabelError(_told_apart(name, found))
    if found:
        reference = found[0].task_id or found[0].reference
        return Meant(reference, await find(reference))
    if not is_id(name):
        raise errors.TaskNotFoundError.of(name)
    return Meant(name, None)


def _told_apart(label: str, found: Sequence[Job]) -> str:
    shown = found[:MAX_TOLD_APART]
    rows = "; ".join(f"{job.task_id or job.reference} ({_standing(job)}, {minute(job.created_at)})" for job in shown)
    number, more = (len(shown), "") if shown == found else (f"More than {len(shown)}", ", and older ones")
    return f"{number} try-ons are called {quoted(label, 80)}: {rows}{more}. Give the task_id of the one that is meant."


def _standing(job: Job) -> str:
    return job.status or ("in doubt" if job.state == "unconfirmed" else "submitted")
