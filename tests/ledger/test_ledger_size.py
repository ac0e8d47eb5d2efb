"""A ledger that grows: the databases read only the rows that are asked for, and old ones leave while nobody waits."""

import asyncio
import shutil
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event

from kolors_mcp.ledger import database, pruning
from kolors_mcp.ledger.job import Refusals
from tests.support.asking import DAY, LEDGERS, NOON, Asking, Hand, opened

FEW = ("find", "find many", "saved", "take looks")
"""What sorts the few rows that it has found."""

pytestmark = pytest.mark.anyio


async def plans(asking: Asking) -> dict[str, str]:
    """How SQLite goes about each statement that a look or a reservation makes."""
    seen: list[tuple[str, Any]] = []
    engine = asking.ledger.database.engine

    @event.listens_for(engine, "before_cursor_execute")
    def note(*event: Any) -> None:  # pyright: ignore[reportUnusedFunction] (SQLAlchemy calls it)
        seen.append((event[2], event[3]))

    deeds = {
        "find": lambda: asking.ledger.find("local", "k-1"),
        "find many": lambda: asking.ledger.find_many("local", ["8812"]),
        "labelled": lambda: asking.ledger.labelled("local", "look", 9),
        "recent": lambda: asking.ledger.recent("local", 9),
        "next look": asking.ledger.seconds_to_next_look,
        "take looks": lambda: asking.ledger.take_looks(9),
        "without task among": lambda: asking.ledger.without_task_among(["k-1", "k-2"]),
        "reserve": lambda: asking.wish(fingerprint="f-9", daily_limit=99, refusals=Refusals((1302, 1303), 600.0, 3)),
        "created": lambda: asking.ledger.created("k-1", "8812", "submitted"),
        "seen": lambda: asking.ledger.seen("8812", "processing"),
        "saved": lambda: asking.ledger.saved("8812", 0, "/pictures/0.png"),
    }
    found: dict[str, str] = {}
    for name, deed in deeds.items():
        seen.clear()
        await deed()
        statements = [(text, values) for text, values in seen if "kolors_try_ons" in text and "INSERT" not in text]

        def explained(connection: Connection, statements: list[Any] = statements) -> str:
            rows = [
                row[3]
                for text, values in statements
                for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)
            ]
            return "\n".join(rows)

        found[name] = await asking.ledger.database.read(explained)
    event.remove(engine, "before_cursor_execute", note)
    return found


@pytest.mark.parametrize("url", ["file"], indirect=True)
async def test_no_look_and_no_reservation_reads_all_rows_of_a_user_or_sorts_them(asking: Asking) -> None:
    await asking.reserved()
    for name, plan in (await plans(asking)).items():
        # The index of the open ones has no others, so all of it may be read.
        others = plan.replace("SCAN kolors_try_ons USING INDEX kolors_try_ons_open", "")
        assert "SCAN kolors_try_ons" not in others, f"{name}: {plan}"
        assert "USE TEMP B-TREE FOR ORDER BY" not in plan or name in FEW, f"{name}: {plan}"
        for line in plan.splitlines():
            if "kolors_try_ons_latest" in line:
                # The user's rows in order: good where the first few are the answer, or each is asked for by number.
                assert name == "recent" or "AND id=?" in line or "rowid=?" in line, f"{name}: {plan}"


async def test_old_rows_go_a_portion_at_a_time_and_doubts_last(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "_OLDEST", pruning._OLDEST.limit(2))  # pyright: ignore[reportPrivateUsage]
    for number in range(5):
        reference = await asking.reserved(fingerprint=f"f-{number}")
        if number == 1:
            await asking.ledger.unconfirmed(reference)
        elif number != 3:
            await asking.ledger.created(reference, f"88{number}", "succeed")
    asking.hand.now += 35 * DAY
    last = await asking.reserved(fingerprint="f-9")
    await asking.pruned()
    asking.hand.now += 1
    left: list[list[str]] = []
    prune_portion = pruning.prune_portion

    def noted(connection: Connection, before: float, after: int, *, doubts: bool) -> tuple[int, int | None]:
        found = prune_portion(connection, before, after, doubts=doubts)
        rows = connection.exec_driver_sql("SELECT reference FROM kolors_try_ons ORDER BY id")
        left.append([row.reference for row in rows])
        return found

    monkeypatch.setattr("kolors_mcp.ledger.pruning.prune_portion", noted)
    assert await asking.ledger.prune() == 5
    assert left[:4] == [
        ["k-2", "k-3", "k-4", "k-5", last],
        ["k-2", "k-4", "k-5", last],
        ["k-2", "k-4", last],
        ["k-2", "k-4", last],
    ]
    assert left[-1] == [last]


