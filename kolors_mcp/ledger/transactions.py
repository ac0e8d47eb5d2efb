"""Work on the ledger's database that is told what time it is; a layout that has become newer keeps it out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Connection

from kolors_mcp.ledger.database import Database
from kolors_mcp.ledger.schema import CLOCK, SERVER_NOW, facts_of
from kolors_mcp.ledger.timing import LedgerTime

HOUSEKEEPING = "housekeeping"
"""The lock for what concerns the ledger as a whole; a reservation locks its user."""

T = TypeVar("T")
Timed = Callable[[Connection, float], T]
"""Work in a transaction, given what time it is."""


@dataclass(frozen=True)
class Transactions:
    """The transactions of one open ledger. They raise `LedgerError` where the database fails."""

    database: Database
    time: LedgerTime

    async def read(self, work: Timed[T]) -> T:
        """Do work that writes nothing."""
        return await self.database.read(lambda connection: self._timed(connection, work))

    async def write(self, work: Timed[T], *, lock: str | Sequence[str] = (), synced: bool = True) -> T:
        """Do work as one transaction, as `Database.write` says."""
        return await self.database.write(lambda connection: self._timed(connection, work), lock=lock, synced=synced)

    async def change(self, work: Timed[T], *, synced: bool = True) -> T:
        """Do work that changes something by one statement, or by several of which each may come alone."""
        return await self.database.write(lambda connection: self._timed(connection, work), synced=synced, in_one=True)

    def _timed(self, connection: Connection, work: Timed[T]) -> T:
        # Read under the lock, so that times rise in the order of the rows.
        facts = facts_of(connection)
        return work(connection, self.time.now(facts[CLOCK], facts.get(SERVER_NOW)))
