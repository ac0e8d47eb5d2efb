"""The life of a paid create: its states, what each may become, what counts as spent, and what the same request joins.

Everything that asks about a state (statements, checks of the database, waits) takes it from this table.
"""

from dataclasses import dataclass
from typing import Literal, get_args

JobState = Literal["waiting", "sending", "posting", "created", "refused", "unconfirmed"]
"""The words are those in the database."""

STATES: tuple[JobState, ...] = get_args(JobState)


@dataclass(frozen=True)
class Rules:
    """What holds for a create in one state."""

    may_become: tuple[JobState, ...]
    counts_as_spent: bool
    """Whether it may have cost money, so that it counts against the daily limit."""
    is_joined: bool
    """Whether the same request joins it. One that Kling has finished only for a while, and never one that failed."""
    is_held: bool = False
    """Whether a process may have it in hand, under a lease; see `leases` for what it means that the lease has lapsed.

    One that waits is in nobody's hand once its pictures lie on the shelf; then it has no lease."""


RULES: dict[JobState, Rules] = {
    # It has a place in the account's line, and no slot of the account yet.
    "waiting": Rules(
        may_become=("sending", "created", "refused"),
        counts_as_spent=True,
        is_joined=True,
        is_held=True,
    ),
    # Written down; its process has not yet let the last piece of the request leave, so Kling cannot have taken it.
    "sending": Rules(
        may_become=("waiting", "posting", "created", "refused", "unconfirmed"),
        counts_as_spent=True,
        is_joined=True,
        is_held=True,
    ),
    # Marked just before the last piece left. After a refusal that passes it is sent again, in its next turn, or goes
    # back into the line.
    "posting": Rules(
        may_become=("waiting", "sending", "created", "refused", "unconfirmed"),
        counts_as_spent=True,
        is_joined=True,
        is_held=True,
    ),
    # Kling gave a task id; only its status moves from here on.
    "created": Rules(
        may_become=(),
        counts_as_spent=True,
        is_joined=True,
    ),
    # Certainly nothing was created; should a task turn up all the same, that is the truth.
    "refused": Rules(
        may_become=("created",),
        counts_as_spent=False,
        is_joined=False,
    ),
    # It was sent, and it is not known whether a task exists.
    "unconfirmed": Rules(
        may_become=("created", "refused"),
        counts_as_spent=True,
        is_joined=True,
    ),
}

JOINED: tuple[JobState, ...] = tuple(state for state in STATES if RULES[state].is_joined)
"""What the same request joins."""
HELD: tuple[JobState, ...] = tuple(state for state in STATES if RULES[state].is_held)
"""What a process has, or may have, in hand."""
BEING_SENT: tuple[JobState, ...] = ("sending", "posting")
"""What a process sends: it has its turn."""


def states_before(state: JobState) -> tuple[JobState, ...]:
    """Return the states that may become this one."""
    return tuple(before for before in STATES if state in RULES[before].may_become)
