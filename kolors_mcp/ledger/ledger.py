"""The ledger: one row for every paid create, written before it is sent, so that none is paid twice and none is lost."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import Connection

from kolors_mcp.clock import Clock
from kolors_mcp.errors import LedgerError
from kolors_mcp.ledger import evidence, leases, outcomes
from kolors_mcp.ledger.database import Database
from kolors_mcp.ledger.doubt import Doubt, Look
from kolors_mcp.ledger.job import NewJob, Refusals, Reservation
from kolors_mcp.ledger.lookups import Account, Lookups
from kolors_mcp.ledger.pruning import Pruner
from kolors_mcp.ledger.reserving import Reserving
from kolors_mcp.ledger.rows import ADOPT, key
from kolors_mcp.ledger.schema import CLOCK, PRUNED_AT, facts_of, note, prepare
from kolors_mcp.ledger.states import JobState
from kolors_mcp.ledger.timing import LedgerTime
from kolors_mcp.ledger.transactions import HOUSEKEEPING, Transactions
from kolors_mcp.wording import plain

if TYPE_CHECKING:
    import asyncio


class Ledger(Lookups):
    """What was asked for, by whom, and what came of it. Safe to share between tasks, processes and replicas.

    Every method raises `LedgerError` where the database fails; its text does not say whether anything was billed.
    A user's jobs are seen by no other user, and by the same user only while the account in use is theirs. A program
    that has the ledger open when a newer one changes its layout can do nothing with it any more.
    """

    def __init__(self, transactions: Transactions, account: Account, pruner: Pruner) -> None:
        """Use `open` instead: it makes sure that the database fits."""
        super().__init__(transactions, account)
        self.database = transactions.database
        self._pruner = pruner
        self.holder = secrets.token_hex(8)
        """Tells the one who has this ledger open from all others, as whose the creates are written down."""

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        clock: Clock,
        account: Account,
        kling_time: Callable[[], float | None] = lambda: None,
        server_time: Callable[[], float] | None = None,
        max_wait_seconds: float = 10.0,
    ) -> Self:
        """Open the ledger, make it if it is missing, bring an older one up to date, and prune it once a day.

        Args:
            url: `sqlite:///PATH`, `sqlite://` for one that ends with the process, or `postgresql://...`.
            clock: Its wall clock is the time in every row, unless the database has a clock or this one has jumped.
            account: Asked at each use, since keys may change. Rows from before there were accounts become those of
                the first account that opens the ledger.
            kling_time: What Kling's clock shows, as far as that is known; a clock that has jumped is believed only
                where it agrees.
            server_time: In place of the clock of a database server; for tests.
            max_wait_seconds: Seconds to wait for another process that writes.

        Raises:
            LedgerError: It cannot be opened, or a newer version wrote it.
        """
        database = await Database.open(url, max_wait_seconds)

        time = LedgerTime(clock.wall, clock.monotonic, kling_time, server_time, has_server=not url.startswith("sqlite"))

        def opened(connection: Connection) -> float:
            prepare(connection, clock.wall())
            if (opening := account()) is not None:
                connection.execute(ADOPT, {"new_account": opening})
            facts = facts_of(connection)
            time.mark = facts[CLOCK]
            return facts[PRUNED_AT]

        try:
            pruned_at = await database.write(opened, lock=HOUSEKEEPING)
            transactions = Transactions(database, time)
            ledger = cls(transactions, account, Pruner(transactions, pruned_at, clock.tick))
            await database.let_shrink()
            ledger._pruner.prune_daily()
        except BaseException:
            database.close()
            raise
        return ledger

    async def aclose(self) -> None:
        """Let go of the database. What is left of a removal of old rows is left for another day."""
        await self._pruner.aclose()
        await self.database.aclose()

    async def reserve(
        self, new: NewJob, *, daily_limit: int | None = None, refusals: Refusals | None = None
    ) -> Reservation:
        """Write down a request before it is sent, unless it is the same as one that it joins.

        When the reservation is new, all processes see its row, and this one has it in hand: its lease runs, in turn 1.
        It is on the disk with the mark before the request leaves whole. What the same one joins, `rows.joinable` says.

        Args:
            new: What is asked for.
            daily_limit: Most paid creates of this user, on this account, in a UTC day, doubtful ones included.
            refusals: Which refusals of the same have to be looked for first. None is overlooked.

        Raises:
            LookFirstError: There are such refusals.
            DailyLimitError: The user has made that many today.
        """
        account = self._account()
        if account is None:
            raise LedgerError("The keys of the Kling account are missing, so no create can be written down for it.")
        reserving = Reserving(new, new.user, account, self.holder, daily_limit, refusals)

        def reserved(connection: Connection, now: float) -> Reservation:
            made = reserving(connection, now)
            if made.is_new and not self._transactions.time.has_server:
                note(connection, CLOCK, now)
            return made

        lock = f"account {account} user {key(new.user)}"
        try:
            return await self._transactions.write(reserved, lock=lock, synced=False)
        finally:
            # Not before: what is asked for again on the day on which it is removed is joined, on either database.
            self._pruner.prune_daily()

    async def mark_posting(self, reference: str, turn: int) -> bool:
        """Mark that the request is about to leave whole; return whether that turn is still this process's.

        If it is not, the request must not leave: another process may have the same one in hand by now.
        """
        return await self._held(leases.mark_posting, reference, turn, synced=True)

    async def begin_next_turn(self, reference: str, turn: int) -> bool:
        """Begin the turn after this one, in which the request is sent anew; return whether it was this process's."""
        return await self._held(leases.begin_next_turn, reference, turn, synced=False)

    async def renew(self, references: Sequence[str]) -> None:
        """Give a sign of life for creates that this process has in hand."""
        renewal = partial(leases.renew, holder=self.holder, references=[key(reference) for reference in references])
        await self._transactions.change(renewal, synced=False)

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

    async def take_looks(self, most: int) -> list[Doubt]:
        """Take up to `most` of the looks that are due; no other process takes the same ones."""
        return await self._transactions.write(
            partial(evidence.take_due, account=self._account(), most=most), synced=False
        )

    async def looked(self, looks: Mapping[str, Look]) -> None:
        """Write down what looks have shown, by reference; of what is not in doubt any more nothing is written."""
        await self._transactions.write(partial(evidence.note_looks, looks=looks), synced=False)

    async def prune(self) -> int:
        """Remove what is older than 35 days, doubts last; return how many rows that were."""
        return await self._pruner.prune()

    @property
    def pruning(self) -> "asyncio.Task[None] | None":
        """The latest removal of old rows, which no call waits for."""
        return self._pruner.pruning

    @property
    def needs_kling_time(self) -> bool:
        """Whether the clock has jumped by more than a day, and an answer of Kling's has to tell whether it is right."""
        return self._transactions.time.needs_kling

    async def _see(self, task: outcomes.Seen) -> None:
        if task.status is None:
            return
        await self._transactions.change(partial(task.write, account=self._account()), synced=False)

    async def _held(self, change: Callable[..., bool], reference: str, turn: int, *, synced: bool) -> bool:
        ours = key(reference)
        return await self._transactions.change(
            lambda connection, now: change(connection, now, self.holder, ours, turn), synced=synced
        )

    async def _change(self, reference: str, state: JobState, values: Callable[[float], dict[str, Any]]) -> bool:
        """Bring a job into a state, if it may come there from the one that it is in; return whether it did."""

        def changing(connection: Connection, now: float) -> bool:
            if outcomes.bring_into(connection, now, reference, state, values(now)):
                return True
            if not outcomes.is_known(connection, reference):
                raise LedgerError(f"The ledger {self.database.place} has no entry {plain(reference, 80)}.")
            return False

        return await self._transactions.change(changing)
