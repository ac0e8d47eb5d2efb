"""What happened in a run, as Kling and the users saw it: all that the verdicts are made of."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.soak.words import Kind

from .plan import WishKey

NAMES = re.compile(r"(?<![0-9a-zA-Z])(?:[0-9]{18}|k-[0-9a-f]{24}|canary-[0-9a-f]{10})(?![0-9a-zA-Z])")
"""What in an answer belongs to somebody: Kling's ids, our references, and the words in the users' labels."""


@dataclass(frozen=True)
class Task:
    """One paid task, as Kling has it. Times are seconds since 1970."""

    id: str
    reference: str | None
    wish: WishKey | None
    """Whose person it shows; None: nobody's."""
    accepted_at: float
    finished_at: float


@dataclass(frozen=True)
class Said:
    """One answer to a user, or that none came."""

    wish: WishKey
    """About which; the number is negative where it is about none."""
    tool: str
    kind: Kind
    text: str
    began: float
    ended: float
    task_id: str | None = None
    reference: str | None = None
    status: str = ""
    named: frozenset[str] = frozenset()
    """Everything in it that belongs to somebody."""
    asked: frozenset[str] = frozenset()
    """What the call itself named, so that it may stand in the answer."""

    @property
    def user(self) -> int:
        """Who was answered."""
        return self.wish[0]

    @property
    def is_final(self) -> bool:
        """Whether it names a task that has ended."""
        return self.kind == "task" and self.status in ("succeed", "failed")


@dataclass(frozen=True)
class Probe:
    """What a user was answered who named what is another's, beside the answer about what nobody has."""

    user: int
    door: str
    foreign: str
    unknown: str


@dataclass(frozen=True)
class Look:
    """A picture that a user was shown, and whether it is of the wish that they asked about."""

    wish: WishKey
    door: str
    is_theirs: bool


@dataclass
class History:
    """One run."""

    slots: int
    wishes: tuple[WishKey, ...]
    tasks: list[Task] = field(default_factory=list[Task])
    said: list[Said] = field(default_factory=list[Said])
    ends: dict[WishKey, Said] = field(default_factory=dict[WishKey, Said])
    """The last word about each wish, when all was quiet again."""
    noted: dict[str, float] = field(default_factory=dict[str, float])
    """When each reference was written down by the service, which is when its wish stood in line."""
    owners: dict[str, int] = field(default_factory=dict[str, int])
    """Whose the words in the labels are."""
    probes: list[Probe] = field(default_factory=list[Probe])
    looks: list[Look] = field(default_factory=list[Look])
    interruptions: int = 0
    """How often a replica was killed, frozen or restarted, or the database was away."""
    died: list[str] = field(default_factory=list[str])
    """Replicas that ended although nobody had ended them, with their last words."""
    late: list[str] = field(default_factory=list[str])
    """Replicas that did not end in time when they were told to."""
    leaked: list[str] = field(default_factory=list[str])
    """What stood in a log that must not."""
    hung: bool = False
    """Whether the users were not served in the time that a run has."""

    def made(self) -> dict[WishKey, list[Task]]:
        """Return the tasks of each wish, by the picture that Kling was sent."""
        made: dict[WishKey, list[Task]] = {wish: [] for wish in self.wishes}
        for task in self.tasks:
            if task.wish is not None:
                made[task.wish].append(task)
        return made

    def begun(self) -> dict[WishKey, float]:
        """Return when each wish was first asked for."""
        begun: dict[WishKey, float] = {}
        for said in self.said:
            if said.tool == "create_try_on" and said.wish[1] >= 0:
                begun[said.wish] = min(begun.get(said.wish, said.began), said.began)
        return begun

    def owner_of(self) -> dict[str, int]:
        """Return whose each id, reference and word is."""
        owners = dict(self.owners)
        for task in self.tasks:
            if task.wish is not None:
                owners[task.id] = task.wish[0]
                if task.reference is not None:
                    owners[task.reference] = task.wish[0]
        return owners


def names_in(text: str) -> frozenset[str]:
    """Return everything in a text that belongs to somebody."""
    return frozenset(NAMES.findall(text))


def waits(history: History) -> Iterator[tuple[WishKey, float]]:
    """Yield for each wish that was made the seconds from the first call for it until Kling had it."""
    made, begun = history.made(), history.begun()
    for wish, at in begun.items():
        if made.get(wish):
            yield wish, made[wish][0].accepted_at - at
