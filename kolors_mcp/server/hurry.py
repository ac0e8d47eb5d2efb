"""What ends the waiting of one call before its time: its request takes room that others need."""

from contextvars import ContextVar

from kolors_mcp.clock import Ending

HURRY: ContextVar[Ending | None] = ContextVar("hurry", default=None)
"""Of the request that is being answered; None where nobody is kept waiting by it."""


def of_this_request(last: Ending) -> Ending:
    """Return what ends the waiting of the call that is being answered, which comes with `last` at the latest."""
    hurry = HURRY.get()
    return last if hurry is None else last.at_the_latest(hurry)
