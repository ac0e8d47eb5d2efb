"""A task at Kling as everything above the client knows it, whichever endpoint was asked."""

from dataclasses import dataclass
from datetime import datetime
from typing import cast, get_args

from kolors_mcp.models import Status
from kolors_mcp.wording import quoted


@dataclass(frozen=True)
class TaskImage:
    """One finished picture."""

    index: int
    url: str


@dataclass(frozen=True)
class Task:
    """What Kling says of one task. Nothing of it is unchecked, and its texts are plain lines."""

    id: str
    reference: str | None
    """The `external_task_id` it was created with, where the answer carries it."""
    status: Status
    message: str | None
    """Kling's words about the status, or what is odd about its word for it."""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    images: tuple[TaskImage, ...] = ()
    units: float | None = None
    """What it cost, as far as Kling says so, which it does when the task has ended."""


def status_of(word: str | None) -> tuple[Status, str | None]:
    """Return the status that Kling's word means, and what is odd about the word if anything is."""
    if word is None:
        return "submitted", None
    known = word.strip().lower()
    if known == "succeeded":  # newer pages of the vendor's
        return "succeed", None
    if known in get_args(Status):
        return cast("Status", known), None
    # Neither finished nor failed as far as can be told: waiting goes on, and the word is shown.
    return "processing", f"Kling reports a status this version does not know: {quoted(word, 40)}"
