"""What went wrong in a run: judged by what Kling has and what the users were told."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from .history import History, Said, Task
from .plan import HEAVY, WishKey

Kind = Literal[
    "made twice",
    "lost",
    "wrong 'nothing was created'",
    "unnamed doubt",
    "no such task",
    "another user's",
    "another's id answered",
    "another user's picture",
    "heavy user ahead",
    "more than the slots",
    "out of nowhere",
    "replica died",
    "late end",
    "told in a log",
    "hung",
    "blind",
]
AHEAD = 2
"""Wishes of the user with many that may be made while somebody's first waits, besides those that were let in before and
are on their way: the one whose turn had come, and one more, since two that are sent at once may overtake each other.
"""
AHEAD_AN_INTERRUPTION = 1
"""More of them for each interruption: what a replica had in hand goes out again in its old turn."""
LEAST_MADE_SHARE = 0.9
"""Of the wishes, or the run has seen too little."""
SHOWN = 300
"""Characters of an answer that a verdict quotes."""


@dataclass(frozen=True)
class Verdict:
    """One thing that went wrong."""

    kind: Kind
    what: str
    wish: WishKey | None = None

    def __str__(self) -> str:
        whose = "" if self.wish is None else f"user {self.wish[0]}, wish {self.wish[1]}: "
        return f"{self.kind.upper()}: {whose}{self.what}"


def judged(history: History) -> Iterator[Verdict]:
    """Yield everything that went wrong."""
    made = history.made()
    yield from _made_twice(history, made)
    for wish in history.wishes:
        yield from _ended(history, wish, made[wish])
    yield from _wrongly_nothing(history, made)
    yield from _others(history)
    yield from _ahead(history, made)
    yield from _slots(history)
    yield from _service(history)
    if sum(map(bool, made.values())) < LEAST_MADE_SHARE * len(history.wishes):
        yield Verdict("blind", f"{sum(map(bool, made.values()))} of {len(history.wishes)} wishes were made")


def named_doubts(history: History) -> list[WishKey]:
    """Return the wishes of which nobody knows whether they were made, and of which that is said."""
    return [wish for wish, said in history.ends.items() if said.kind == "doubt" and said.reference is not None]


def _made_twice(history: History, made: dict[WishKey, list[Task]]) -> Iterator[Verdict]:
    for wish, tasks in made.items():
        if len(tasks) > 1:
            yield Verdict("made twice", ", ".join(f"{task.id} ({task.reference})" for task in tasks), wish)
    references = Counter(task.reference for task in history.tasks if task.reference is not None)
    for reference, count in references.items():
        if count > 1:
            yield Verdict("made twice", f"{count} tasks have the reference {reference}")
    for task in history.tasks:
        if task.wish is None:
            yield Verdict("out of nowhere", f"task {task.id} shows a person that nobody has sent")


def _ended(history: History, wish: WishKey, tasks: list[Task]) -> Iterator[Verdict]:
    """Judge the last word about a wish."""
    said = history.ends.get(wish)
    there = tasks[0].id if tasks else None
    if said is None:
        yield Verdict("lost", f"no answer ever came; Kling has {there or 'nothing'}", wish)
    elif said.kind == "task":
        yield from _granted(history, wish, said, there)
    elif said.kind == "doubt":
        if said.reference is None:
            yield Verdict("unnamed doubt", _words(said), wish)
        elif there is not None:
            # This Kling shows references, so whoever looks can find it.
            yield Verdict("lost", f"{there} is not found: {_words(said)}", wish)
    elif said.kind in ("nothing", "unasked"):
        if there is not None:
            yield Verdict("wrong 'nothing was created'", f"{there} was there: {_words(said)}", wish)
    else:
        yield Verdict("lost" if there is None else "unnamed doubt", f"{there or 'nothing'}; {_words(said)}", wish)


def _granted(history: History, wish: WishKey, said: Said, there: str | None) -> Iterator[Verdict]:
    owners = {task.id: task.wish for task in history.tasks}
    if not said.is_final:
        yield Verdict("lost", f"still {said.status!r} in the end; Kling has {there or 'nothing'}", wish)
    elif said.task_id not in owners:
        yield Verdict("no such task", f"{said.task_id} is not at Kling", wish)
    elif owners[said.task_id] != wish:
        yield Verdict("another user's", f"{said.task_id} is of {owners[said.task_id]}", wish)


def _wrongly_nothing(history: History, made: dict[WishKey, list[Task]]) -> Iterator[Verdict]:
    """Judge answers on the way: nothing was created, though there was a task before the call even began."""
    for said in history.said:
        if said.kind != "nothing" or said.tool != "create_try_on" or history.ends.get(said.wish) is said:
            continue
        there = [task.id for task in made.get(said.wish, ()) if task.accepted_at < said.began]
        if there:
            yield Verdict("wrong 'nothing was created'", f"{there[0]} was there: {_words(said)}", said.wish)


def _others(history: History) -> Iterator[Verdict]:
    """Judge whether anybody was told or shown what is another's."""
    owners = history.owner_of()
    for said in history.said:
        if said.tool == "create_try_on" and said.reference is not None:
            owners.setdefault(said.reference, said.user)
    for said in (*history.said, *history.ends.values()):
        foreign = sorted(name for name in said.named - said.asked if owners.get(name, said.user) != said.user)
        if foreign:
            what = f"{said.tool} names {foreign[0]} of user {owners[foreign[0]]}: {_words(said)}"
            yield Verdict("another user's", what, said.wish)
    for probe in history.probes:
        if probe.foreign != probe.unknown:
            what = f"{probe.door}: {probe.foreign[:SHOWN]!r} and not, as of what nobody has, {probe.unknown[:SHOWN]!r}"
            yield Verdict("another's id answered", what, (probe.user, -1))
    for look in history.looks:
        if not look.is_theirs:
            yield Verdict("another user's picture", f"{look.door} showed something else", look.wish)


