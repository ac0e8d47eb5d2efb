"""Every statement of the ledger can be put together with the parameters that it names, and is that but once."""

import importlib
import pkgutil
from collections.abc import Iterator
from sqlite3 import SQLITE_OK

import pytest
from sqlalchemy import BindParameter, Connection, bindparam, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import CompileError
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.visitors import iterate

import kolors_mcp.ledger
from kolors_mcp.clock import Clock
from kolors_mcp.ledger.connections import sqlite_of
from kolors_mcp.ledger.job import NewJob, Refusals
from kolors_mcp.ledger.ledger import Ledger
from kolors_mcp.ledger.schema import TRY_ONS, C
from kolors_mcp.ledger.slots import Terms
from kolors_mcp.ledger.wakes import Wakes
from tests.support.ledger_deeds import account


def statements() -> Iterator[tuple[str, UpdateBase]]:
    for module in pkgutil.iter_modules(kolors_mcp.ledger.__path__, "kolors_mcp.ledger."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, UpdateBase):
                yield f"{module.name.rpartition('.')[2]}.{name}", value


STATEMENTS = dict(statements())


def put_together(statement: UpdateBase, dialect: Dialect) -> None:
    # A parameter that has the name of a column is refused, but only once a value is given for it.
    named = [one.key for one in iterate(statement) if isinstance(one, BindParameter)]
    statement.compile(dialect=dialect, column_keys=named)


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()], ids=["sqlite", "postgres"])
@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_takes_the_parameters_that_it_names(name: str, dialect: Dialect) -> None:
    put_together(STATEMENTS[name], dialect)


def test_a_parameter_with_the_name_of_a_column_is_found() -> None:
    wrong = update(TRY_ONS).where(C.account == bindparam("account")).values(look_at=bindparam("now"))
    with pytest.raises(CompileError):
        put_together(wrong, sqlite.dialect())
    assert len(STATEMENTS) > 20


async def made_and_found(ledger: Ledger, name: str) -> None:
    """Let a wish of a user of its own come to its end, with all that is asked of the ledger meanwhile."""
    assert ledger.line is not None
    wish = NewJob(f"k-{name}", name, name, None, ("a", "b"))
    for _ in range(2):
        await ledger.reserve(wish, daily_limit=9, refusals=Refusals((1200,), 60.0, 9))
    await ledger.line.counts()
    assert await ledger.mark_posting(f"k-{name}", 2)
    await ledger.created(f"k-{name}", f"task-{name}", "submitted")
    await ledger.line.take_looks(9)
    await ledger.line.claim(1)
    await ledger.line.places()
    assert await ledger.find(name, f"task-{name}") is not None
    assert await ledger.recent(name, 5)


@pytest.mark.anyio
async def test_sqlite_puts_no_statement_together_anew_for_another_value() -> None:
    clock = Clock(wall=lambda: 1_760_097_600.0, monotonic=lambda: 0.0)
    ledger = await Ledger.open("sqlite://", clock=clock, account=account)
    ledger.open_line(Terms(5, 5, 600.0), Wakes("sqlite://", clock))
    tables: set[str] = set()

    def put_together(_action: int, part: str | None, *_more: object) -> int:
        # It is called for whatever a statement touches, and for the end of a transaction with what that is.
        if part is not None and part.startswith("kolors_"):
            tables.add(part)
        return SQLITE_OK

    def look(connection: Connection) -> None:
        driver = sqlite_of(connection)
        assert driver is not None
        driver.set_authorizer(put_together)

    await ledger.database.read(look)
    await made_and_found(ledger, "ann")
    assert tables == {"kolors_ledger", "kolors_lines", "kolors_try_ons"}
    tables.clear()
    await made_and_found(ledger, "bob")
    await ledger.aclose()
    assert tables == set()
