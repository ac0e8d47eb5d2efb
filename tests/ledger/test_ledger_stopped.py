"""A process that is stopped in the middle of a transaction, and those who share its ledger."""

import threading
from functools import partial

import anyio
import pytest
from sqlalchemy import Connection, text

from kolors_mcp.ledger.database import Database

pytestmark = [pytest.mark.anyio, pytest.mark.process]
MAX_WAIT_SECONDS = 4.0
"""Seconds that others wait; the server counts them, and ends the stopped one after half of them."""


async def test_on_a_server_a_stopped_process_loses_its_lock_and_what_it_had_begun_and_begins_anew(
    postgres_url: str,
) -> None:
    stopped, others = [await Database.open(postgres_url, MAX_WAIT_SECONDS) for _ in range(2)]
    begun, goes_on = threading.Event(), threading.Event()
    found: list[str | None] = []

    def stop(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE begun (number int)"))
        begun.set()
        assert goes_on.wait(100)
        connection.execute(text("SELECT 1"))

    def look(connection: Connection) -> str | None:
        return connection.execute(text("SELECT to_regclass('begun')::text")).scalar()

    async with anyio.create_task_group() as group:
        group.start_soon(partial(stopped.write, stop, lock="a user"))
        await anyio.to_thread.run_sync(begun.wait, 100)
        try:
            found.append(await others.write(look, lock="a user"))
        finally:
            goes_on.set()
    assert found == [None]
    assert await others.read(look) == "begun"
    await stopped.aclose()
    await others.aclose()
