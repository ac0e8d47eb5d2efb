"""What becomes of creates, written down, and whoever waits for it in a service is woken."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from kolors_mcp.errors import LedgerError
from kolors_mcp.ledger import outcomes
from kolors_mcp.ledger.lookups import Account, Lookups
from kolors_mcp.ledger.states import JobState
from kolors_mcp.ledger.transactions import Transactions
from kolors_mcp.models import FINAL
from kolors_mcp.wording import plain

if TYPE_CHECKING:
    from kolors_mcp.ledger.line import LedgerLine


class Records(Lookups):
    """What the ledger is told of creates that were reserved."""

    def __init__(self, transactions: Transactions, account: Account) -> None:
        """Take where to write, and for whose creates."""
        super().__init__(transactions, account)
        self.database = transactions.database
        self.line: LedgerLine | None = None
        """The account's line, where there is one."""

    async def created(
        self,
        reference: str,
        task_id: str,
        status: str | None,
        units: float | None = None,
        finished_at: float | None = None,
    ) -> None:
        """Write down that Kling has the task. Whatever was thought before, this is the truth and stays.

        Args:
            reference: Of the create.
            task_id: Kling's.
            status: Kling's word for it.
            units: What it cost, if it has ended.
            finished_at: When it ended, by Kling's clock, if it has.

        Raises:
            LedgerError: The reference was never reserved.
        """
        task = outcomes.Seen(task_id, status, units, finished_at)
        if not await self._change(reference, "created", lambda now: {**task.named, **task.values(now)}):
            await self._see(task)

    async def refused(self, reference: str, code: int | None = None, *, shows_in_seconds: float = 0.0) -> None:
        """Write down that nothing was created, and when Kling would show it otherwise. Leaves a created one as it is.

        Raises:
            LedgerError: The reference was never reserved.
        """
        await self._change(reference, "refused", lambda now: {"code": code, "look_at": now + shows_in_seconds})

    async def unconfirmed(self, reference: str) -> None:
        """Write down that the outcome of the sending is not known. Has no effect once it is.

        Raises:
            LedgerError: The reference was never reserved.
        """
        await self._change(reference, "unconfirmed", lambda _now: {})

    async def seen(
        self, task_id: str, status: str | None, units: float | None = None, finished_at: float | None = None
    ) -> None:
        """Write down how a task stands, as `created`; a final word stays, and so does its price.

        Tasks that are not in the ledger are passed over.
        """
        await self._see(outcomes.Seen(task_id, status, units, finished_at))

    async def saved(self, reference_or_task_id: str, index: int, path: str) -> None:
        """Write down where a picture of a created task was saved. What is not in the ledger is passed over."""
        created = outcomes.created_and_named(reference_or_task_id, self._account())
        await self._transactions.write(partial(outcomes.write_saved, which=created, index=index, path=path))

    async def _see(self, task: outcomes.Seen) -> None:
        if task.status is None:
            return
        has_ended = task.status in FINAL

        def seeing(connection: Connection, now: float) -> None:
            task.write(connection, now, self._account())
            self._tell(connection, task.task_id, moves_line=has_ended)

        await self._transactions.change(seeing, synced=False)
        self._wake(task.task_id, moves_line=has_ended)

    async def _change(self, reference: str, state: JobState, values: Callable[[float], dict[str, Any]]) -> bool:
        """Bring a job into a state, if it may come there from the one that it is in; return whether it did."""

        def changing(connection: Connection, now: float) -> bool:
            if outcomes.bring_into(connection, now, reference, state, values(now)):
                self._tell(connection, reference, moves_line=True)
                return True
            if not outcomes.is_known(connection, reference):
                raise LedgerError(f"The ledger {self.database.place} has no entry {plain(reference, 80)}.")
            return False

        has_changed = await self._transactions.change(changing)
        if has_changed:
            self._wake(reference, moves_line=True)
        return has_changed

    def _tell(self, connection: Connection, name: str, *, moves_line: bool) -> None:
        if self.line is not None:
            self.line.wakes.tell(connection, name, moves_line=moves_line)

    def _wake(self, name: str, *, moves_line: bool) -> None:
        if self.line is not None:
            self.line.wakes.wake(name, moves_line=moves_line)