def _ahead(history: History, made: dict[WishKey, list[Task]]) -> Iterator[Verdict]:
    """Judge whether the user with many wishes was served before somebody's first, more than a turn allows."""
    heavy = sorted(tasks[0].accepted_at for wish, tasks in made.items() if wish[0] == HEAVY and tasks)
    allowed = AHEAD + AHEAD_AN_INTERRUPTION * history.interruptions
    firsts: dict[int, list[WishKey]] = defaultdict(list)
    for wish in history.wishes:
        firsts[wish[0]].append(wish)
    for user, wishes in firsts.items():
        got = [made[wish][0] for wish in wishes if made[wish]]
        in_line = [history.noted[task.reference] for task in got if task.reference in history.noted]
        if user == HEAVY or not in_line:
            continue
        asked, first = min(in_line), min(task.accepted_at for task in got)
        ahead = sum(asked < at < first for at in heavy)
        # Whatever holds a slot and is not at Kling yet was let in before.
        on_their_way = history.slots - sum(task.accepted_at <= asked < task.finished_at for task in history.tasks)
        if ahead > allowed + on_their_way:
            what = f"{ahead} wishes of the user with many were made while their first was {first - asked:.1f} s in line"
            yield Verdict("heavy user ahead", what, (user, wishes[0][1]))


def _slots(history: History) -> Iterator[Verdict]:
    """Judge how many tasks ran at once."""
    most = most_at_once(history.tasks)
    if most > history.slots:
        yield Verdict("more than the slots", f"{most} tasks ran at once, and there are {history.slots} slots")


def most_at_once(tasks: list[Task]) -> int:
    """Return how many tasks ran at the moment when most did."""
    moments = [(task.accepted_at, 1) for task in tasks] + [(task.finished_at, -1) for task in tasks]
    running = most = 0
    # One that ends when another begins has ended.
    for _at, change in sorted(moments):
        running += change
        most = max(most, running)
    return most


def _service(history: History) -> Iterator[Verdict]:
    for what in history.died:
        yield Verdict("replica died", what)
    for what in history.late:
        yield Verdict("late end", what)
    for what in history.leaked:
        yield Verdict("told in a log", what)
    if history.hung:
        yield Verdict("hung", "the users were not served in the time that a run has")


def _words(said: Said) -> str:
    return f"{said.kind} {said.text[:SHOWN]!r}"
