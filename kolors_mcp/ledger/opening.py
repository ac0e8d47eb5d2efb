"""The engine for each place that a ledger can be at, set up so that what has to be on the disk is there."""

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from kolors_mcp.errors import LedgerError
from kolors_mcp.ledger.connections import sqlite_of
from kolors_mcp.wording import quoted

FORMS = "KOLORS_LEDGER takes sqlite:///PATH or postgresql://USER:PASSWORD@HOST/DATABASE."
SESSIONS = 4
"""Threads, and so connections, for reads; as many again for writes on PostgreSQL. SQLite writes one at a time."""
SILENCE = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""After which a PostgreSQL server that has fallen silent is given up (libpq's parameters; the last in milliseconds).

Probes are sent only while nothing else is under way. What was sent and is not confirmed, such as a statement to a host
that has just lost its power, is repeated by Linux for a quarter of an hour unless the last one says otherwise.
"""
MIN_STOPPED_MILLISECONDS = 2000
"""The least that a process is silent within a transaction before it counts as stopped."""
HAS_LOG, WAITS = "has_log", "waits"
"""What is known of a connection: whether its file has a write-ahead log, and for what it waits."""
SHRINKS = "PRAGMA auto_vacuum = INCREMENTAL"
"""Makes a SQLite file one that can give pages back to the disk."""


def require_place(url: str) -> None:
    """Refuse what names no ledger that can ever be opened; whether one can be reached now is not asked.

    Raises:
        LedgerError: It is no such URL, or the driver for it is missing.
    """
    if url in ("sqlite:///", "sqlite:////"):
        raise LedgerError(f"KOLORS_LEDGER names no file. {FORMS}")
    if url != "sqlite://" and not url.startswith("sqlite:///"):
        on_server(url, 0.0)[0].dispose()


def in_memory() -> Engine:
    """Return the engine of a database that ends with it."""
    # The one connection is the database; it is used by one at a time.
    engine = create_engine(
        "sqlite://",
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        connect_args={"check_same_thread": False},
        hide_parameters=True,
    )
    _hook_connect(engine)
    return engine


def in_file(path: str, max_wait_seconds: float) -> tuple[Engine, Path]:
    """Return the engine of a SQLite file, which is made if it is missing, and where it is. No connection is open yet.

    Raises:
        LedgerError: No file is named.
        OSError: The file cannot be made.
        sqlite3.Error: It is no database, or locked for longer than `max_wait_seconds`.
    """
    if not path:
        raise LedgerError(f"KOLORS_LEDGER names no file. {FORMS}")
    file = Path(os.path.expanduser(path)).absolute()  # noqa: PTH111  (Path's own fails where there is no home)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # SQLite gives its log the mode of the file.
    os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    _enable_wal(file, max_wait_seconds)
    engine = create_engine(
        URL.create("sqlite", database=str(file)),
        pool_size=SESSIONS + 1,
        max_overflow=0,
        connect_args={"timeout": max_wait_seconds},
        hide_parameters=True,
    )
    _hook_connect(engine)
    return engine, file


def _hook_connect(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def connected(connection: Any, record: Any) -> None:  # pyright: ignore[reportUnusedFunction] (SQLAlchemy calls it)
        # The driver begins transactions by rules of its own unless told not to.
        connection.isolation_level = None
        # Whatever this SQLite was built with.
        connection.execute("PRAGMA synchronous = FULL")
        record.info[WAITS] = "FULL"
        record.info[HAS_LOG] = connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def begin(connection: Connection, *, synced: bool) -> None:
    """Begin a transaction that writes: SQLAlchemy leaves SQLite's to us. Reads go without, as with a server.

    Args:
        connection: To any database; with a server nothing is left to do.
        synced: Whether what it writes must be on the disk when it ends.
    """
    driver = sqlite_of(connection)
    if driver is None:
        return
    about = connection.info
    # Only in a write-ahead log nothing is damaged by it, and the next one that waits for the disk brings it along.
    waits = "FULL" if synced or not about[HAS_LOG] else "NORMAL"
    if about[WAITS] != waits:
        driver.execute(f"PRAGMA synchronous = {waits}")
        about[WAITS] = waits
    # A transaction that looks first and writes then must hold the write lock from its beginning.
    driver.execute("BEGIN IMMEDIATE")


def _enable_wal(file: Path, max_wait_seconds: float) -> None:
    """Turn on the write-ahead log, so that readers and a writer do not wait for each other.

    A file system that cannot have one keeps the rollback journal, which is as safe and slower.
    """
    until = time.monotonic() + max_wait_seconds
    with closing(sqlite3.connect(file, isolation_level=None, timeout=max_wait_seconds)) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        while True:
            try:
                # Has to come before the first page of a new file is written; an older file is left as it is.
                connection.execute(SHRINKS)
                connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError:
                # SQLite does not wait here for another process that does the same.
                if time.monotonic() >= until:
                    raise
                time.sleep(0.01)
            else:
                return


def silence_for(parts: URL) -> dict[str, int]:
    """Return how long a server may be silent, as far as its URL does not say so itself."""
    return {name: value for name, value in SILENCE.items() if name not in parts.query}


def on_server(url: str, max_wait_seconds: float) -> tuple[Engine, str]:
    """Return the engine of a PostgreSQL database, and how to name it without the password. Nothing is connected yet.

    Raises:
        LedgerError: The URL cannot be used, or the driver is missing.
    """
    try:
        parts = make_url(url)
    except (ArgumentError, ValueError):
        raise LedgerError(f"KOLORS_LEDGER is no URL that can be read. {FORMS}") from None
    if parts.drivername not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise LedgerError(f"KOLORS_LEDGER begins with {quoted(parts.drivername, 40)}. {FORMS}")
    try:
        engine = create_engine(
            parts.set(drivername="postgresql+psycopg"),
            # Under a stricter level a transaction would not see what was committed while it waited for its lock.
            isolation_level="READ COMMITTED",
            pool_size=SESSIONS,
            max_overflow=SESSIONS,
            pool_timeout=max_wait_seconds,
            connect_args=silence_for(parts),
            hide_parameters=True,
        )
    except ModuleNotFoundError:
        raise LedgerError(
            "KOLORS_LEDGER names a PostgreSQL database, and the driver for it is missing. "
            'Install "kolors-mcp[postgres]".'
        ) from None

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _record: Any) -> None:  # pyright: ignore[reportUnusedFunction] (SQLAlchemy calls it)
        milliseconds = round(max_wait_seconds * 1000)
        connection.autocommit = True
        connection.execute(f"SET lock_timeout = {milliseconds}")
        connection.execute(f"SET statement_timeout = {2 * milliseconds}")
        # A process that is stopped within a transaction loses its lock before those who wait for it give up; one that
        # is only slow does not, however short the wait is.
        stopped = max(milliseconds // 2, MIN_STOPPED_MILLISECONDS)
        connection.execute(f"SET idle_in_transaction_session_timeout = {stopped}")
        connection.autocommit = False

    host = parts.host or parts.query.get("host") or "the local server"
    return engine, quoted(f"{host}/{parts.database or ''}")
