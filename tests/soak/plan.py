"""What happens to a wish, drawn from the seed and its number: what goes wrong at Kling, who calls, who is killed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

Repeated = Literal["first", "second", "refuses"]
"""What a create with a known `external_task_id` does: not documented, so all three are played."""
Shown = Literal["both", "list", "id", "nowhere", "unknown"]
"""Where Kling shows our reference. `unknown`: it takes none, as on the vendor's older page, and refuses the field."""
Stage = Literal["called", "begun", "body", "accepted", "answered"]
"""How far the first create of a wish has come. When it is begun, its last piece has certainly not left."""

STAGES: tuple[Stage, ...] = ("called", "begun", "body", "accepted", "answered")
STOPPED_SECONDS = 18.0, 24.0
"""Longer than a lease of 15 s, and shorter than a host waits, so that the sleeper's own call is answered."""
LARGEST_WORLD, SMALLEST_WORLD = 160, 10
"""Wishes that share one ledger and one Kling."""


@dataclass(frozen=True)
class Provider:
    """How one Kling treats references."""

    repeated: Repeated
    shown: Shown

    def __str__(self) -> str:
        return f"{self.repeated}/{self.shown}"


PROVIDERS: tuple[Provider, ...] = (
    *(
        Provider(repeated, shown)
        for shown in ("both", "list", "id", "nowhere")
        for repeated in ("first", "second", "refuses")
    ),
    Provider("refuses", "unknown"),
)


@dataclass(frozen=True)
class Fault:
    """What becomes of one create at Kling. Without anything set it is accepted and answered."""

    weight: int
    accepted: bool = True
    says: tuple[tuple[int, int], ...] = ()
    """HTTP status and code, one of which is answered; nothing: what a good create is answered."""
    body: Literal["envelope", "html", "cut short", "odd id"] = "envelope"
    ends: Literal["answered", "closed", "reset"] = "answered"
    pause: float = 0.0
    """Seconds before the answer, or before the end without one, at most."""
    coding: Literal["", "gzip", "drips"] = ""
    twice: bool = False
    """A gateway repeats the request, and passes on what is said to the second."""


FAILED = ((500, 5000), (503, 5001), (504, 5002), (500, 1305), (503, 1303), (502, 1201))
NOT_IN_THE_TABLE = ((400, 1999), (429, 1305), (200, 7001), (400, 1399))
BUSY = ((429, 1302), (429, 1303))
FAULTS: dict[str, Fault] = {
    "none": Fault(24),
    "gzip": Fault(3, coding="gzip"),
    "drips": Fault(3, coding="drips", pause=1.5),
    "late": Fault(4, pause=8.0),
    "closed after": Fault(6, ends="closed"),
    "reset after": Fault(6, ends="reset"),
    "closed before": Fault(4, accepted=False, ends="closed"),
    "reset before": Fault(4, accepted=False, ends="reset"),
    "stalled after": Fault(2, ends="reset", pause=10.0),
    "stalled before": Fault(2, accepted=False, ends="reset", pause=10.0),
    "failed after": Fault(5, says=FAILED),
    "failed before": Fault(3, accepted=False, says=FAILED),
    "unknown code after": Fault(4, says=NOT_IN_THE_TABLE),
    "unknown code before": Fault(2, accepted=False, says=NOT_IN_THE_TABLE),
    "busy": Fault(6, accepted=False, says=BUSY),
    "busy after": Fault(4, says=BUSY),
    "refused": Fault(4, accepted=False, says=((429, 1102), (400, 1301), (403, 1103), (401, 1002))),
    "html after": Fault(3, says=((502, 0), (200, 0)), body="html"),
    "cut short": Fault(3, body="cut short"),
    "odd id": Fault(3, body="odd id"),
    "twice": Fault(4, twice=True),
}
"""What can happen to a create, by a name that verdicts quote."""

Answered = Literal["task", "other", "refusal", "nothing yet"]
_BEST_FIRST: tuple[Answered, ...] = ("task", "other", "refusal", "nothing yet")


def answered(fault: Fault, says: tuple[int, int] | None) -> Answered:
    """Return what the answer to an accepted create means by the vendor's table: a documented refusal is a lie."""
    if fault.ends != "answered" or fault.body != "envelope" or (says is not None and says not in BUSY):
        return "other"
    return "task" if says is None else "refusal"


def better(one: Answered, other: Answered) -> Answered:
    """Return which of two answers says more of the task that was made."""
    return one if _BEST_FIRST.index(one) <= _BEST_FIRST.index(other) else other


@dataclass(frozen=True)
class WishPlan:
    """One distinct create, and what happens to it."""

    number: int
    faults: tuple[str, ...]
    """For its first creates at Kling, by name; those that follow go well."""
    callers: int
    waits: int
    """`wait_seconds` of its calls."""
    renewed: bool
    """When it is granted, it is asked for once more with `new_render`."""
    killed_at: Stage | None
    """When its first create has come so far, the server that was asked first is killed."""
    stopped_at: Stage | None
    """The same, but that it is stopped for `stopped_seconds`, and goes on."""
    stopped_seconds: float
    task_seconds: float
    task_fails: bool
    shown_after: float
    """Seconds after which Kling shows the reference, where it does."""

    @property
    def is_slept_through(self) -> bool:
        """Whether the first server falls asleep just before its create could be taken."""
        return self.stopped_at == "begun"

    @property
    def is_held(self) -> bool:
        """Whether its creates are held up when they are begun, so that what happens then happens in time."""
        return self.is_slept_through or self.killed_at == "begun"


