"""How the ledger is laid out in a database; an older layout is brought up to date when it is opened."""

import secrets
from collections.abc import Sequence

from sqlalchemy import (
    JSON,
    BigInteger,
    BindParameter,
    CheckConstraint,
    Column,
    ColumnElement,
    Connection,
    Double,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    cast,
    insert,
    inspect,
    text,
    type_coerce,
    update,
)

from kolors_mcp.errors import LedgerError
from kolors_mcp.ledger.connections import sqlite_of
from kolors_mcp.ledger.states import STATES
from kolors_mcp.ledger.upgrades import UPGRADES, Upgrade

METADATA = MetaData()

WORDS = STATES
"""The words that a state may have in the database."""
# An index of some rows serves a query only where that says the same condition, word for word.
IS_OPEN = text("state in ('waiting', 'sending', 'posting', 'unconfirmed')")
"""It is not known yet what becomes of it."""
IS_SPENT = text("state <> 'refused'")
"""It may have cost money."""
IS_UNCLAIMED = text("account = ''")
"""It comes from a layout that knew no accounts, and no account has opened the ledger since."""
IS_LABELLED = text("label_key IS NOT NULL")
"""It has a name by which people find it."""
IS_RUNNING = text("state = 'created' AND final_at IS NULL")
"""Kling has it and has not said that it has ended."""
IS_SHELVED = text("shelved IS NOT NULL")
"""Its pictures lie on the shelf, unless it was forgotten to take them away."""


class _Compared(String):
    """A text with which indexes say which rows they have.

    SQLite looks at what such a column is compared with, to see whether an index serves, and then puts the statement
    together anew for each value: that takes ten times as long as answering it. It does not look into an expression.
    """

    def bind_expression(self, bindvalue: BindParameter[str]) -> ColumnElement[str]:
        """Return what stands in a statement for a value."""
        return cast(type_coerce(bindvalue, String), String)


TRY_ONS = Table(
    "kolors_try_ons",
    METADATA,
    # Counts up in the order of reservation, also where two share a time or the clock was set back.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("reference", String, nullable=False, unique=True),
    # "user" is a word of SQL's own.
    Column("owner", String, nullable=False, key="user"),
    Column("fingerprint", String, nullable=False),
    Column("model_name", String),
    Column("state", _Compared, nullable=False),
    Column("task_id", String),
    Column("status", String),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("labels", JSON, nullable=False),
    Column("notes", JSON, nullable=False),
    Column("saved", JSON, nullable=False),
    Column("code", Integer),
    # Without a default: a program of the first layout that has the ledger open cannot add a row without one.
    Column("account", _Compared, nullable=False),
    Column("endpoint", String, nullable=False),
    Column("label", String),
    Column("holder", String),
    Column("turn", Integer),
    Column("lease_until", Double),
    Column("tag", String),
    Column("posted_at", Double),
    Column("final_at", Double),
    Column("shelved", String),
    Column("callback_url", String),
    Column("fresh", String),
    Column("look_at", Double),
    Column("evidence", JSON),
    Column("units", Double),
    # The label as it is looked for: neither database folds the case of all scripts.
    Column("label_key", String),
    CheckConstraint(f"state in ({', '.join(map(repr, WORDS))})", "kolors_try_ons_state"),
)
C = TRY_ONS.c
Index("kolors_try_ons_wish", C.user, C.account, C.fingerprint, C.id)
Index("kolors_try_ons_latest", C.user, C.account, C.id)
Index("kolors_try_ons_day", C.user, C.account, C.created_at, sqlite_where=IS_SPENT, postgresql_where=IS_SPENT)
Index("kolors_try_ons_open", C.user, C.account, C.state, C.id, sqlite_where=IS_OPEN, postgresql_where=IS_OPEN)
Index("kolors_try_ons_task", C.task_id)
Index("kolors_try_ons_unclaimed", C.id, sqlite_where=IS_UNCLAIMED, postgresql_where=IS_UNCLAIMED)

Index(
    *("kolors_try_ons_label", C.user, C.account, C.label_key, C.id),
    sqlite_where=IS_LABELLED,
    postgresql_where=IS_LABELLED,
)

