"""Old rows leave the ledger a portion at a time, so that nobody waits long for the removal of many."""

from sqlalchemy import Connection, bindparam, delete, select, text

from kolors_mcp.ledger.schema import IS_OPEN, TRY_ONS, C

PORTION_ROWS = 1000

_OLDEST = select(C.id, C.created_at).where(C.id > bindparam("after")).order_by(C.id).limit(PORTION_ROWS)
_OLD = delete(TRY_ONS).where(C.id > bindparam("after"), C.id <= bindparam("upto"), C.created_at < bindparam("before"))
_SETTLED, _DOUBTS = _OLD.where(text(f"NOT ({IS_OPEN.text})")), _OLD.where(IS_OPEN)


def prune_portion(connection: Connection, before: float, after: int, *, doubts: bool) -> tuple[int, int | None]:
    """Remove what is old among the next rows.

    Args:
        connection: In a transaction.
        before: Older is what was reserved before this moment.
        after: The number of the last row of the portion before; 0 at the beginning.
        doubts: Whether those are meant of which nobody knows what became of them; else all others are.

    Returns:
        How many rows were removed, and after which row to go on; None if no older rows follow.
    """
    rows = connection.execute(_OLDEST, {"after": after}).all()
    # Rows are numbered in the order of time; where a clock was wrong, some old ones have to wait for their turn.
    if not any(row.created_at < before for row in rows):
        return 0, None
    upto = rows[-1].id
    found = connection.execute(_DOUBTS if doubts else _SETTLED, {"after": after, "upto": upto, "before": before})
    if connection.dialect.name == "sqlite" and found.rowcount:
        # Gives the free pages back to the disk: one each time, since the driver takes only the first step of it.
        for _ in range(connection.exec_driver_sql("PRAGMA freelist_count").scalar_one()):
            connection.exec_driver_sql("PRAGMA incremental_vacuum").close()
    return found.rowcount, upto
