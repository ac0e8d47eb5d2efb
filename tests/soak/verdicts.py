"""What went wrong in a world: judged by what Kling has and what was said, wish by wish."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from .callers import Said, Wish
from .kling import Task
from .world import World

Kind = Literal[
    "paid twice",
    "renewed twice",
    "wrong 'nothing was created'",
    "another wish's task",
    "no such task",
    "lost",
    "unnamed doubt",
    "server died",
    "hung",
]
LIMITS = {
    "doubt": "tasks still in doubt, and called so, at a Kling that shows no references",
    "lie": "answers or second tasks after a documented refusal of what was accepted, with no references to find it by",
}
"""What no client can help."""


@dataclass(frozen=True)
class Verdict:
    """One thing that went wrong."""

    kind: Kind
    wish: int | None
    what: str
    cause: str
    """What Kling is like and did, so that verdicts of one kind come together."""


@dataclass(frozen=True)
class Limit:
    """Something that nobody could have known, by its name in `LIMITS`."""

    kind: Literal["doubt", "lie"]
    wish: int


def judged(world: World) -> Iterator[Verdict | Limit]:
    """Yield everything that went wrong, and what could not be helped."""
    if world.died:
        yield Verdict("server died", None, f"{world.died} times in world {world.plan.number}", str(world.plan.provider))
    if world.hung:
        yield Verdict("hung", None, f"a call in world {world.plan.number} never ended", str(world.plan.provider))
    for wish in world.wishes.values():
        tasks = world.kling.of(wish.number)
        cause = _cause(world, wish)
        yield from _paid_twice(world, wish, cause)
        yield from _wrongly_nothing(world, wish, tasks, cause)
        yield from _named(world, wish, tasks, cause)
        yield from _lost(world, wish, tasks, cause)


def _cause(world: World, wish: Wish) -> str:
    met = ", ".join(world.kling.posts.get(wish.number, ())) or "no create"
    return f"{world.plan.provider} {world.plan.database}: {'; '.join(filter(None, (met, wish.interrupted)))}"


def _paid_twice(world: World, wish: Wish, cause: str) -> Iterator[Verdict | Limit]:
    renewed_at = min((said.began for said in wish.said if said.renewed), default=float("inf"))
    allowed = 0 if renewed_at == float("inf") else 1
    for task, earlier in world.kling.again.get(wish.number, ()):
        what = f"task {task.id} although {', '.join(before.id for before in earlier)} was there"
        is_renewed = task.accepted_at > renewed_at
        if is_renewed and allowed:
            allowed = 0
            continue
        # What was there before somebody wanted it anew is no reason not to make it anew.
        against = [before for before in earlier if not is_renewed or before.accepted_at > renewed_at]
        if all(_unknowable(world, before) for before in against):
            yield Limit("lie", wish.number)
        else:
            yield Verdict("renewed twice" if is_renewed else "paid twice", wish.number, what, cause)


def _unknowable(world: World, task: Task) -> bool:
    """Whether Kling said of an accepted create that it was not, and shows nothing else of it."""
    return task.answered == "refusal" and not world.kling.shows


def _wrongly_nothing(world: World, wish: Wish, tasks: list[Task], cause: str) -> Iterator[Verdict | Limit]:
    creates = [said for said in wish.said if said.tool == "create_try_on"]
    for said in wish.said:
        if said.kind not in ("nothing", "unasked"):
            continue
        there = [task for task in tasks if task.accepted_at < said.ended and not task.failed_by(said.ended)]
        if said.tool == "get_try_on":
            there = [task for task in tasks if task.reference == said.reference and task.accepted_at < said.ended]
        elif said.renewed:
            there = [task for task in there if task.accepted_at > said.began]
        elif any(other is not said and other.began < said.ended and said.began < other.ended for other in creates):
            # What another call brought about meanwhile is not what this answer speaks of.
            there = [task for task in there if task.accepted_at < said.began]
        if said.kind == "unasked":
            # It denies only what it has created itself.
            there = [task for task in there if task.accepted_at > said.began]
        if there and all(_unknowable(world, task) for task in there):
            yield Limit("lie", wish.number)
        elif there:
            named = ", ".join(task.id for task in there)
            why = f"the ledger could not be asked; {cause}" if "ledger" in said.text else cause
            yield Verdict("wrong 'nothing was created'", wish.number, f"{named} was there: {said.text[:300]}", why)


def _named(world: World, wish: Wish, tasks: list[Task], cause: str) -> Iterator[Verdict]:
    for said in wish.said:
        if said.kind == "task" and said.task_id != said.reference:
            task = world.kling.by_id.get(said.task_id or "")
            if task is None:
                yield Verdict("no such task", wish.number, f"{said.task_id} is not at Kling", cause)
            elif task.wish != wish.number:
                yield Verdict("another wish's task", wish.number, f"{task.id} is of wish {task.wish}", cause)
        if said.kind == "other" and said.tool == "create_try_on":
            there = [task.id for task in tasks if task.accepted_at < said.ended]
            if there:
                yield Verdict("unnamed doubt", wish.number, f"{there[-1]} was there: {said.text[:300]}", cause)


def _lost(world: World, wish: Wish, tasks: list[Task], cause: str) -> Iterator[Verdict | Limit]:
    found = {said.task_id for said in (world.looked[task.id] for task in tasks if task.id in world.looked)}
    references = {task.reference for task in tasks if task.id in found}
    for task in tasks:
        said = world.looked.get(task.id)
        # A reference with two tasks leads to one of them.
        if said is None or task.id in found or (task.reference is not None and task.reference in references):
            continue
        what = f"{task.id} ({task.reference}) is not found: {_words(said)}"
        if task.reference is None and said.kind == "task":
            continue  # there are two, and the wish leads to the other
        if task.reference is None and task.id in wish.named() and task.failed_by(said.began):
            continue  # it was told of; without a reference it was looked for by a new create, which it does not hinder
        if _unknowable(world, task):
            yield Limit("lie", wish.number)
        elif said.kind == "doubt" and not world.kling.shows:
            yield Limit("doubt", wish.number)
        else:
            yield Verdict("lost" if world.kling.shows else "unnamed doubt", wish.number, what, cause)


def _words(said: Said) -> str:
    return f"{said.kind} {said.text[:300]}"
