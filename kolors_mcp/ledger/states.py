"""The life of a paid create: its states, what each may become, what counts as spent, and what the same request joins.

Everything that asks about a state (statements, checks of the database, whoever waits) takes it from this table.
"""

from dataclasses import dataclass
from typing import Literal, get_args

JobState = Literal["sending", "created", "refused", "unconfirmed"]
"""The words are those in the database."""

STATES: tuple[JobState, ...] = get_args(JobState)


@dataclass(frozen=True)
class Rules:
    """What holds for a create in one state."""

    may_become: tuple[JobState, ...]
    counts_as_spent: bool
    """Whether it may have cost money, so that it counts against the daily limit."""
    joined_since: Literal["created_at", "updated_at"] | None
    """From when the same request joins it for a while; None: never. One that failed at Kling is not joined at all."""


RULES: dict[JobState, Rules] = {
    # Written down, and on its way; the outcome is open.
    "sending": Rules(
        may_become=("created", "refused", "unconfirmed"),
        counts_as_spent=True,
        joined_since="created_at",
    ),
    # Kling gave a task id; only its status moves from here on.
    "created": Rules(
        may_become=(),
        counts_as_spent=True,
        joined_since="created_at",
    ),
    # Certainly nothing was created; should a task turn up all the same, that is the truth.
    "refused": Rules(
        may_become=("created",),
        counts_as_spent=False,
        joined_since=None,
    ),
    # It was sent, and nobody knows whether a task exists.
    "unconfirmed": Rules(
        may_become=("created", "refused"),
        counts_as_spent=True,
        # From when the doubt arose, which may be minutes after the create was written down.
        joined_since="updated_at",
    ),
}

SPENT: tuple[JobState, ...] = tuple(state for state in STATES if RULES[state].counts_as_spent)
"""What may have cost money."""


def states_before(state: JobState) -> tuple[JobState, ...]:
    """Return the states that may become this one."""
    return tuple(before for before in STATES if state in RULES[before].may_become)
