"""One call: who asks, until when they must be answered, how long they wait, and who hears what is going on."""

from collections.abc import Callable
from typing import NamedTuple

from kolors_mcp.clock import Deadline, Ending

MIN_STEP_SECONDS = 2.0
"""What a step of the work is given at least, even if the deadline is near: without it nothing could be tried at all."""

Report = Callable[[str], None]
"""Takes one short line about what is going on, for the caller who waits."""


def ignore(_line: str) -> None:
    """Take a line and drop it."""


class Call(NamedTuple):
    """What the server's door knows of a call; made there, once.

    Three times bound the work, and the first wins: the deadline, which the host sets; the caller's own wait; and the
    longest time of each step. Only `MIN_STEP_SECONDS` may go beyond the deadline, which therefore lies before the
    moment in which the host really cuts.
    """

    user: str
    deadline: Deadline
    """When the answer must be on its way, whatever it is."""
    wait: float = 0.0
    """Seconds for which the caller waits for a result."""
    report: Report = ignore
    ending: Ending | None = None
    """When the process begins to end: then nobody waits for a result any more."""

    def shortened(self, seconds: float) -> "Call":
        """Return a call with less time, which waits for no result and reports no progress."""
        clock = self.deadline.clock
        deadline = self.deadline._replace(at=min(self.deadline.at, clock.monotonic() + seconds))
        return Call(self.user, deadline)

    def waiting(self) -> Deadline:
        """Return until when a wait that begins now may last."""
        clock = self.deadline.clock
        return Deadline(min(self.deadline.at, clock.monotonic() + self.wait), clock, ending=self.ending)
