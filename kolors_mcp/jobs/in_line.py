"""What a call is told of a create that is in the account's line."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kolors_mcp.clock import Clock
from kolors_mcp.jobs.sending import Sending
from kolors_mcp.jobs.store import OpenLedger
from kolors_mcp.jobs.watching import Watching
from kolors_mcp.kling.task import Task
from kolors_mcp.ledger.job import Job
from kolors_mcp.observer import Observer

if TYPE_CHECKING:
    from kolors_mcp.jobs.line import Line
    from kolors_mcp.jobs.line_parts import LineSettings
    from kolors_mcp.ledger.ledger import Ledger
    from kolors_mcp.ledger.slots import Place

IN_LINE_EVERY_SECONDS = 5.0
"""Between two looks at a place in line, each of which a waiting call is told; it is woken when the create moves."""
SECONDS_UP_TO = 90
"""What lasts longer is told in minutes."""


def with_line(open_ledger: OpenLedger, settings: "LineSettings") -> OpenLedger:
    """Return what opens the ledger with the account's line."""

    async def opened() -> "Ledger":
        ledger = await open_ledger()
        ledger.open_line(settings.terms, settings.wakes)
        return ledger

    return opened


def line_of(
    settings: "LineSettings",
    sending: Sending,
    watching: Watching,
    clock: Clock,
    observer: Observer,
    copy: Callable[[Job, Task], None] | None,
) -> "Line":
    """Return the account's line. What it needs is loaded only where it is turned on."""
    from kolors_mcp.jobs.line import Line  # noqa: PLC0415

    return Line(settings, sending, watching, clock, observer, copy)


def words_of(place: "Place | None") -> str:
    """Say where a wish stands."""
    if place is None:
        return "its turn has come; it is being sent to Kling"
    if place.before == 0:
        return "in line, next"
    return f"in line, {place.before} before you, about {_length(place.seconds)}"


def task_in_line(job: Job, place: "Place | None") -> Task:
    """Return what stands for the task of a create that is none yet: its name is our reference."""
    began = datetime.fromtimestamp(job.created_at, UTC)
    return Task(job.reference, job.reference, "submitted", words_of(place), created_at=began, updated_at=began)


def is_in_line(task: Task, job: Job | None) -> bool:
    """Whether this only stands for a task. Kling's ids are never our references."""
    return job is not None and task.id == job.reference


def _length(seconds: float) -> str:
    if seconds <= SECONDS_UP_TO:
        return f"{max(10, math.ceil(seconds / 10) * 10)} seconds"
    return f"{math.ceil(seconds / 60)} minutes"
