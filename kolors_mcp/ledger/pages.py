"""What somebody has, a page at a time: the newest first, and nothing that came to nothing."""

from sqlalchemy import Connection, select

from kolors_mcp.ledger.job import Job
from kolors_mcp.ledger.rows import Whose, job_of, key
from kolors_mcp.ledger.schema import TRY_ONS, C


def page_of(connection: Connection, whose: Whose, first: int, most: int) -> list[Job]:
    """Return jobs from the `first` on, 0 being the newest."""
    mine = (C.user == key(whose.user), C.account == whose.account, C.state != "refused")
    rows = connection.execute(select(TRY_ONS).where(*mine).order_by(C.id.desc()).limit(most).offset(first))
    return [job_of(row) for row in rows]
