"""`make service-soak`: serves many shoppers while replicas and the database come and go; prints what went wrong.

make service-soak ARGS="--seed 7 --users 200"
make service-soak ARGS="--only single"        one process with SQLite and a folder, and nothing befalls it
make service-soak ARGS="--users 20 --kills 3" a short one
"""

import argparse
import asyncio
import signal
import sys
import time

from tests.support.postgres import NotStartedError

from .figures import figures
from .history import History
from .plan import Plan, happenings
from .programs import NotUpError
from .proxy import NoProxyError, nginx_program
from .verdicts import judged
from .world import Kind, lived

KINDS: tuple[Kind, ...] = ("single", "cluster")
SHOWN_OF_A_KIND = 5
MORE_SECONDS = 300.0
"""Beyond what a run should take, for which users are waited for."""


def main(arguments: list[str] | None = None) -> int:
    """Return 0 if nothing went wrong, 1 if something did, and 2 if the run could not be made."""
    given = _arguments(arguments)
    seed = int(time.time()) if given.seed is None else given.seed
    kinds = (given.only,) if given.only else KINDS
    wrong = 0
    try:
        if "cluster" in kinds:
            nginx_program()
        for kind in kinds:
            wrong += _ran(_plan(given, seed, kind), kind)
    except asyncio.CancelledError:
        print("The run was broken off.", file=sys.stderr)  # noqa: T201  (a program for people)
        return 2
    except (NoProxyError, NotStartedError, NotUpError) as error:
        print(error, file=sys.stderr)  # noqa: T201  (a program for people)
        return 2
    print(f"\n{wrong} verdicts (--seed {seed})")  # noqa: T201  (a program for people)
    return 1 if wrong else 0


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    about, _nothing, examples = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        prog="make service-soak",
        description=about,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, default=None, help="the clock's if none is given")
    parser.add_argument("--users", type=int, default=200, help="besides the one with many wishes")
    parser.add_argument("--wishes", type=int, default=5, help="of each")
    parser.add_argument("--heavy", type=int, default=100, help="wishes of the one with many")
    parser.add_argument("--slots", type=int, default=20)
    parser.add_argument("--render", type=float, default=2.0, help="seconds that a task takes")
    parser.add_argument("--spread", type=float, default=10.0, help="seconds over which the users come")
    parser.add_argument("--replicas", type=int, default=3)
    parser.add_argument("--kills", type=int, default=12, help="how often a replica is killed")
    parser.add_argument("--freezes", type=int, default=3, help="how often one is frozen beyond its lease")
    parser.add_argument("--restarts", type=int, default=3, help="how often one is told to end, and started again")
    parser.add_argument("--away", type=int, default=1, help="how often PostgreSQL is away for 10 s")
    parser.add_argument("--faults", type=int, default=12, help="how often Kling does something odd")
    parser.add_argument("--only", choices=KINDS, help="both if it is left out")
    return parser.parse_args(arguments)


def _plan(given: argparse.Namespace, seed: int, kind: Kind) -> Plan:
    total = given.heavy + given.users * given.wishes
    over = given.spread + total * given.render / given.slots
    happens = ()
    if kind == "cluster":
        happens = happenings(
            seed, over, given.replicas, kills=given.kills, freezes=given.freezes, restarts=given.restarts,
            away=given.away, faults=given.faults,
        )  # fmt: skip
    return Plan(
        seed=seed,
        users=given.users,
        wishes=given.wishes,
        heavy_wishes=given.heavy,
        slots=given.slots,
        render_seconds=given.render,
        spread=given.spread,
        replicas=given.replicas if kind == "cluster" else 1,
        happenings=happens,
    )


def _ran(plan: Plan, kind: Kind) -> int:
    """Make a run and print what came of it; return how many verdicts there are."""
    what = "three replicas, PostgreSQL, S3, nginx" if kind == "cluster" else "one process, SQLite, a folder"
    print(f"\n{kind}: {what}; {plan.total} wishes, ideal {plan.ideal_seconds:.0f} s", flush=True)  # noqa: T201  (a program for people)
    limit = plan.spread + 4 * plan.ideal_seconds + MORE_SECONDS
    history, left = asyncio.run(_lived(plan, kind, limit))
    for line in (*figures(plan, history), f"{len(left)} objects were left on the shelf", *_told(history)):
        print(f"  {line}")  # noqa: T201  (a program for people)
    return len(list(judged(history)))


async def _lived(plan: Plan, kind: Kind, limit: float) -> tuple[History, list[str]]:
    """Make a run that ends what it has started also when it is told to end."""
    run = asyncio.ensure_future(lived(plan, kind, limit, lambda text: print(f"  {text}", flush=True)))  # noqa: T201  (a program for people)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, run.cancel)
    return await run


def _told(history: History) -> list[str]:
    """Return the verdicts, of each kind the first ones."""
    lines: list[str] = []
    kinds: dict[str, int] = {}
    for verdict in judged(history):
        kinds[verdict.kind] = kinds.get(verdict.kind, 0) + 1
        if kinds[verdict.kind] <= SHOWN_OF_A_KIND:
            lines.append(str(verdict))
    return [*lines, *(f"{count} x {kind}" for kind, count in kinds.items())]


if __name__ == "__main__":
    sys.exit(main())
