"""Old rows leave the ledger a portion at a time, so that no call waits long for the removal of many."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial

from sqlalchemy import Connection, bindparam, delete, select, text

from kolors_mcp.errors import LedgerError
from kolors_mcp.ledger.schema import IS_OPEN, PRUNED_AT, TRY_ONS, C, note
from kolors_mcp.ledger.transactions import HOUSEKEEPING, Transactions

logger = logging.getLogger(__name__)

KEPT_FOR_SECONDS = 35 * 86400.0
"""Seconds for which a row is kept; Kling keeps results for 30 days (vendor)."""
PRUNE_EVERY_SECONDS = 86400.0
PORTION_ROWS = 1000
PAUSE_SECONDS = 0.05
"""After each portion. SQLite has no queue for its lock: a process that wants it looks again, every tenth of a second at
worst, and has to find it free."""

_OLDEST = select(C.id, C.created_at).where(C.id > bindparam("after")).order_by(C.id).limit(PORTION_ROWS)
_OLD = delete(TRY_ONS).where(C.id > bindparam("after"), C.id <= bindparam("upto"), C.created_at < bindparam("before"))
_SETTLED, _DOUBTS = _OLD.where(text(f"NOT ({IS_OPEN.text})")), _OLD.where(IS_OPEN)


class Pruner:
    """Removes old rows of one open ledger, once a day."""

    def __init__(self, transactions: Transactions, pruned_at: float, tick: Callable[[float], Awaitable[None]]) -> None:
        """Remove nothing yet. `pruned_at` is when that was last done, by whichever process; `tick` is the clock's."""
        self._transactions = transactions
        self._tick = tick
        self._pruned_at = pruned_at
        self.pruning: asyncio.Task[None] | None = None
        """The latest removal, which no call waits for."""

    async def aclose(self) -> None:
        """Leave what is left of a removal for another day."""
        if self.pruning is not None:
            self.pruning.cancel()
            await asyncio.wait((self.pruning,))

    async def prune(self) -> int:
        """Remove what is older than 35 days, doubts last; return how many rows that were."""
        removed = 0
        for doubts in (False, True):
            after: int | None = 0
            while after is not None:
                portion = partial(_old_portion, after=after, doubts=doubts)
                gone, after = await self._transactions.write(portion, lock=HOUSEKEEPING, synced=False)
                removed += gone
                if gone:
                    await self._tick(PAUSE_SECONDS)
        self._pruned_at = await self._transactions.write(_note_pruned, lock=HOUSEKEEPING, synced=False)
        return removed

    def prune_daily(self) -> None:
        """Begin to remove old rows, if that was not done within a day."""
        due = self._transactions.time.roughly >= self._pruned_at + PRUNE_EVERY_SECONDS
        if due and (self.pruning is None or self.pruning.done()):
            self.pruning = asyncio.create_task(self._prune_aside())

    async def _prune_aside(self) -> None:
        try:
            await self.prune()
        except LedgerError as error:
            # Old rows do no harm; a call that needs the ledger is told what is wrong with it.
            logger.warning("old rows were not removed: %s", error)
            self._pruned_at = self._transactions.time.roughly


def prune_portion(connection: Connection, before: float, after: int, *, doubts: bool) -> tuple[int, int | None]:
    """Remove what is old among the next rows.

    Args:
        connection: In a transaction.
        before: Older is what was reserved before this moment.
        after: The number of the last row of the portion before; 0 at the beginning.
        doubts: Whether those are meant of which it is not known what became of them; else all others are.

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


def _old_portion(connection: Connection, now: float, *, after: int, doubts: bool) -> tuple[int, int | None]:
    return prune_portion(connection, now - KEPT_FOR_SECONDS, after, doubts=doubts)


def _note_pruned(connection: Connection, now: float) -> float:
    note(connection, PRUNED_AT, now)
    return now
