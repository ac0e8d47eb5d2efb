"""What is known of a create when it was looked at: what Kling says of it, and what is written about it."""

from dataclasses import dataclass

from kolors_mcp.kling.task import Task
from kolors_mcp.ledger.job import Job


@dataclass(frozen=True)
class Sighting:
    """How a create stands: what Kling says of it, and what is written about it."""

    task: Task
    job: Job | None
    """None where the ledger knows nothing."""
    is_new: bool = False
    """Whether this very call has made it."""
    hindrance: str | None = None
    """What keeps us from seeing how it stands by now, if something does."""
