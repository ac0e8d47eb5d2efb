"""What people call their try-ons, and which are found by it: whatever its case, and only those of one user."""

from sqlalchemy import Connection, bindparam

from kolors_mcp.ledger.job import Job
from kolors_mcp.ledger.rows import NEWEST, Whose, job_of
from kolors_mcp.ledger.schema import IS_LABELLED, C
from kolors_mcp.models import MAX_LABEL_CHARACTERS
from kolors_mcp.wording import folded, plain

_LABELLED = NEWEST.where(C.label_key == bindparam("label"), IS_LABELLED, C.state != "refused").limit(bindparam("most"))


def written(label: str | None) -> str | None:
    """Return a label as it is written down; None where nothing of it can be seen."""
    return None if label is None else plain(label, MAX_LABEL_CHARACTERS) or None


def key_of(label: str | None) -> str | None:
    """Return what a label is looked for by."""
    return None if label is None else folded(label)


def labelled(connection: Connection, whose: Whose, label: str, most: int) -> list[Job]:
    """Return the jobs that people call so, the newest first. What came to nothing is no try-on, whatever its label."""
    called = {**whose.bound, "label": key_of(label), "most": most}
    return [job_of(row) for row in connection.execute(_LABELLED, called)]