@dataclass(frozen=True)
class Interruption:
    """What happens to one server of a world, whatever it is at."""

    after: float
    """Seconds."""
    server: int
    stopped: float | None
    """Seconds for which it is stopped (SIGSTOP) before it goes on; None: it is killed (SIGKILL) and started anew."""


@dataclass(frozen=True)
class WorldPlan:
    """Wishes that share a Kling, a ledger and the servers."""

    number: int
    provider: Provider
    database: str
    servers: int
    wishes: tuple[WishPlan, ...]
    interruptions: tuple[Interruption, ...]
    spread: float
    """Seconds over which the wishes come."""


def chance(*place: object) -> Random:
    """Return the chance that belongs to one place of a run, the same each time."""
    return Random("/".join(map(str, place)))  # noqa: S311  (chance, not secrets)


def drawn(
    seed: int,
    wishes: int,
    databases: Sequence[str],
    *,
    only: Sequence[int] = (),
    providers: Sequence[Provider] = PROVIDERS,
    but: Sequence[str] = (),
    interrupted: bool = True,
    servers: int | None = None,
) -> list[WorldPlan]:
    """Draw a run.

    Args:
        seed: The same run for the same one, as far as processes and their speed allow.
        wishes: How many.
        databases: One after the other, a world each.
        only: Numbers of wishes; the others are left out, and nothing else changes.
        providers: One after the other, a world each, in an order by the seed.
        but: Faults that are left out.
        interrupted: Whether servers are killed and stopped.
        servers: How many share a ledger; two or three by the seed if it is left out.
    """
    size = min(LARGEST_WORLD, max(SMALLEST_WORLD, math.ceil(wishes / len(providers))))
    order = list(providers)
    chance(seed, "providers").shuffle(order)
    plans: list[WorldPlan] = []
    for number in range(math.ceil(wishes / size)):
        numbers = range(number * size, min(wishes, (number + 1) * size))
        chosen = [wish for wish in numbers if not only or wish in only]
        if not chosen:
            continue
        provider = order[number % len(order)]
        slept_through = chance(seed, "slept through", number).choice(numbers)
        given = tuple(
            _slept_through(planned) if interrupted and planned.number == slept_through else planned
            for planned in (_wish(seed, wish, provider, but, interrupted=interrupted) for wish in chosen)
        )
        database = databases[number % len(databases)]
        plans.append(_world(seed, number, provider, database, given, size, servers, interrupted=interrupted))
    return plans


def _world(
    seed: int,
    number: int,
    provider: Provider,
    database: str,
    wishes: tuple[WishPlan, ...],
    size: int,
    given: int | None,
    *,
    interrupted: bool,
) -> WorldPlan:
    luck = chance(seed, "world", number)
    drawn_servers = luck.choice((2, 2, 3))
    servers = drawn_servers if given is None else given
    spread = 2.0 + size / 10
    happen: list[Interruption] = []
    if interrupted:
        happen = [Interruption(luck.uniform(1.0, spread), luck.randrange(servers), None) for _ in range(1 + size // 80)]
        happen.append(Interruption(luck.uniform(1.0, spread), luck.randrange(servers), luck.uniform(*STOPPED_SECONDS)))
    return WorldPlan(number, provider, database, servers, wishes, tuple(happen), spread)


def _slept_through(wish: WishPlan) -> WishPlan:
    """Let the first server fall asleep just before a create could be taken, and somebody ask another one for it.

    Nothing but this shows whether the one that wakes up still sends what others have taken over. It happens too seldom
    by chance.
    """
    return replace(wish, killed_at=None, stopped_at="begun", callers=max(2, wish.callers))


def _wish(seed: int, number: int, provider: Provider, but: Sequence[str], *, interrupted: bool) -> WishPlan:
    luck = chance(seed, "wish", number)
    names, weights = list(FAULTS), [fault.weight for fault in FAULTS.values()]
    faults = luck.choices(names, weights, k=luck.choice((1, 1, 2, 3)))
    if luck.random() < 0.3:
        faults = []
    killed = luck.random() < 0.02
    stage, stopped_at = luck.choice(STAGES), luck.choice(STAGES)
    stopped = luck.random() < 0.01
    # Such a Kling makes two tasks of a repeated request, and no client could do anything about it.
    unfair = provider.repeated == "second" or provider.shown == "unknown"
    return WishPlan(
        number=number,
        faults=tuple("none" if name in but or (unfair and FAULTS[name].twice) else name for name in faults),
        callers=luck.choice((1, 1, 1, 2, 2, 3)),
        waits=luck.choice((0, 0, 0, 5)),
        renewed=luck.random() < 0.06,
        killed_at=stage if killed and interrupted else None,
        stopped_at=stopped_at if stopped and interrupted else None,
        stopped_seconds=luck.uniform(*STOPPED_SECONDS),
        task_seconds=luck.uniform(0.5, 12.0),
        task_fails=luck.random() < 0.05,
        shown_after=luck.choice((0.0, 0.0, 0.0, 0.5, 3.0)),
    )
