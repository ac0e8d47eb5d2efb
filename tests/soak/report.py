"""What a run comes to, in lines for people: the counts, and each kind of verdict with how to see it again."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from .verdicts import LIMITS, Limit, Verdict, judged
from .world import World

ANSWERED_SECONDS = 46.0
"""An answer that takes longer, of a server that was not stopped, is late: hosts cut at 60 s, some at 45."""
BLIND_SHARE = 0.5
"""Of the wishes that have to come to a task, or the soak has seen nothing."""


@dataclass
class Report:
    """Counts worlds as they end."""

    command: str
    """The arguments that make the same run."""
    verdicts: list[Verdict] = field(default_factory=list[Verdict])
    limits: Counter[str] = field(default_factory=Counter[str])
    counts: Counter[str] = field(default_factory=Counter[str])
    _told: dict[int, str] = field(default_factory=dict[int, str])

    def add(self, world: World) -> str:
        """Judge a world, and return a line about it."""
        # One of a kind is enough for a wish.
        found = list({(one.kind, one.wish): one for one in reversed(list(judged(world)))}.values())
        verdicts = [one for one in found if isinstance(one, Verdict)]
        self.verdicts += verdicts
        self.limits.update(one.kind for one in found if isinstance(one, Limit))
        for verdict in verdicts:
            if verdict.wish is not None:
                self._told[verdict.wish] = history(world, verdict.wish)
        said = [said for wish in world.wishes.values() for said in wish.said]
        self.counts.update(
            {
                "wishes": len(world.wishes),
                "granted": len({task.wish for task in world.kling.tasks}),
                "tasks": len(world.kling.tasks),
                "creates at Kling": sum(map(len, world.kling.posts.values())),
                "calls": len(said),
                "kills": world.kills,
                "stops": world.stops,
                "late ends": world.late,
                "late answers": sum(one.ended - one.began > ANSWERED_SECONDS and not one.stopped for one in said),
            }
        )
        self.counts.update(f"answers: {one.kind}" for one in said if one.tool != "list_try_ons")
        plan = world.plan
        granted, ended = world.seconds
        return (
            f"world {plan.number}: {plan.provider}, {plan.database}, {plan.servers} servers, "
            f"{len(plan.wishes)} wishes, "
            f"{len(world.kling.tasks)} tasks, {world.kills} kills, {granted:.0f}+{ended - granted:.0f} s: "
            f"{len(verdicts)} verdicts"
        )

    @property
    def blind(self) -> bool:
        """Whether so few wishes came to a task that nothing can be said."""
        return self.counts["granted"] < BLIND_SHARE * self.counts["wishes"]

    def lines(self, *, told: bool = False) -> Iterator[str]:
        """Yield what to print; with `told` also all that happened to each wish of a verdict."""
        yield ", ".join(f"{count} {name}" for name, count in self.counts.items())
        for name, count in sorted(self.limits.items()):
            yield f"{count} {LIMITS[name]} (no client can help that)"
        kinds: dict[str, list[Verdict]] = defaultdict(list)
        for verdict in self.verdicts:
            kinds[verdict.kind].append(verdict)
        for kind, verdicts in kinds.items():
            yield f"\n{kind.upper()}: {len(verdicts)}"
            causes = Counter(verdict.cause for verdict in verdicts)
            for cause, count in causes.most_common():
                first = next(verdict for verdict in verdicts if verdict.cause == cause)
                yield f"  {count} x {cause}"
                yield f"      {first.what}"
                if first.wish is not None:
                    yield f'      make soak ARGS="{self.command} --wish {first.wish}"'
        for number, told_of in sorted(self._told.items()) if told else ():
            yield f"\nwish {number}:\n{told_of}"
        if self.blind:
            yield "\nBLIND: too few wishes came to a task for this to say anything."
        yield f"\n{len(self.verdicts)} verdicts ({self.command})"


def history(world: World, number: int) -> str:
    """Return what happened to a wish, in the order in which it ended."""
    wish, kling = world.wishes[number], world.kling
    began = min((said.began for said in wish.said), default=0.0)
    events = [(said.ended, f"{said.began - began:6.2f} to {said.ended - began:6.2f} s  {said}") for said in wish.said]
    events += [
        (task.accepted_at, f"{task.accepted_at - began:6.2f} s  Kling made {task.id} for {task.reference}")
        for task in kling.of(number)
    ]
    return "\n".join(f"  {event}" for _at, event in sorted(events))
