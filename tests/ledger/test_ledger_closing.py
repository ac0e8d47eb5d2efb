"""A ledger that is closed while a thread still works on it: every connection is closed, whoever has it."""

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import anyio.to_thread
import psycopg
import pytest
from sqlalchemy import Connection, event, text

from kolors_mcp.ledger.database import Database
from kolors_mcp.ledger.ledger import Ledger
from tests.support.asking import Hand
from tests.support.ledger_deeds import account

pytestmark = pytest.mark.anyio

MAX_WAIT_SECONDS = 10.0
Way = Callable[[Database, Callable[[Connection], object]], Awaitable[object]]


def is_open(connection: Any) -> bool:
    try:
        connection.cursor().close()
    except (sqlite3.ProgrammingError, psycopg.OperationalError):
        return False
    return True


def noted(database: Database) -> list[Any]:
    """All connections that the database makes from now on, as the driver has them."""
    made: list[Any] = []

    @event.listens_for(database.engine, "connect")
    def note(connection: Any, _record: Any) -> None:  # pyright: ignore[reportUnusedFunction] (SQLAlchemy calls it)
        made.append(connection)

    return made


class Held:
    """Work on a database that a test lets end."""

    def __init__(self) -> None:
        self.begun, self.goes_on = threading.Event(), threading.Event()

    def __call__(self, connection: Connection) -> None:
        connection.execute(text("SELECT 1"))
        self.begun.set()
        self.goes_on.wait()

    async def leave(self, doing: Awaitable[object]) -> None:
        """Return when the work is under way, and nobody waits for it."""
        task = asyncio.ensure_future(doing)
        await anyio.to_thread.run_sync(self.begun.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("way", [Database.read, Database.write])
async def test_a_ledger_is_closed_once_the_work_has_ended_that_nobody_waits_for(url: str, way: Way) -> None:
    database, held = await Database.open(url, MAX_WAIT_SECONDS), Held()
    made = noted(database)
    await held.leave(way(database, held))
    database.close()
    held.goes_on.set()
    await database.aclose()
    assert [is_open(connection) for connection in made] == [False]


async def test_an_opening_that_is_given_up_leaves_no_connection(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    database, held, hand = await Database.open(url, MAX_WAIT_SECONDS), Held(), Hand()
    made = noted(database)

    async def ready(_url: str, _max_wait_seconds: float) -> Database:
        return database

    def upgrade(connection: Connection, _now: float) -> None:
        held(connection)

    monkeypatch.setattr(Database, "open", ready)
    monkeypatch.setattr("kolors_mcp.ledger.ledger.prepare", upgrade)
    await held.leave(Ledger.open(url, clock=hand.clock, account=account))
    held.goes_on.set()
    await database.aclose()
    assert [is_open(connection) for connection in made] == [False]


@pytest.mark.parametrize("way", [Database.read, Database.write])
async def test_in_memory_nothing_is_at_work_that_nobody_waits_for(way: Way) -> None:
    database, did = await Database.open("sqlite://", MAX_WAIT_SECONDS), list[str]()
    made = noted(database)

    def work(connection: Connection) -> None:
        connection.execute(text("SELECT 1"))
        did.append(threading.current_thread().name)

    left = asyncio.ensure_future(way(database, work))
    await asyncio.sleep(0)
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left
    await way(database, work)
    await database.aclose()
    assert did == [threading.main_thread().name]
    assert [is_open(connection) for connection in made] == [False]


async def test_what_is_written_after_the_end_is_written_and_leaves_no_connection(postgres_url: str) -> None:
    database = await Database.open(postgres_url, MAX_WAIT_SECONDS)
    made = noted(database)
    await database.write(lambda connection: connection.execute(text("CREATE TABLE kept (number int)")))
    await database.aclose()
    await database.write(lambda connection: connection.execute(text("INSERT INTO kept VALUES (7)")))
    assert await database.read(lambda connection: connection.scalar(text("SELECT number FROM kept"))) == 7
    assert [is_open(connection) for connection in made] == [False] * 3
