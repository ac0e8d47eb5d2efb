"""A create in doubt: how old the doubt is, and what the looks for it have shown."""

from dataclasses import dataclass
from typing import Literal

from kolors_mcp.ledger.job import Job

LOOKED_FOR_SECONDS = 86400.0
"""For which a create is looked for without being asked for, from when it was sent; then the doubt stands."""

Where = Literal["reference", "list"]
"""How Kling was asked: for the create's reference, or for the account's list."""
LookAnswers = tuple[tuple[Where, str], ...]
"""What Kling said in each way that it was asked."""


@dataclass(frozen=True)
class Look:
    """What looking for one create came to, once or several times in a row."""

    answers: LookAnswers
    """Of the last time."""
    times: int = 1
    lends_slot: bool = False
    """Whether Kling was seen whole and has nothing of it, when it would have shown it: then it holds no slot either.

    It stays in doubt. A slot that is lent wrongly costs a refusal that pays nothing."""


@dataclass(frozen=True)
class Finding:
    """What one question to Kling showed."""

    at: float
    """Seconds since 1970, by the ledger's clock."""
    where: Where
    answer: str


@dataclass(frozen=True)
class Doubt:
    """A create of which it is not known whether it came to a task."""

    job: Job
    age: float
    """Seconds since it was sent, by the ledger's clock."""
    lasts: float
    """Seconds since it is in doubt; from then on no answer to the create comes any more."""
    looks: int
    """How often it was looked for."""
    findings: tuple[Finding, ...]
    """The latest, the oldest first."""

    @property
    def is_given_up(self) -> bool:
        """Whether it is not looked for any more unless a caller asks for it."""
        return self.age >= LOOKED_FOR_SECONDS