@pytest.mark.parametrize("url", ["file", "postgres"], indirect=True)
async def test_after_each_portion_another_process_can_write(
    url: str, asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "_OLDEST", pruning._OLDEST.limit(2))  # pyright: ignore[reportPrivateUsage]
    for number in range(5):
        await asking.ledger.created(await asking.reserved(fingerprint=f"f-{number}"), f"88{number}", "succeed")
    asking.hand.now += 1
    async with opened(url, Hand(NOON + 1)) as another:
        asking.hand.in_pauses = partial(another.wish, user="another")
        asking.hand.now = NOON + 35 * DAY + 0.5
        assert await asking.ledger.prune() == 5
        assert len(await another.ledger.recent("another", 9)) == 1, "what is asked for after the next ones joins it"


async def test_nobody_waits_for_the_removal_of_old_rows(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    await asking.reserved()
    asking.hand.now += 36 * DAY
    go_on = asyncio.Event()
    prune = pruning.Pruner.prune

    async def held(self: pruning.Pruner) -> int:
        await go_on.wait()
        return await prune(self)

    monkeypatch.setattr(pruning.Pruner, "prune", held)
    await asking.reserved(fingerprint="f-2")
    assert len(await asking.ledger.recent("local", 9)) == 2, "the old one is still there, and nobody has waited"
    go_on.set()
    await asking.pruned()
    assert len(await asking.ledger.recent("local", 9)) == 1


async def test_a_ledger_that_is_closed_in_the_middle_of_a_removal_goes_on_with_it_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, hand = f"sqlite:///{tmp_path / 'ledger.sqlite3'}", Hand()
    async with opened(url, hand) as asking:
        await asking.reserved()
        hand.now += 36 * DAY
        monkeypatch.setattr(asking.ledger, "prune", asyncio.Event().wait)
        await asking.reserved(fingerprint="f-2")
    async with opened(url, hand) as asking:
        await asking.pruned()
        assert len(await asking.ledger.recent("local", 9)) == 1


def pages(file: Path) -> tuple[int, int]:
    """How many pages a file has, and how it gives them back: 2 is a little at a time."""
    connection = sqlite3.connect(file)
    found = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "auto_vacuum")]
    connection.close()
    return found[0], found[1]


@pytest.mark.parametrize("is_old", [False, True], ids=["new", "upgraded"])
async def test_the_file_shrinks_when_its_rows_go(tmp_path: Path, is_old: bool) -> None:
    file, hand = tmp_path / "ledger.sqlite3", Hand()
    if is_old:
        shutil.copy(LEDGERS / "layout_1.sqlite3", file)
        assert pages(file)[1] == 0
    async with opened(f"sqlite:///{file}", hand) as asking:
        for number in range(60):
            await asking.reserved(reference=f"n-{number}", fingerprint=f"n-{number}", notes=("x" * 300,) * 20)
        before, how = pages(file)
        assert how == 2
        hand.now += 36 * DAY
        assert await asking.ledger.prune() >= 60
    assert pages(file)[0] < before / 2


async def test_a_large_file_of_an_older_version_is_not_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ledger.sqlite3"
    shutil.copy(LEDGERS / "layout_1.sqlite3", file)
    monkeypatch.setattr(database, "REWRITTEN_BYTES", 1000)
    async with opened(f"sqlite:///{file}", Hand()) as asking:
        await asking.ledger.prune()
        assert len(await asking.ledger.recent("local", 9)) == 5
    assert pages(file)[1] == 0


async def test_a_file_of_an_older_version_that_is_in_use_is_opened_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite3"
    async with opened(f"sqlite:///{file}", Hand()):
        pass
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("PRAGMA auto_vacuum = NONE")
    other.execute("VACUUM")
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM kolors_try_ons").fetchone()
    async with opened(f"sqlite:///{file}", Hand()) as asking:
        await asking.reserved()
    other.close()


async def test_rows_are_removed_after_35_days(asking: Asking) -> None:
    await asking.reserved(fingerprint="f-1")
    asking.hand.now += 1
    second = await asking.reserved(fingerprint="f-2")
    asking.hand.now = NOON + 35 * DAY + 1
    assert await asking.ledger.prune() == 1
    assert [job.reference for job in await asking.ledger.recent("local", 9)] == [second]


async def test_a_ledger_that_stays_open_for_weeks_prunes_itself(asking: Asking) -> None:
    await asking.reserved(fingerprint="f-1")
    asking.hand.now += 36 * DAY
    second = await asking.reserved(fingerprint="f-2")
    await asking.pruned()
    assert [job.reference for job in await asking.ledger.recent("local", 9)] == [second]


@pytest.mark.parametrize("url", ["file", "postgres"], indirect=True)
async def test_opening_prunes_at_most_once_a_day(url: str) -> None:
    hand = Hand()
    async with opened(url, hand) as asking:
        await asking.reserved(fingerprint="f-1")
        hand.now += 1000
        await asking.reserved(fingerprint="f-2")
    left: list[int] = []
    for now in (NOON + 35 * DAY + 1, NOON + 35 * DAY + 1001, NOON + 36 * DAY + 1):
        hand.now = now
        async with opened(url, hand) as asking:
            await asking.pruned()
            left.append(len(await asking.ledger.recent("local", 9)))
    assert left == [1, 1, 0]
