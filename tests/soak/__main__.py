"""`make soak`: grants wishes through real servers against a Kling that misbehaves; prints what went wrong.

make soak ARGS="--seed 7 --wishes 2000 --database sqlite"
make soak ARGS="--seed 7 --wishes 2000 --wish 812"     one wish alone, with what befell it
make soak ARGS="--seed 111 --wishes 130 --without mark"
                                                       with a guard of the product switched off: that has to be found,
                                                       and with this seed and number it is, whichever it is
"""

import argparse
import asyncio
import resource
import sys
import time

from tests.support.commands import end_fork_server

from .ledgers import DATABASES, ledgers
from .plan import FAULTS, PROVIDERS, drawn
from .report import Report
from .without import GUARDS
from .world import World, run


def main(arguments: list[str] | None = None) -> int:
    """Return 0 if nothing went wrong, and 1 if something did."""
    about, _nothing, examples = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        prog="make soak", description=about, epilog=examples, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=None, help="the clock's if none is given")
    parser.add_argument("--wishes", type=int, default=2000)
    parser.add_argument("--wish", type=int, action="append", default=[], help="only this one; may be given again")
    parser.add_argument("--database", choices=DATABASES, action="append", help="both in turn if none is given")
    parser.add_argument(
        "--provider",
        choices=[str(one) for one in PROVIDERS],
        action="append",
        metavar="NAME",
        help="only this behaviour with references, as a verdict names it; may be given again",
    )
    parser.add_argument(
        "--but",
        choices=FAULTS,
        action="append",
        default=[],
        metavar="FAULT",
        help="leave this fault out; may be given again",
    )
    parser.add_argument("--without", choices=GUARDS, help="switch off this guard in the servers")
    parser.add_argument("--history", action="store_true", help="tell all that happened to the wishes of verdicts")
    parser.add_argument("--worlds", type=int, default=7, help="ledgers, each with its servers, at once")
    given = parser.parse_args(arguments)
    seed = int(time.time()) if given.seed is None else given.seed
    databases = given.database or list(DATABASES)
    providers = [one for one in PROVIDERS if str(one) in (given.provider or map(str, PROVIDERS))]
    command = f"--seed {seed} --wishes {given.wishes}"
    command += "".join(f" --database {name}" for name in given.database or ())
    command += "".join(f" --provider {name}" for name in given.provider or ())
    command += "".join(f" --but '{name}'" for name in given.but)
    plans = drawn(seed, given.wishes, databases, only=given.wish, providers=providers, but=given.but)
    report = Report(command)

    def add(world: World) -> None:
        print(report.add(world), flush=True)  # noqa: T201  (a program for people)

    try:
        with ledgers(databases) as empty:
            asyncio.run(run(plans, seed, given.wishes, empty, add, without=given.without, at_once=given.worlds))
    finally:
        end_fork_server()
    for line in report.lines(told=given.history or bool(given.wish)):
        print(line)  # noqa: T201  (a program for people)
    print(f"{_cpu_seconds():.0f} CPU seconds, without those of PostgreSQL")  # noqa: T201  (a program for people)
    return 1 if report.verdicts or report.blind else 0


def _cpu_seconds() -> float:
    """Return what this program and the servers have taken."""
    all_of_it = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(used.ru_utime + used.ru_stime for used in all_of_it)


if __name__ == "__main__":
    sys.exit(main())
