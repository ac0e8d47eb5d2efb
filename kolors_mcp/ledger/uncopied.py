"""Finished try-ons of which there is no copy: they are looked at again, by whoever comes to it, until there is one.

Whoever saw them finished tries first, and may have died over it. When the next look is due stands in the row, as it
does of what runs, so that replicas share the work.
"""

from sqlalchemy import Connection, String, bindparam, cast, func, or_, select, update

from kolors_mcp.ledger.job import Job
from kolors_mcp.ledger.rows import JOB_COLUMNS, job_of
from kolors_mcp.ledger.running import KEPT_SECONDS
from kolors_mcp.ledger.schema import TRY_ONS, C

FIRST_AFTER_SECONDS = 900.0
"""After the end of a try-on: whoever saw it makes the copy in that time, if it can be made."""
AGAIN_AFTER_SECONDS = 3600.0
NEWEST_ROWS = 10_000
"""Among which they are looked for, since no index has them. What is older is copied when a call looks at it."""

_NEWEST = select(func.max(C.id) - NEWEST_ROWS).scalar_subquery()
_DUE = (
    select(*JOB_COLUMNS)
    .where(
        C.id > _NEWEST,
        C.account == bindparam("account"),
        C.state == "created",
        C.status == "succeed",
        cast(C.saved, String) == "{}",
        C.final_at > bindparam("now") - KEPT_SECONDS,
        C.final_at <= bindparam("now") - FIRST_AFTER_SECONDS,
        or_(C.look_at.is_(None), C.look_at <= bindparam("now")),
    )
    .order_by(C.id)
    .limit(bindparam("most"))
)
_TAKE = (
    update(TRY_ONS)
    .where(C.reference == bindparam("ours"), C.look_at.is_not_distinct_from(bindparam("seen")))
    .values(look_at=bindparam("next_look"))
)


def take_uncopied(connection: Connection, now: float, account: str | None, most: int) -> list[Job]:
    """Take the looks that are due, the oldest first; no other process takes the same ones."""
    taken: list[Job] = []
    for row in connection.execute(_DUE, {"account": account, "now": now, "most": most}).all():
        mine = {"ours": row.reference, "seen": row.look_at, "next_look": now + AGAIN_AFTER_SECONDS}
        if connection.execute(_TAKE, mine).rowcount:
            taken.append(job_of(row))
    return taken
