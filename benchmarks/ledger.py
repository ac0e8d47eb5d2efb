"""A large ledger: what a look and a create take, also while old rows go. `make bench ARGS=ledger=1000000` for more."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

from benchmarks.spread import milliseconds, spread

if TYPE_CHECKING:
    from kolors_mcp.ledger.job import NewJob
    from kolors_mcp.ledger.ledger import Ledger

ROWS = 100_000
RUNS = 41
GOAL_SECONDS = 0.010
SHARE_SECONDS = 0.005
"""Goal for all that the ledger does for one create."""
DAYS = 30
"""Over which the rows are spread, up to now."""
DAY = 86400.0
DOUBTS_EVERY = 40_000
"""Rows, of which one is in doubt."""
USER, ACCOUNT = "bench", "an-account"
BUSY_CODES = (1302, 1303)
DAILY_LIMIT = 10_000_000
"""Never reached, so all of a day are counted."""
FULL = 2
"""How SQLite calls a commit that waits for the disk."""

Deed = Callable[[int], Awaitable[object]]

_FILL = """
WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < :rows - 1)
INSERT INTO kolors_try_ons (reference, owner, fingerprint, state, task_id, status, created_at, updated_at, final_at,
                            labels, notes, saved, account, endpoint)
SELECT 'k-' || n, :owner, 'f-' || n, iif(n % :every, 'created', 'unconfirmed'), iif(n % :every, n, NULL),
       iif(n % :every, 'succeed', NULL), :since + n * :step, :since + n * :step,
       iif(n % :every, :since + n * :step, NULL),
       '["person.jpg", "shop.example"]', '["human_image: shrunk to 2048 x 1536 pixels"]', '{}', :account, 'try-on'
