"""Feeds mutated pictures, pages, answers of Kling's and tool calls to the server, reproducibly: `make fuzz`.

    python -m tests.fuzz --seconds 60 --seed 7 --only pages

Whatever gets past is printed with the smallest input that does, and with how to feed it again.
"""

import argparse
import sys
import time

import anyio

from tests.fuzz.answers import ANSWERS_KIND
from tests.fuzz.arguments import ARGUMENTS_KIND
from tests.fuzz.found import run
from tests.fuzz.pages import PAGES_KIND
from tests.fuzz.pictures import PICTURES_KIND

KINDS = {kind.name: kind for kind in (PICTURES_KIND, PAGES_KIND, ANSWERS_KIND, ARGUMENTS_KIND)}


def main(arguments: list[str] | None = None) -> int:
    """Return 0 if nothing got past, and 1 if something did."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=60, help="for all kinds together")
    parser.add_argument("--seed", type=int, default=None, help="the clock's if none is given")
    parser.add_argument("--only", choices=sorted(KINDS), action="append", help="one kind; may be given again")
    parser.add_argument("--step", type=int, default=None, help="this one step alone, and no other")
    parser.add_argument("--steps", type=int, default=None, help="so many steps of each kind instead of a time")
    given = parser.parse_args(arguments)
    seed = int(time.time()) if given.seed is None else given.seed
    names = given.only or list(KINDS)
    steps = None if given.steps is None else range(given.steps)
    if given.step is not None:
        steps = range(given.step, given.step + 1)
    seconds = given.seconds / len(names) if steps is None else None
    findings = 0
    for name in names:
        tally = anyio.run(lambda name=name: run(KINDS[name], seed, steps=steps, seconds=seconds))
        findings += len(tally.findings)
        for finding in tally.findings:
            print(finding)  # noqa: T201  (a program for people)
        words = ", ".join(f"{count} {word}" for word, count in sorted(tally.words.items()))
        print(  # noqa: T201  (a program for people)
            f"{name}, seed {seed}: {tally.steps} steps ({words}), the slowest {tally.slowest:.1f} s, "
            f"{len(tally.findings)} got past",
            flush=True,
        )
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
