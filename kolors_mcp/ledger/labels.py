"""What people call their try-ons, and which are found by it: whatever its case, and only those of one user."""

from sqlalchemy import Connection, and_

from kolors_mcp.ledger.job import Job
from kolors_mcp.ledger.rows import Whose, key, newest
from kolors_mcp.ledger.schema import IS_LABELLED, C
from kolors_mcp.models import MAX_LABEL_CHARACTERS
from kolors_mcp.wording import folded, plain


def written(label: str | None) -> str | None:
    """Return a label as it is written down; None where nothing of it can be seen."""
    return None if label is None else plain(label, MAX_LABEL_CHARACTERS) or None


def key_of(label: str | None) -> str | None:
    """Return what a label is looked for by."""
    return None if label is None else folded(label)


def labelled(connection: Connection, whose: Whose, label: str, most: int) -> list[Job]:
    """Return the jobs that people call so, the newest first. What came to nothing is no try-on, whatever its label."""
    return newest(
        connection,
        and_(
            C.user == key(whose.user),
            C.account == whose.account,
            C.label_key == key_of(label),
            IS_LABELLED,
            C.state != "refused",
        ),
        most,
    )
