"""A large ledger of one user: what a look and a create take. `make bench ARGS=ledger=1000000` for more rows."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Any

from benchmarks.spread import milliseconds, spread

if TYPE_CHECKING:
    from kolors_mcp.ledger.ledger import Ledger

ROWS = 100_000
RUNS = 41
GOAL_SECONDS = 0.010
DAYS = 30
"""Over which the rows are spread, up to now."""
DOUBTS_EVERY = 40_000
"""Rows, of which one is in doubt."""
USER, ACCOUNT = "bench", "an-account"


def main(rows: int = ROWS) -> dict[str, Any]:
    """Print the rows."""
    return asyncio.run(_measured(rows))


async def _measured(rows: int) -> dict[str, Any]:
    from kolors_mcp.clock import Clock  # noqa: PLC0415  (only for this benchmark)
    from kolors_mcp.ledger.job import NewJob  # noqa: PLC0415
    from kolors_mcp.ledger.ledger import Ledger  # noqa: PLC0415

    now = Clock().wall()
    with TemporaryDirectory() as folder:
        file = Path(folder) / "ledger.sqlite3"
        moment = now
        clock, url = Clock(wall=lambda: moment), f"sqlite:///{file}"
        ledger = await Ledger.open(url, clock=clock, account=lambda: ACCOUNT, kling_time=lambda: moment)
        begin = perf_counter()
        await _fill(ledger, rows, now)
        print(f"\nA ledger of {rows:,} rows of one user ({file.stat().st_size / 1e6:.0f} MB), made in", end=" ")
        print(f"{perf_counter() - begin:.0f} s; medians of {RUNS} with [quartiles], goal {GOAL_SECONDS * 1000:.0f} ms.")

        async def reserve(number: int) -> None:
            new = NewJob(f"k-new-{number}", USER, f"new-{number}", None, ("a", "b"))
            await ledger.reserve(new, daily_limit=10 * rows)

        async def create(number: int) -> None:
            await reserve(number + RUNS)
            await ledger.created(f"k-new-{number + RUNS}", f"new-{number}", "submitted")

        deeds: dict[str, Callable[[int], Awaitable[object]]] = {
            "find by reference": lambda number: ledger.find(USER, f"k-{number * rows // RUNS}"),
            "find by task id": lambda number: ledger.find(USER, str(number * rows // RUNS)),
            "find nothing": lambda number: ledger.find(USER, f"no-{number}"),
            "recent 100": lambda _number: ledger.recent(USER, 100),
            "next look": lambda _number: ledger.seconds_to_next_look(),
            "take looks": lambda _number: ledger.take_looks(100),
            "reserve": reserve,
            "reserve, created": create,
        }
        figures: dict[str, Any] = {name: await _row(name, deed) for name, deed in deeds.items()}
        size = file.stat().st_size
        moment = now + (36 + DAYS) * 86400.0
        begin = perf_counter()
        removed = await ledger.prune()
        figures["prune"] = perf_counter() - begin
        await ledger.aclose()
        print(f"  removal of {removed:,} rows, 1,000 at a time: {figures['prune']:.1f} s;", end=" ")
        print(f"the file had {size / 1e6:.0f} MB and has {file.stat().st_size / 1e6:.1f} MB")
    return figures


async def _row(name: str, deed: Callable[[int], Awaitable[object]]) -> dict[str, Any]:
    spent: list[float] = []
    for number in range(RUNS):
        begin = perf_counter()
        await deed(number)
        spent.append(perf_counter() - begin)
    times = spread(spent)
    print(f"  {name:<20}{milliseconds(times):>30}{'' if times['median'] <= GOAL_SECONDS else '  MISSED'}")
    return {**times}


async def _fill(ledger: "Ledger", rows: int, now: float) -> None:
    from sqlalchemy import Connection, insert  # noqa: PLC0415  (see `_measured`)

    from kolors_mcp.ledger.schema import TRY_ONS  # noqa: PLC0415

    def row(number: int) -> dict[str, Any]:
        at = now - DAYS * 86400.0 * (1 - number / rows)
        doubtful = number % DOUBTS_EVERY == 0
        return {
            "reference": f"k-{number}",
            "user": USER,
            "fingerprint": f"f-{number}",
            "state": "unconfirmed" if doubtful else "created",
            "task_id": None if doubtful else str(number),
            "status": None if doubtful else "succeed",
            "created_at": at,
            "updated_at": at,
            "labels": ["person.jpg", "shop.example"],
            "notes": ["human_image: shrunk to 2048 x 1536 pixels"],
            "saved": {},
            "account": ACCOUNT,
            "endpoint": "kolors-virtual-try-on",
        }

    for start in range(0, rows, 10_000):
        some = [row(number) for number in range(start, min(rows, start + 10_000))]

        def writing(connection: Connection, some: list[dict[str, Any]] = some) -> None:
            connection.execute(insert(TRY_ONS), some)

        await ledger.database.write(writing)


if __name__ == "__main__":
    main()
