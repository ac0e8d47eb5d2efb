"""The database under the ledger: SQLite in a file or in memory, or PostgreSQL. One way in for reads, one for writes."""

import hashlib
import logging
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from kolors_mcp.errors import LedgerError
from kolors_mcp.ledger.connections import Connections
from kolors_mcp.ledger.failures import in_words
from kolors_mcp.ledger.opening import SESSIONS, SHRINKS, begin, in_file, in_memory, on_server
from kolors_mcp.threads import AtOnce, Threads, Workers
from kolors_mcp.wording import quoted

INCREMENTAL = 2
"""How SQLite calls a file that can give pages back to the disk."""
REWRITTEN_BYTES = 32_000_000
"""Size of a file that is written anew in less than a second."""

logger = logging.getLogger(__name__)

T = TypeVar("T")
Work = Callable[[Connection], T]


class Database:
    """One open database. Every method raises `LedgerError`, in words, for whatever the database does.

    Where the connection to a server is lost in the middle, it is not known whether the work was committed; it is then
    done once more, on a new connection. So all work has to be such that twice is as good as once.
    """

    def __init__(self, engine: Engine, place: str, file: Path | None = None) -> None:
        """Take an engine. `place` names it to people; `file` is the SQLite file, if there is one."""
        self.engine = engine
        self._connections = Connections(engine)
        self._is_server = engine.dialect.name == "postgresql"
        # Each statement sees what is committed by then, in a transaction or not; without one, two trips are saved.
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT") if self._is_server else engine
        self.place = place
        self._file = file
        self._identity = None if file is None else _identity(file)
        is_in_memory = file is None and not self._is_server
        # Two writers of one file would only wait for each other.
        self._writing: Workers = AtOnce() if is_in_memory else Threads(SESSIONS if self._is_server else 1)
        self._reading: Workers = AtOnce() if is_in_memory else Threads(SESSIONS)
        # Not behind those who work.
        self._closing: Workers = AtOnce() if is_in_memory else Threads(1)

    @classmethod
    async def open(cls, url: str, max_wait_seconds: float) -> Self:
        """Open `sqlite:///PATH`, `sqlite://` (in memory) or `postgresql://...`; a file is made if it is missing.

        Args:
            url: The place; a password in it is never shown.
            max_wait_seconds: Seconds to wait for a lock that another process holds.
        """
        alone = Threads(1)
        if url == "sqlite://":
            return cls(in_memory(), "in memory")
        if url.startswith("sqlite:///"):
            # Whatever follows is the path: a question mark in a folder's name begins no query.
            path = url.removeprefix("sqlite:///")
            engine, file = await _guarded(quoted(path), alone, lambda: in_file(path, max_wait_seconds))
            return cls(engine, quoted(str(file)), file)
        engine, place = await alone.run(on_server, url, max_wait_seconds)
        return cls(engine, place)

    async def read(self, work: Work[T]) -> T:
        """Do `work` in a thread, or at once where it waits for nothing; it must not write."""

        def reading() -> T:
            with self._connections.in_use(), self._reader.connect() as connection:
                return work(connection)

        return await _guarded(self.place, self._reading, partial(_again_if_lost, reading), self._driver_errors)

    async def write(
        self, work: Work[T], *, lock: str | Sequence[str] = (), synced: bool = True, in_one: bool = False
    ) -> T:
        """Do `work` in a thread, or at once where it waits for nothing, as one transaction.

        Args:
            work: What is done.
            lock: No other with the same one overlaps it, anywhere; of several, each is taken in their order.
            synced: Whether it is on the disk when this returns. Otherwise it is there no later than the next one that
                is: a process that is killed loses nothing, a power cut may take it. PostgreSQL does as it is set up.
            in_one: Whether all that it changes is changed by one statement, which a server commits by itself.
        """
        engine = self._reader if in_one else self.engine

        def writing() -> T:
            if self._file is not None and _identity(self._file) != self._identity:
                raise LedgerError(
                    f"The ledger {self.place} was replaced or removed while in use. Start this server again."
                )
            with self._connections.in_use(), engine.begin() as connection:
                begin(connection, synced=synced)
                for name in (lock,) if isinstance(lock, str) else lock:
                    if self._is_server:
                        # The next statement sees everything that earlier holders of the lock have committed.
                        connection.execute(select(func.pg_advisory_xact_lock(_number(name))))
                return work(connection)

        return await _guarded(self.place, self._writing, partial(_again_if_lost, writing), self._driver_errors)

    async def let_shrink(self) -> None:
        """Let a file of an older version give removed pages back to the disk, where that takes no time.

        The file is written anew for it, so a large one stays as it is, and so does one that is in use.
        """
        if self._file is not None:
            await _guarded(self.place, self._writing, self._let_shrink, self._driver_errors)

    def _let_shrink(self) -> None:
        with self._connections.in_use(), self.engine.connect() as connection:
            shrinks = connection.exec_driver_sql("PRAGMA auto_vacuum").scalar() == INCREMENTAL
        if shrinks or self._file is None or self._file.stat().st_size > REWRITTEN_BYTES:
            return
        # A connection of its own, outside of any transaction: SQLite does this outside of transactions only.
        with closing(sqlite3.connect(self._file, isolation_level=None, timeout=0)) as connection:
            try:
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute(SHRINKS)
                connection.execute("VACUUM")
            except sqlite3.OperationalError as error:
                logger.info("the ledger is in use, and does not learn to shrink now: %s", error)

    def close(self) -> None:
        """Close the connections, those that are at work as soon as they have ended. Never waits."""
        self._connections.close()

    async def aclose(self) -> None:
        """Close the connections, and wait for those that are at work; the database's own time-outs end each."""
        await _guarded(self.place, self._closing, self._connections.wait_until_closed, self._driver_errors)

    @property
    def _driver_errors(self) -> type[Exception]:
        # What fails while a connection is set up comes straight from the driver.
        return self.engine.dialect.loaded_dbapi.Error


async def _guarded(
    place: str, threads: Workers, work: Callable[[], T], driver_errors: type[Exception] = sqlite3.Error
) -> T:
    try:
        return await threads.run(work)
    except (SQLAlchemyError, OSError, driver_errors) as error:
        raise LedgerError(in_words(error, place)) from error


def _again_if_lost(work: Callable[[], T]) -> T:
    try:
        return work()
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        logger.info("the connection to the ledger was lost, and what was under way is done again")
        return work()


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _number(lock: str) -> int:
    # PostgreSQL's locks are 64-bit numbers shared by the whole database; an equal one only makes another program wait.
    return int.from_bytes(hashlib.sha256(b"kolors-mcp ledger\0" + lock.encode()).digest()[:8], "big", signed=True)
