"""How the ledger is laid out in a database, and how an older layout becomes the newest."""

from collections.abc import Callable, Sequence

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    Double,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    insert,
    inspect,
    select,
    update,
)

from kolors_mcp.errors import LedgerError
from kolors_mcp.ledger.states import STATES

METADATA = MetaData()

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
    Column("state", String, nullable=False),
    Column("task_id", String),
    Column("status", String),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("labels", JSON, nullable=False),
    Column("notes", JSON, nullable=False),
    Column("saved", JSON, nullable=False),
    Column("code", Integer),
    CheckConstraint(f"state in ({', '.join(map(repr, STATES))})", "kolors_try_ons_state"),
)
Index("kolors_try_ons_wish", TRY_ONS.c.user, TRY_ONS.c.fingerprint)
Index("kolors_try_ons_day", TRY_ONS.c.user, TRY_ONS.c.created_at)
Index("kolors_try_ons_task", TRY_ONS.c.task_id)

FACTS = Table(
    "kolors_ledger",
    METADATA,
    Column("name", String, primary_key=True),
    Column("value", Double, nullable=False),
)
VERSION, PRUNED_AT = "schema_version", "pruned_at"

Upgrade = Callable[[Connection], None]
UPGRADES: tuple[Upgrade, ...] = ()
"""The first makes version 2 of version 1, and so on. `METADATA` is always the newest version."""


def prepare(connection: Connection, now: float, upgrades: Sequence[Upgrade] = UPGRADES) -> None:
    """Bring the database, new or old, to the newest layout. The caller holds the ledger's lock.

    Raises:
        LedgerError: It was written by a newer version of this program, or is no ledger.
    """
    newest = 1 + len(upgrades)
    if not inspect(connection).has_table(FACTS.name):
        METADATA.create_all(connection)
        facts = {VERSION: float(newest), PRUNED_AT: now}
        connection.execute(insert(FACTS), [{"name": name, "value": value} for name, value in facts.items()])
        return
    version = fact(connection, VERSION)
    if version > newest:
        raise LedgerError(
            f"The ledger's layout {version:.0f} is that of a newer kolors-mcp; this one knows {newest}. "
            "Install the newer one, or set KOLORS_LEDGER to another place."
        )
    if version < newest:
        for upgrade in upgrades[int(version) - 1 :]:
            upgrade(connection)
        note(connection, VERSION, newest)


def fact(connection: Connection, name: str) -> float:
    """Return what the ledger knows of itself by this name.

    Raises:
        LedgerError: There is no such fact, so this is no ledger.
    """
    value = connection.scalar(select(FACTS.c.value).where(FACTS.c.name == name))
    if value is None:
        raise LedgerError(
            f"The database has a table {FACTS.name} that is not this program's. Set KOLORS_LEDGER to another place."
        )
    return float(value)


def note(connection: Connection, name: str, value: float) -> None:
    """Change a fact."""
    connection.execute(update(FACTS).where(FACTS.c.name == name).values(value=value))
