"""A ledger on PostgreSQL when its server is away, refuses, holds a lock or cuts the connection."""

import sys
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Connection, text

from kolors_mcp.errors import LedgerError
from tests.support.ledger_places import opened, refusal, wish
from tests.support.postgres import Postgres

pytestmark = pytest.mark.anyio


async def test_a_missing_driver_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert 'Install "kolors-mcp[postgres]"' in await refusal("postgresql://me:hush@shop.example/ledger")


async def test_a_server_that_is_not_there_is_reported_with_its_name(tmp_path: Path) -> None:
    said = await refusal(f"postgres://me:hush@/ledger?host={tmp_path}")
    assert said.startswith(f'The ledger "{tmp_path}/ledger" cannot be reached ("')
    assert "No such file or directory" in said
    assert said.endswith(
        "Check that the server runs and that KOLORS_LEDGER names it, its database, user and password rightly."
    )


async def test_a_server_that_refuses_says_why(postgres_server: Postgres) -> None:
    refused = await refusal(postgres_server.url(password="hush-hush"))
    missing = await refusal(postgres_server.url(database="nowhere"))
    postgres_server.do("CREATE ROLE guest LOGIN PASSWORD 'hush-hush'")
    forbidden = await refusal(postgres_server.url(user="guest", password="hush-hush"))
    assert "password authentication failed for user 'postgres'" in refused
    assert "database 'nowhere' does not exist" in missing
    assert "may not be written by this program (SQLSTATE 42501)" in forbidden


async def test_a_lock_that_another_session_holds_is_waited_for_and_then_reported(postgres_url: str) -> None:
    async with opened(postgres_url) as ledger:
        await wish(ledger)
        # Of the one session that the ledger has by now; other statements may take as long as they do.
        await ledger.database.read(lambda connection: connection.execute(text("SET lock_timeout = 50")))
        with psycopg.connect(postgres_url) as holder:
            holder.execute("LOCK TABLE kolors_try_ons")
            with pytest.raises(LedgerError, match=r"is locked: another program .* \(SQLSTATE 55P03\)"):
                await wish(ledger, "k-2")
        await wish(ledger, "k-2")


async def test_a_connection_that_was_cut_while_idle_is_replaced(postgres_server: Postgres, postgres_url: str) -> None:
    async with opened(postgres_url) as ledger:
        await wish(ledger)
        session = await ledger.database.read(lambda connection: connection.scalar(text("SELECT pg_backend_pid()")))
        postgres_server.do(f"SELECT pg_terminate_backend({session}, 10000)")
        await wish(ledger, "k-2")
        assert len(await ledger.recent("local", 9)) == 2


async def test_a_connection_that_is_cut_in_the_middle_is_reported(postgres_server: Postgres, postgres_url: str) -> None:
    async with opened(postgres_url) as ledger:

        def cut(connection: Connection) -> None:
            session = connection.scalar(text("SELECT pg_backend_pid()"))
            postgres_server.do(f"SELECT pg_terminate_backend({session}, 10000)")
            connection.execute(text("SELECT 1"))

        with pytest.raises(LedgerError, match=r"was cut off by its server \(SQLSTATE 57P01\)\. Try again"):
            await ledger.database.write(cut)
        await wish(ledger)
