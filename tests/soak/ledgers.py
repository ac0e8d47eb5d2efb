"""Where the servers of a world write down what they pay for: a file, or a schema of a PostgreSQL started here."""

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.postgres import running

DATABASES = ("sqlite", "postgresql")

Ledgers = Callable[[str, Path], str]
"""The kind of database, and a folder of the world's: the URL of a new, empty ledger."""


@contextmanager
def ledgers(databases: Sequence[str]) -> Generator[Ledgers]:
    """Start what the databases need, and stop it in the end.

    Raises:
        RuntimeError: There is no PostgreSQL that can be started.
    """
    with ExitStack() as stack:
        server = stack.enter_context(running()) if "postgresql" in databases else None

        def empty(database: str, folder: Path) -> str:
            if database == "sqlite":
                return f"sqlite:///{folder / 'ledger.sqlite3'}"
            assert server is not None
            return server.empty()

        yield empty
