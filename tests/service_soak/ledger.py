"""What the service has written down, read beside it: when each wish stood in line."""

import sqlite3
from contextlib import closing

import psycopg

NOTED = "SELECT reference, created_at FROM kolors_try_ons"


def noted_in(ledger: str) -> dict[str, float]:
    """Return for each reference when it was written down, in seconds since 1970.

    Args:
        ledger: The ledger's URL, as the service has it.
    """
    if ledger.startswith("sqlite:///"):
        with closing(sqlite3.connect(ledger.removeprefix("sqlite:///"))) as connection:
            return dict(connection.execute(NOTED))
    with psycopg.connect(ledger) as connection:
        return dict(connection.execute(NOTED).fetchall())
