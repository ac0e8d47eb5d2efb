"""What a run measured, in lines for people."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import mean

from .history import History, waits
from .plan import HEAVY, Plan
from .verdicts import most_at_once, named_doubts

NUMBERS = re.compile(r"k-[0-9a-f]{24}|[0-9]+")
SHOWN, MOST_WORDS = 200, 4
"""Characters of an answer that are shown, and answers of a kind."""


def figures(plan: Plan, history: History) -> Iterator[str]:
    """Yield what to print."""
    made, begun = history.made(), history.begun()
    number = sum(map(len, made.values()))
    yield f"{len(history.wishes)} wishes, {number} made, {len(named_doubts(history))} in named doubt"
    kinds: dict[str, int] = defaultdict(int)
    for said in history.said:
        kinds[said.kind] += 1
    yield f"{len(history.said)} calls: " + ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    yield from _words(history)
    by_user: dict[int, list[float]] = defaultdict(list)
    firsts: list[float] = []
    for (user, _wish), seconds in waits(history):
        by_user[user].append(seconds)
    firsts = [min(each) for user, each in by_user.items() if user != HEAVY]
    light = [seconds for user, each in by_user.items() if user != HEAVY for seconds in each]
    if light and number:
        yield f"first wish of a light user: {_spread(firsts)}; any of theirs: {_spread(light)}"
        yield f"the heavy user's: {_spread(by_user[HEAVY])}" if by_user[HEAVY] else "the heavy user had none"
        means = [mean(each) for user, each in by_user.items() if user != HEAVY]
        yield f"Jain index of the light users' mean waits: {jain(means):.3f}"
        order = sorted((tasks[0].accepted_at, wish[0]) for wish, tasks in made.items() if tasks)
        half = order[: len(order) // 2]
        of_heavy = sum(user == HEAVY for _, user in half)
        yield f"in the first half of what was made: {of_heavy} of the heavy user's in {len(half)}"
        seconds = max(task.finished_at for task in history.tasks) - min(begun.values())
        yield (
            f"{seconds:.0f} s for {number} tasks of {plan.render_seconds:g} s on {plan.slots} slots: "
            f"{plan.ideal_seconds / seconds:.2f} of the ideal {plan.ideal_seconds:.0f} s; "
            f"at most {most_at_once(history.tasks)} at once"
        )
    yield f"{len(history.probes)} doors tried with another's id, {len(history.looks)} pictures looked at"


def _words(history: History) -> Iterator[str]:
    """Yield what answers said that are no tasks, the most frequent first, with names and numbers taken out."""
    words: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for said in history.said:
        if said.kind != "task" and said.tool != "list_try_ons":
            words[said.kind][f"{said.tool}: {NUMBERS.sub('N', said.text)[:SHOWN]!r}"] += 1
    for kind, texts in sorted(words.items()):
        for text, count in sorted(texts.items(), key=lambda one: -one[1])[:MOST_WORDS]:
            yield f"    {count} x {kind}, {text}"


def jain(shares: Sequence[float]) -> float:
    """Return how equal shares are: 1 if all are, one by their number if one has all."""
    squares = len(shares) * sum(share * share for share in shares)
    return sum(shares) ** 2 / squares if squares else 1.0


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which this share of them lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def _spread(seconds: Sequence[float]) -> str:
    return f"p50 {percentile(seconds, 0.5):.1f} s, p99 {percentile(seconds, 0.99):.1f} s"
