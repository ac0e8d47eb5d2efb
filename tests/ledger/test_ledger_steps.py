"""A ledger of many rows: SQLite takes as many steps for a look or a create as in a ledger of few."""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event

from kolors_mcp.ledger.job import Refusals
from tests.support.asking import DAY, HOUR, MINUTE, NOON, Asking, Hand, opened

FEW, MANY = 400, 6400
DOUBTS, TODAY = 10, 50
"""Of either ledger: each doubt is looked at, and each create of the day is counted."""
LIMIT = 10_000

pytestmark = pytest.mark.anyio

_FILL = """
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :rows)
INSERT INTO kolors_try_ons (reference, owner, fingerprint, state, task_id, status, created_at, updated_at, final_at,
                            labels, notes, saved, account, endpoint)
SELECT :name || n, 'local', :name || n, 'created', :name || n, 'succeed', :since + n * :seconds / :rows,
       :since + n * :seconds / :rows, :since + n * :seconds / :rows, '["a", "b"]', '[]', '{}', 'an-account', 'try-on'
FROM numbers
"""


async def fill(asking: Asking, name: str, rows: int, since: float, seconds: float) -> None:
    """Write so many rows of finished creates, spread over a time."""
    values = {"name": name, "rows": rows, "since": since, "seconds": seconds}
    await asking.ledger.database.write(lambda connection: connection.exec_driver_sql(_FILL, values))


async def steps_of(asking: Asking, deed: Callable[[], Awaitable[object]]) -> int:
    """How many steps SQLite's machine takes for what a deed asks of it."""
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1

    @event.listens_for(asking.ledger.database.engine, "begin")
    def begun(connection: Connection) -> None:
        driver: Any = connection.connection.dbapi_connection
        driver.set_progress_handler(step, 1)

    await deed()
    event.remove(asking.ledger.database.engine, "begin", begun)
    return steps


async def steps_with(file: Path, rows: int) -> dict[str, int]:
    """How many each look takes, and each write of a create, in a ledger of so many rows of the user's last month."""
    steps: dict[str, int] = {}
    async with opened(f"sqlite:///{file}", Hand()) as asking:
        ledger = asking.ledger
        await fill(asking, "old-", rows, NOON - 30 * DAY, 29 * DAY)
        await fill(asking, "today-", TODAY, NOON - HOUR, HOUR)
        for number in range(DOUBTS):
            await ledger.unconfirmed(await asking.reserved(reference=f"doubt-{number}", fingerprint=f"doubt-{number}"))
        asking.hand.now += MINUTE
        deeds: dict[str, Callable[[], Awaitable[object]]] = {
            "find by reference": lambda: ledger.find("local", "old-20"),
            "find by task id": lambda: ledger.find("local", "today-20"),
            "find nothing": lambda: ledger.find("local", "nothing"),
            "find many": lambda: ledger.find_many("local", ["old-20", "today-20", "nothing"]),
            "recent": lambda: ledger.recent("local", 100),
            "doubt": lambda: ledger.doubt("doubt-1"),
            "next look": ledger.seconds_to_next_look,
            "take looks": lambda: ledger.take_looks(9),
            "reserve": lambda: asking.wish(
                reference="k-1", fingerprint="f-1", daily_limit=LIMIT, refusals=Refusals((1302, 1303), 600.0, 3)
            ),
            "mark": lambda: ledger.mark_posting("k-1", 1),
            "created": lambda: ledger.created("k-1", "8812", "submitted"),
            "join": lambda: asking.wish(fingerprint="f-1", daily_limit=LIMIT),
            "seen": lambda: ledger.seen("8812", "succeed", 1.0, NOON),
            "saved": lambda: ledger.saved("8812", 0, "/pictures/0.png"),
        }
        for name, deed in deeds.items():
            await ledger.recent("local", 1)  # the schema is read by now
            steps[name] = await steps_of(asking, deed)
    return steps


async def test_no_look_and_no_write_of_a_create_takes_more_steps_among_more_rows(tmp_path: Path) -> None:
    few, many = [await steps_with(tmp_path / f"{rows}.sqlite3", rows) for rows in (FEW, MANY)]
    assert all(few.values()), few
    grown = {name: (steps, many[name]) for name, steps in few.items() if many[name] > 1.05 * steps}
    assert not grown, grown


async def test_each_create_of_the_day_costs_the_next_one_a_few_steps_in_an_index(tmp_path: Path) -> None:
    steps: list[int] = []
    async with opened(f"sqlite:///{tmp_path / 'ledger.sqlite3'}", Hand()) as asking:
        for number in range(2):
            await fill(asking, f"today-{number}-", 1000, NOON - HOUR, HOUR)
            wish = partial(asking.wish, fingerprint=f"f-{number}", daily_limit=LIMIT)
            steps.append(await steps_of(asking, wish))
    assert steps[1] - steps[0] < 5 * 1000, steps


async def test_the_steps_that_grow_with_the_rows_are_seen(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path / 'ledger.sqlite3'}", Hand()) as asking:

        async def read_all() -> None:
            await asking.ledger.database.read(
                lambda connection: connection.exec_driver_sql("SELECT max(updated_at) FROM kolors_try_ons").all()
            )

        await fill(asking, "a-", FEW, NOON - HOUR, HOUR)
        few = await steps_of(asking, read_all)
        await fill(asking, "b-", MANY, NOON - HOUR, HOUR)
        assert await steps_of(asking, read_all) > 10 * few
