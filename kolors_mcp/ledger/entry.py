"""What the ledger knows of one try-on, and what a reservation comes to."""

from dataclasses import dataclass

from kolors_mcp.ledger.states import JobState


@dataclass(frozen=True)
class Entry:
    """One paid create that was asked for. Times are seconds since 1970."""

    reference: str
    """Our own id of the request; Kling gets it as `external_task_id`."""
    user: str
    fingerprint: str
    """What the prepared pictures come to; the same pictures give the same one."""
    model_name: str | None
    state: JobState
    task_id: str | None
    status: str | None
    """Kling's last known word for the task; `succeed` and `failed` stay."""
    created_at: float
    """When it was reserved."""
    updated_at: float
    """When anything in it last changed; of an unconfirmed one, when the doubt began."""
    labels: tuple[str, str]
    """Where the person's and the garment's picture came from: a file name or a host."""
    notes: tuple[str, ...]
    """What was done to the pictures, one line each."""
    saved: dict[int, str]
    """Where the finished picture of an index was saved."""
    code: int | None
    """Kling's code of refusal, if there was one."""


@dataclass(frozen=True)
class Reserved:
    """The wish is new and written down: send it now, once."""

    entry: Entry


@dataclass(frozen=True)
class Joined:
    """The same wish was made before: send nothing, follow this one."""

    entry: Entry
