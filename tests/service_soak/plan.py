"""What a run has: its users and their wishes, its slots, and what befalls the service; drawn from the seed."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Literal

HEAVY = 0
"""The number of the user with many wishes."""
What = Literal["kill", "freeze", "restart", "database away", "fault"]
LONGEST_LEASE_SECONDS = 30.0
"""By then another replica has taken over what a dead or frozen one had in hand."""
FROZEN_SECONDS = LONGEST_LEASE_SECONDS + 3, LONGEST_LEASE_SECONDS + 8
AWAY_SECONDS = 10.0
FAULTS: tuple[dict[str, object], ...] = (
    {"on": "create", "fault": "refuse", "code": 1303, "times": 2},
    {"on": "create", "fault": "disconnect", "when": "after_acceptance"},
    {"on": "create", "fault": "disconnect", "when": "before_body"},
    {"on": "create", "fault": "slow", "seconds": 4},
    {"on": "create", "fault": "raw", "status": 502, "accepted": True},
    {"on": "read", "fault": "refuse", "code": 5000, "times": 3},
    {"on": "read", "fault": "raw", "status": 504, "times": 2},
    {"on": "list", "fault": "refuse", "code": 1302, "times": 2},
)
"""What the simulated Kling does wrong, in the words of its control interface."""

WishKey = tuple[int, int]
"""The user, and the number of the wish among theirs."""


@dataclass(frozen=True)
class Happening:
    """What befalls the service at some moment."""

    after: float
    """Seconds since the first wish."""
    what: What
    replica: int = 0
    seconds: float = 0.0
    """For which a replica is frozen, or the database away."""
    fault: int = 0
    """Which of `FAULTS`."""


@dataclass(frozen=True)
class Plan:
    """A run."""

    seed: int
    users: int
    """With few wishes each; one more has many."""
    wishes: int
    heavy_wishes: int
    slots: int
    render_seconds: float
    spread: float
    """Seconds over which the users come."""
    replicas: int
    happenings: tuple[Happening, ...]

    def every_wish(self) -> Iterator[WishKey]:
        """Yield every wish."""
        for user in range(self.users + 1):
            yield from ((user, number) for number in range(self.wishes_of(user)))

    def wishes_of(self, user: int) -> int:
        """Return how many wishes a user has."""
        return self.heavy_wishes if user == HEAVY else self.wishes

    @property
    def total(self) -> int:
        """How many wishes there are."""
        return self.heavy_wishes + self.users * self.wishes

    @property
    def ideal_seconds(self) -> float:
        """What all wishes take if no slot is ever free while one waits."""
        return self.total * self.render_seconds / self.slots


def chance(*place: object) -> Random:
    """Return the chance that belongs to one place of a run, the same each time."""
    return Random("/".join(map(str, place)))  # noqa: S311  (chance, not secrets)


def happenings(
    seed: int, over: float, replicas: int, *, kills: int, freezes: int, restarts: int, away: int, faults: int
) -> tuple[Happening, ...]:
    """Draw what befalls the service in so many seconds, the first things first."""
    luck = chance(seed, "happenings")
    first = min(4.0, over / 4)

    def moment() -> float:
        return luck.uniform(first, over)

    def replica() -> int:
        return luck.randrange(replicas)

    drawn = [Happening(moment(), "kill", replica()) for _ in range(kills)]
    drawn += [Happening(moment(), "freeze", replica(), luck.uniform(*FROZEN_SECONDS)) for _ in range(freezes)]
    drawn += [Happening(moment(), "restart", replica()) for _ in range(restarts)]
    drawn += [Happening(luck.uniform(over / 3, over / 2), "database away", 0, AWAY_SECONDS) for _ in range(away)]
    drawn += [Happening(moment(), "fault", fault=luck.randrange(len(FAULTS))) for _ in range(faults)]
    return tuple(sorted(drawn, key=lambda one: one.after))