FROM numbers
"""


class Moment:
    """A clock that stands still, half an hour before a day ends: nearly all of its creates count against the limit."""

    def __init__(self) -> None:
        """Stand in the day that it is."""
        self.now = datetime.now(UTC).replace(hour=23, minute=30).timestamp()

    def __call__(self) -> float:
        """Return the seconds since 1970."""
        return self.now


def main(rows: int = ROWS) -> dict[str, Any]:
    """Print the rows."""
    with TemporaryDirectory() as folder:
        return asyncio.run(_measured(Path(folder) / "ledger.sqlite3", rows))


async def _measured(file: Path, rows: int) -> dict[str, Any]:
    moment = Moment()
    ledger = await _open(file, moment)
    begin = perf_counter()
    values = {"rows": rows, "since": moment.now - DAYS * DAY, "step": DAYS * DAY / rows, "every": DOUBTS_EVERY}
    values |= {"owner": USER, "account": ACCOUNT}
    await ledger.database.write(lambda connection: connection.exec_driver_sql(_FILL, values))
    print(f"\nA ledger of {rows:,} rows of one user ({file.stat().st_size / 1e6:.0f} MB), made in", end=" ")
    print(f"{perf_counter() - begin:.0f} s; medians of {RUNS} with [quartiles].")
    figures: dict[str, Any] = {}
    for name, deed in _deeds(ledger, rows).items():
        figures[name] = await _row(name, deed, GOAL_SECONDS)
    figures["all of a create"] = await _share(ledger)
    figures["removal"] = await _removal(ledger, file, moment)
    await ledger.aclose()
    return figures


async def _open(file: Path, moment: Moment) -> "Ledger":
    from kolors_mcp.clock import Clock  # noqa: PLC0415  (only for this benchmark)
    from kolors_mcp.ledger.ledger import Ledger  # noqa: PLC0415

    # What runs on by itself would make rows of the other process old in the middle of a slow removal.
    clock = Clock(wall=moment, monotonic=moment)
    return await Ledger.open(f"sqlite:///{file}", clock=clock, account=lambda: ACCOUNT, kling_time=moment)


def _new(name: str, user: str = USER) -> "NewJob":
    from kolors_mcp.ledger.job import NewJob  # noqa: PLC0415

    return NewJob(name, user, name, None, ("a", "b"))


async def _reserve(ledger: "Ledger", name: str) -> None:
    await ledger.reserve(_new(name), daily_limit=DAILY_LIMIT)


async def _create(ledger: "Ledger", name: str) -> None:
    await _reserve(ledger, name)
    await ledger.created(name, name, "submitted")


def _deeds(ledger: "Ledger", rows: int) -> dict[str, Deed]:
    return {
        "find by reference": lambda number: ledger.find(USER, f"k-{number * rows // RUNS}"),
        "find by task id": lambda number: ledger.find(USER, str(number * rows // RUNS)),
        "find nothing": lambda number: ledger.find(USER, f"no-{number}"),
        "recent 100": lambda _number: ledger.recent(USER, 100),
        "doubt": lambda number: ledger.doubt(f"k-{number * rows // RUNS // DOUBTS_EVERY * DOUBTS_EVERY}"),
        "next look": lambda _number: ledger.seconds_to_next_look(),
        "take looks": lambda _number: ledger.take_looks(100),
        "reserve": lambda number: _reserve(ledger, f"reserved-{number}"),
        "reserve, created": lambda number: _create(ledger, f"created-{number}"),
    }


async def write_create(ledger: "Ledger", name: str) -> None:
    """Ask of the ledger what a create does, from its reservation to its task."""
    from kolors_mcp.ledger.job import Refusals  # noqa: PLC0415  (only for this benchmark)

    refusals = Refusals(BUSY_CODES, 600.0, 3)
    await ledger.reserve(_new(name, "another"), daily_limit=DAILY_LIMIT, refusals=refusals)
    await ledger.mark_posting(name, 1)
    await ledger.created(name, name, "submitted")


async def _share(ledger: "Ledger") -> dict[str, Any]:
    """Measure all that a create of another user asks of the ledger, up to its finished task."""

    async def create(number: int) -> None:
        name = f"whole-{number}"
        await write_create(ledger, name)
        await ledger.seen(name, "succeed", 1.0)

    figures = await _row("all of a create", create, SHARE_SECONDS)
    with _counted(ledger) as counted:
        await create(RUNS)
    print(f"    {', '.join(f'{number} {what}' for what, number in counted.items())}")
    return {**figures, **counted}


async def _removal(ledger: "Ledger", file: Path, moment: Moment) -> dict[str, Any]:
    """Measure how long creates take while all old rows are removed by one of two processes."""
    # What stands for another process still has the time before: it removes nothing, and its creates are not old.
    other = await _open(file, Moment())
    before = file.stat().st_size
    moment.now += 35 * DAY - 1
    await _create(ledger, "first of a day")
    removing, begin, spent = ledger.pruning, perf_counter(), dict[str, list[float]](ours=[], other=[])
    assert removing is not None
    while not removing.done():
        for name, one in (("ours", ledger), ("other", other)):
            began = perf_counter()
            await _create(one, f"{name}-{len(spent[name])}")
            spent[name].append(perf_counter() - began)
    took = perf_counter() - begin
    await other.aclose()
    print(f"  removal of the rows, 1,000 at a time: {took:.1f} s;", end=" ")
    print(f"the file had {before / 1e6:.0f} MB and has {file.stat().st_size / 1e6:.1f} MB")
    figures: dict[str, Any] = {"seconds": took}
    for name, whose in (("ours", "meanwhile, here"), ("other", "and elsewhere")):
        figures[name] = {**spread(spent[name]), "worst": max(spent[name])}
        print(f"  {whose:<20}{milliseconds(figures[name]):>30}, the worst {figures[name]['worst'] * 1000:.0f} ms")
    return figures


async def _row(name: str, deed: Deed, goal: float) -> dict[str, Any]:
    spent: list[float] = []
    cpu = process_time()
    for number in range(RUNS):
        begin = perf_counter()
        await deed(number)
        spent.append(perf_counter() - begin)
    cpu = (process_time() - cpu) / RUNS
    times = spread(spent)
    missed = "" if times["median"] <= goal else "  MISSED"
    print(f"  {name:<20}{milliseconds(times):>30}, cpu {cpu * 1000:.1f} ms, goal {goal * 1000:.0f}{missed}")
    return {**times, "cpu": cpu}


@contextmanager
def _counted(ledger: "Ledger") -> Generator[Counter[str]]:
    """Count what is asked of the database meanwhile."""
    from sqlalchemy import Connection, event  # noqa: PLC0415

    counted: Counter[str] = Counter()

    def begun(_connection: Connection) -> None:
        counted["transactions"] += 1

    def asked(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        counted["statements"] += not statement.startswith(("BEGIN", "PRAGMA"))

    def committed(connection: Connection) -> None:
        counted["waits for the disk"] += connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == FULL

    listeners = {"begin": begun, "before_cursor_execute": asked, "commit": committed}
    for name, listener in listeners.items():
        event.listen(ledger.database.engine, name, listener)
    yield counted
    for name, listener in listeners.items():
        event.remove(ledger.database.engine, name, listener)


if __name__ == "__main__":
    main()
