"""A paid create in the ledger: what is asked for, what is known of it, and what a reservation comes to."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from kolors_mcp.errors import KolorsError
from kolors_mcp.ledger.states import JobState

TRY_ON_ENDPOINT = "kolors-virtual-try-on"
"""The last part of the path of Kling's try-on."""


@dataclass(frozen=True)
class Job:
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
    account: str
    """Of Kling's, at which it was asked for; tells accounts apart and shows nothing of their keys."""
    endpoint: str
    """Which of Kling's endpoints it went to; the task's id is known there only."""
    turn: int | None = None
    """How often it was about to be sent, counted from 1; None in rows of an older layout."""
    posted_at: float | None = None
    """When the last piece of a request was about to leave, the last time; until then Kling cannot have taken it."""
    final_at: float | None = None
    """When Kling finished it, as far as Kling says, else when that was seen."""
    units: float | None = None
    """What Kling says that the finished task cost."""
    label: str | None = None
    """What people call it."""
    look_at: float | None = None
    """When to look for its task next: of one in doubt; of a refused one, when Kling would show a task all the same."""


@dataclass(frozen=True)
class NewJob:
    """A paid create that is about to be asked for."""

    reference: str
    """Our new id of this request."""
    user: str
    """Who asks, an opaque string."""
    fingerprint: str
    """What the prepared pictures come to."""
    model_name: str | None
    """The model asked for; None is Kling's default."""
    labels: tuple[str, str]
    """Where the person's and the garment's picture came from: file name or host."""
    notes: tuple[str, ...] = ()
    """What was done to the pictures."""
    fresh: bool = False
    """Join nothing but the same one: also fresh, and being sent, in doubt or younger than a minute."""
    label: str | None = None
    """What people call it, in one line."""
    endpoint: str = TRY_ON_ENDPOINT
    """Which of Kling's endpoints it goes to."""
    callback_url: str | None = None
    """Which address Kling is to call; written down where another process may send it."""


@dataclass(frozen=True)
class Refusals:
    """Which refusals of the same request keep it from being reserved until they have been looked for."""

    codes: tuple[int, ...]
    """Kling's, of which at least one."""
    seconds: float
    """How long ago they were written down at most."""
    most: int
    """Only the latest ones count."""
    looked_for: AbstractSet[str] = frozenset()
    """References that keep nothing any more."""


class LookFirstError(Exception):
    """Nothing was reserved: the same left before and was refused, by a word that may not have been true.

    Attributes:
        refused: What is to be looked for, the newest first.
    """

    def __init__(self, refused: Sequence[Job]) -> None:
        super().__init__()
        self.refused = refused


class LineFullError(KolorsError):
    """The account's line is too long for one more. Nothing was written down, and nothing was sent."""

    retryable = True


@dataclass(frozen=True)
class Reservation:
    """What became of a request to the ledger."""

    job: Job
    is_new: bool
    """True: it is written down, send it now, once. False: the same was asked for before; send nothing, wait for it."""