# The line of an account: who waits in which order, what holds a slot, whose pictures lie on the shelf.
Index("kolors_try_ons_line", C.account, C.state, C.tag, C.id, sqlite_where=IS_OPEN, postgresql_where=IS_OPEN)
Index("kolors_try_ons_running", C.account, C.look_at, sqlite_where=IS_RUNNING, postgresql_where=IS_RUNNING)
Index("kolors_try_ons_shelved", C.account, C.id, sqlite_where=IS_SHELVED, postgresql_where=IS_SHELVED)

LINES = Table(
    "kolors_lines",
    METADATA,
    Column("account", String, primary_key=True),
    # The highest tag that was ever let in; nobody who comes now stands before it.
    Column("clock", BigInteger, nullable=False),
    Column("slots", Integer, nullable=False),
    # What the account was seen to have, until when that is believed; then it creeps up again.
    Column("learned_slots", Integer),
    Column("learned_until", Double),
)

FACTS = Table(
    "kolors_ledger",
    METADATA,
    Column("name", String, primary_key=True),
    Column("value", Double, nullable=False),
)
VERSION, PRUNED_AT, CLOCK = "schema_version", "pruned_at", "clock"
MARK = "mark"
"""A number that no other ledger has. Layouts do not differ in it: a ledger without one gets it when it is opened."""
SERVER_NOW = "server_now"
"""What a database server's clock shows; not stored."""
NEWEST = 1 + len(UPGRADES)
MARK_BITS = 48
"""As many as a number of the database keeps exactly."""

# As text, since it is asked in every transaction, and putting a statement together takes longer than answering it.
_FACTS = f"SELECT name, value FROM {FACTS.name}"  # noqa: S608  (a name of ours)
_FACTS_AND_TIME = f"{_FACTS} UNION ALL SELECT '{SERVER_NOW}', extract(epoch FROM clock_timestamp())::float8"  # noqa: S608
_NOTE = update(FACTS).where(FACTS.c.name == bindparam("fact")).values(value=bindparam("new_value"))


def prepare(connection: Connection, now: float, upgrades: Sequence[Upgrade] = UPGRADES) -> None:
    """Bring the database, new or old, to the newest layout. The caller holds the ledger's lock.

    Raises:
        LedgerError: It was written by a newer version of this program, or is no ledger.
    """
    newest = 1 + len(upgrades)
    if not inspect(connection).has_table(FACTS.name):
        METADATA.create_all(connection)
        facts = {VERSION: float(newest), PRUNED_AT: now, CLOCK: now}
        connection.execute(insert(FACTS), [{"name": name, "value": value} for name, value in facts.items()])
        return
    version = facts_of(connection, newest)[VERSION]
    if version < newest:
        for upgrade in upgrades[int(version) - 1 :]:
            upgrade(connection)
        note(connection, VERSION, newest)


def facts_of(connection: Connection, newest: int = NEWEST) -> dict[str, float]:
    """Return what the ledger knows of itself. Asked in each transaction, it keeps an older program out.

    Raises:
        LedgerError: A newer version of this program has changed its layout, or this is no ledger.
    """
    driver = sqlite_of(connection)
    rows = connection.exec_driver_sql(_FACTS_AND_TIME) if driver is None else driver.execute(_FACTS)
    facts = {name: float(value) for name, value in rows if value is not None}
    if VERSION not in facts or PRUNED_AT not in facts:
        raise LedgerError(
            f"The database has a table {FACTS.name} that is not this program's. Set KOLORS_LEDGER to another place."
        )
    if facts[VERSION] > newest:
        raise LedgerError(
            f"The ledger's layout {facts[VERSION]:.0f} is that of a newer kolors-mcp; this one knows {newest}. "
            "Install the newer one, or set KOLORS_LEDGER to another place."
        )
    return facts


def mark_of(connection: Connection) -> str:
    """Return what tells this ledger from all others, which it is given if it has none. The caller holds its lock."""
    number = facts_of(connection).get(MARK)
    if number is None:
        number = float(secrets.randbits(MARK_BITS))
        connection.execute(insert(FACTS), {"name": MARK, "value": number})
    return f"{int(number):0{MARK_BITS // 4}x}"


def note(connection: Connection, name: str, value: float) -> None:
    """Change a fact."""
    connection.execute(_NOTE, {"fact": name, "new_value": value})
