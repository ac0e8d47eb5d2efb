"""The connections of an open database, so that closing it leaves none open, also where one is still in use."""

import sqlite3
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import cast

from sqlalchemy import Connection, Engine


def sqlite_of(connection: Connection) -> sqlite3.Connection | None:
    """Return the driver's own connection to a SQLite database; None where it is another database.

    For what each transaction begins with: by way of SQLAlchemy it takes several times as long.
    """
    if connection.dialect.name != "sqlite":
        return None
    return cast("sqlite3.Connection", connection.connection.driver_connection)


class Connections:
    """Counts who works with an engine. Safe to use from any thread.

    A task that is cancelled leaves its thread at work. An engine that lets go of its connections then knows nothing of
    the one in that thread, which would stay open; so the last one to end lets go of them, too.
    """

    def __init__(self, engine: Engine) -> None:
        """Take an engine that has no other user."""
        self._engine = engine
        self._changing = threading.Condition()
        self._users = 0
        self._is_closed = False

    @contextmanager
    def in_use(self) -> Generator[None]:
        """Keep the engine's connections while the body works with them, even if it is closed meanwhile.

        What is still to be written after the end is written, and leaves no connection open either.
        """
        with self._changing:
            self._users += 1
        try:
            yield
        finally:
            with self._changing:
                self._users -= 1
                self._let_go()

    def close(self) -> None:
        """Close the connections: at once where none is in use, else when the last one ends. Never waits."""
        with self._changing:
            self._is_closed = True
            self._let_go()

    def wait_until_closed(self) -> None:
        """Close the connections, and wait for those who still work with one."""
        self.close()
        with self._changing:
            self._changing.wait_for(lambda: not self._users)

    def _let_go(self) -> None:
        # No other thread can begin meanwhile: a connection that is taken from a pool while that is replaced is lost.
        if not self._users:
            if self._is_closed:
                self._engine.dispose()
            self._changing.notify_all()
