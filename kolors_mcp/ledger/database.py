"""The database under the ledger: SQLite in a file or in memory, or PostgreSQL. One way in for reads, one for writes."""

import hashlib
import logging
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

import anyio
import anyio.to_thread
from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event, func, make_url, select
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from kolors_mcp.errors import LedgerError
from kolors_mcp.ledger.failures import in_words
from kolors_mcp.wording import quoted

FORMS = "KOLORS_LEDGER takes sqlite:///PATH or postgresql://USER:PASSWORD@HOST/DATABASE."
SESSIONS = 4
"""Threads, and so connections, for reads; as many again for writes on PostgreSQL. SQLite writes one at a time."""
SILENCE = {"connect_timeout": 10, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
"""Seconds and probes after which a PostgreSQL server that has fallen silent is given up (libpq's parameters)."""
MIN_STOPPED_MILLISECONDS = 2000
"""The least that a process is silent within a transaction before it counts as stopped."""

SHRINKS = "PRAGMA auto_vacuum = INCREMENTAL"
INCREMENTAL = 2
"""How SQLite calls a file that can give pages back to the disk."""
REWRITTEN_BYTES = 32_000_000
"""Size of a file that is written anew in less than a second."""

logger = logging.getLogger(__name__)

T = TypeVar("T")
Work = Callable[[Connection], T]


class Database:
    """One open database. Every method raises `LedgerError`, in words, for whatever the database does."""

    def __init__(self, engine: Engine, place: str, file: Path | None = None) -> None:
        """Take an engine. `place` names it to people; `file` is the SQLite file, if there is one."""
        self.engine = engine
        self._reader = engine.execution_options(kolors_reading=True)
        self.place = place
        self._file = file
        self._identity = None if file is None else _identity(file)
        # Two writers of one file would only wait for each other.
        self._writing = anyio.CapacityLimiter(1 if engine.dialect.name == "sqlite" else SESSIONS)
        self._reading = anyio.CapacityLimiter(SESSIONS)

    @classmethod
    async def open(cls, url: str, patience: float) -> Self:
        """Open `sqlite:///PATH`, `sqlite://` (in memory) or `postgresql://...`; a file is made if it is missing.

        Args:
            url: The place; a password in it is never shown.
            patience: Seconds to wait for a lock that another process holds.
        """
        alone = anyio.CapacityLimiter(1)
        if url == "sqlite://":
            return cls(_in_memory(), "in memory")
        if url.startswith("sqlite:///"):
            # Whatever follows is the path: a question mark in a folder's name begins no query.
            path = url.removeprefix("sqlite:///")
            engine, file = await _guarded(quoted(path), alone, lambda: _in_file(path, patience))
            return cls(engine, quoted(str(file)), file)
        engine, place = await anyio.to_thread.run_sync(_on_server, url, patience, limiter=alone)
        return cls(engine, place)

    async def read(self, work: Work[T]) -> T:
        """Do `work` in a thread; it must not write."""

        def reading() -> T:
            with self._reader.connect() as connection:
                return work(connection)

        return await _guarded(self.place, self._reading, reading, self._driver_errors)

    async def write(self, work: Work[T], *, lock: str | None = None) -> T:
        """Do `work` in a thread, as one durable transaction; no other with the same `lock` overlaps it, anywhere."""

        def writing() -> T:
            if self._file is not None and _identity(self._file) != self._identity:
                raise LedgerError(
                    f"The ledger {self.place} was replaced or removed while in use. Start this server again."
                )
            with self.engine.begin() as connection:
                if lock is not None and connection.dialect.name == "postgresql":
                    # The next statement sees everything that earlier holders of the lock have committed.
                    connection.execute(select(func.pg_advisory_xact_lock(_number(lock))))
                return work(connection)

        return await _guarded(self.place, self._writing, writing, self._driver_errors)

    async def let_shrink(self) -> None:
        """Let a file of an older version give removed pages back to the disk, where that takes no time.

        The file is written anew for it, so a large one stays as it is, and so does one that is in use.
        """
        if self._file is not None:
            await _guarded(self.place, self._writing, self._let_shrink, self._driver_errors)

    def _let_shrink(self) -> None:
        with self._reader.connect() as connection:
            shrinks = connection.exec_driver_sql("PRAGMA auto_vacuum").scalar() == INCREMENTAL
        if shrinks or self._file is None or self._file.stat().st_size > REWRITTEN_BYTES:
            return
        # A connection of its own, which waits for nobody: SQLite does this outside of transactions only.
        connection = sqlite3.connect(self._file, isolation_level=None, timeout=0)
        try:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(SHRINKS)
            connection.execute("VACUUM")
        except sqlite3.OperationalError as error:
            logger.info("the ledger is in use, and does not learn to shrink now: %s", error)
        finally:
            connection.close()

    async def aclose(self) -> None:
        """Close the connections."""
        await _guarded(self.place, self._writing, self.engine.dispose, self._driver_errors)

    @property
    def _driver_errors(self) -> type[Exception]:
        # What fails while a connection is set up comes straight from the driver.
        return self.engine.dialect.loaded_dbapi.Error


async def _guarded(
    place: str, limiter: anyio.CapacityLimiter, work: Callable[[], T], driver_errors: type[Exception] = sqlite3.Error
) -> T:
    try:
        return await anyio.to_thread.run_sync(work, limiter=limiter)
    except (SQLAlchemyError, OSError, driver_errors) as error:
        raise LedgerError(in_words(error, place)) from error


def _in_memory() -> Engine:
    # The one connection is the database; whoever has it has it alone.
    engine = create_engine(
        "sqlite://",
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        connect_args={"check_same_thread": False},
        hide_parameters=True,
    )
    _hook_begin(engine)
    return engine


def _in_file(path: str, patience: float) -> tuple[Engine, Path]:
    if not path:
        raise LedgerError(f"KOLORS_LEDGER names no file. {FORMS}")
    file = Path(os.path.expanduser(path)).absolute()  # noqa: PTH111  (Path's own fails where there is no home)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # SQLite gives its log the mode of the file.
    os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    engine = create_engine(
        URL.create("sqlite", database=str(file)),
        pool_size=SESSIONS + 1,
        max_overflow=0,
        connect_args={"timeout": patience},
        hide_parameters=True,
    )
    _hook_begin(engine)
    try:
        _enable_wal(engine, patience)
    except BaseException:
        engine.dispose()
        raise
    return engine, file


def _hook_begin(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def connected(connection: Any, _record: Any) -> None:  # pyright: ignore[reportUnusedFunction] (SQLAlchemy calls it)
        # The driver begins transactions by rules of its own unless told not to.
        connection.isolation_level = None
        # A row is on the disk before the money is spent, whatever this SQLite was built with.
        connection.execute("PRAGMA synchronous = FULL")

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:  # pyright: ignore[reportUnusedFunction] (SQLAlchemy calls it)
        reading = connection.get_execution_options().get("kolors_reading")
        # A transaction that looks first and writes then must hold the write lock from its beginning.
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _enable_wal(engine: Engine, patience: float) -> None:
    """Turn on the write-ahead log, so that readers and a writer do not wait for each other.

    A file system that cannot have one keeps the rollback journal, which is as safe and slower.
    """
    until = time.monotonic() + patience
    connection = engine.raw_connection()
    try:
        while True:
            try:
                cursor = connection.cursor()
                # Has to come before the first page of a new file is written; an older file is left as it is.
                cursor.execute(SHRINKS)
                cursor.execute("PRAGMA journal_mode = WAL")
                cursor.close()
            except engine.dialect.loaded_dbapi.OperationalError:
                # SQLite does not wait here for another process that does the same.
                if time.monotonic() >= until:
                    raise
                time.sleep(0.01)
            else:
                return
    finally:
        connection.close()


def _on_server(url: str, patience: float) -> tuple[Engine, str]:
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
            pool_timeout=patience,
            pool_pre_ping=True,
            connect_args={name: value for name, value in SILENCE.items() if name not in parts.query},
            hide_parameters=True,
        )
    except ModuleNotFoundError:
        raise LedgerError(
            "KOLORS_LEDGER names a PostgreSQL database, and the driver for it is missing. "
            'Install "kolors-mcp[postgres]".'
        ) from None

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _record: Any) -> None:  # pyright: ignore[reportUnusedFunction] (SQLAlchemy calls it)
        milliseconds = round(patience * 1000)
        connection.autocommit = True
        connection.execute(f"SET lock_timeout = {milliseconds}")
        connection.execute(f"SET statement_timeout = {2 * milliseconds}")
        # A process that is stopped within a transaction loses its lock before those who wait for it give up; one that
        # is only slow does not, however little patience there is.
        stopped = max(milliseconds // 2, MIN_STOPPED_MILLISECONDS)
        connection.execute(f"SET idle_in_transaction_session_timeout = {stopped}")
        connection.autocommit = False

    host = parts.host or parts.query.get("host") or "the local server"
    return engine, quoted(f"{host}/{parts.database or ''}")


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _number(lock: str) -> int:
    # PostgreSQL's locks are 64-bit numbers shared by the whole database; a chance equal only makes somebody wait.
    return int.from_bytes(hashlib.sha256(b"kolors-mcp ledger\0" + lock.encode()).digest()[:8], "big", signed=True)
