"""What a failing database means, in words: what is wrong with the ledger, and what to do."""

import sqlite3

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from kolors_mcp.wording import quoted

LOCKED = (
    "is locked: another program has been writing to it for too long",
    "Try again; if it stays, end the other program.",
)
FULL = ("cannot grow: the disk is full", "Make room, then try again.")
DAMAGED = (
    "is damaged, or is no ledger; it was left as it is",
    "Move the file away, or set KOLORS_LEDGER to another place.",
)
NO_PERMISSION = (
    "may not be written by this program",
    "Mend its permissions, or set KOLORS_LEDGER to another place.",
)
NOT_OPENED = (
    "cannot be opened",
    "Check that KOLORS_LEDGER names a file in a folder that this program may write to.",
)
NOT_REACHED = (
    "cannot be reached",
    "Check that the server runs and that KOLORS_LEDGER names it, its database, user and password rightly.",
)
OVERLOADED = ("has no free connection", "Try again in a moment; if it stays, let the server take more connections.")
ENDED = ("was cut off by its server", "Try again in a moment.")
FAULTY = ("failed", "Try again; if it stays, set KOLORS_LEDGER to another place.")

SQLITE = {
    sqlite3.SQLITE_BUSY: LOCKED,
    sqlite3.SQLITE_LOCKED: LOCKED,
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: DAMAGED,
    sqlite3.SQLITE_READONLY: NO_PERMISSION,
    sqlite3.SQLITE_PERM: NO_PERMISSION,
    sqlite3.SQLITE_AUTH: NO_PERMISSION,
    sqlite3.SQLITE_CANTOPEN: NOT_OPENED,
}
"""By SQLite's primary result code."""

POSTGRESQL = {
    "08": NOT_REACHED,
    "42501": NO_PERMISSION,
    "25006": NO_PERMISSION,
    "53100": FULL,
    "53": OVERLOADED,
    "55P03": LOCKED,
    "57014": LOCKED,
    "57P": ENDED,
}
"""By SQLSTATE, or the beginning of it (PostgreSQL documentation, appendix A)."""


def in_words(error: Exception, place: str) -> str:
    """Say what the error means for the ledger at `place`, and what to do.

    The driver's own text is left out, since it may hold parts of a row, except where a server could not be reached or
    did not let us in: then there is no row yet, and nothing else says why.
    """
    cause: BaseException | None = error.orig if isinstance(error, DBAPIError) else error
    what, remedy, kind = FAULTY[0], FAULTY[1], type(cause).__name__
    if isinstance(cause, sqlite3.Error):
        # Errors of Python's own making, such as one of a closed connection, have no code.
        code = getattr(cause, "sqlite_errorcode", None)
        kind = getattr(cause, "sqlite_errorname", kind)
        what, remedy = SQLITE.get(code & 0xFF if code is not None else -1, FAULTY)
    elif isinstance(cause, PermissionError):
        what, remedy = NO_PERMISSION
    elif isinstance(cause, OSError):
        what, remedy = NOT_OPENED
    elif isinstance(error, PoolTimeoutError):
        what, remedy = OVERLOADED
    elif isinstance(state := getattr(cause, "sqlstate", None), str):
        kind = f"SQLSTATE {state}"
        what, remedy = next((POSTGRESQL[state[:n]] for n in (5, 3, 2) if state[:n] in POSTGRESQL), FAULTY)
    elif kind == "OperationalError":
        # While connecting the driver gives no code, whatever the server said.
        what, remedy = NOT_REACHED
        kind = quoted(str(cause), 300)
    return f"The ledger {place} {what} ({kind}). {remedy}"
