"""Every statement that changes the ledger can be put together with the parameters that it names, in both dialects."""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest
from sqlalchemy import BindParameter, bindparam, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import CompileError
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.visitors import iterate

import kolors_mcp.ledger
from kolors_mcp.ledger.schema import TRY_ONS, C


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
