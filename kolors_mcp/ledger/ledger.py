"""The ledger: one row for every paid create, written before it is sent, so that none is paid twice and none is lost."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Self

from sqlalchemy import Connection

from kolors_mcp.clock import Clock
from kolors_mcp.errors import LedgerError
from kolors_mcp.ledger import evidence, leases
from kolors_mcp.ledger.database import Database
from kolors_mcp.ledger.doubt import Doubt, Look
from kolors_mcp.ledger.job import NewJob, Refusals, Reservation
from kolors_mcp.ledger.line import LedgerLine, lock_of
from kolors_mcp.ledger.lookups import Account
from kolors_mcp.ledger.pruning import Pruner
from kolors_mcp.ledger.records import Records
from kolors_mcp.ledger.reserving import Reserving
from kolors_mcp.ledger.rows import ADOPT, key
from kolors_mcp.ledger.schema import CLOCK, PRUNED_AT, facts_of, mark_of, note, prepare
from kolors_mcp.ledger.slots import Terms
from kolors_mcp.ledger.timing import LedgerTime
from kolors_mcp.ledger.transactions import HOUSEKEEPING, Transactions
from kolors_mcp.ledger.wakes import Wakes

if TYPE_CHECKING:
    import asyncio


class Ledger(Records):
    """What was asked for, by whom, and what came of it. Safe to share between tasks, processes and replicas.

    Every method raises `LedgerError` where the database fails; its text does not say whether anything was billed.
    A user's jobs are seen by no other user, and by the same user only while the account in use is theirs. A program
    that has the ledger open when a newer one changes its layout can do nothing with it any more.
    """

    def __init__(self, transactions: Transactions, account: Account, pruner: Pruner, mark: str) -> None:
        """Use `open` instead: it makes sure that the database fits."""
        super().__init__(transactions, account)
        self.mark = mark
        """Tells this ledger from all others."""
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

        def opened(connection: Connection) -> tuple[float, str]:
            prepare(connection, clock.wall())
            if (opening := account()) is not None:
                connection.execute(ADOPT, {"new_account": opening})
            facts = facts_of(connection)
            time.mark = facts[CLOCK]
            return facts[PRUNED_AT], mark_of(connection)

        try:
            pruned_at, mark = await database.write(opened, lock=HOUSEKEEPING)
            transactions = Transactions(database, time)
            ledger = cls(transactions, account, Pruner(transactions, pruned_at, clock.tick), mark)
            await database.let_shrink()
            ledger._pruner.prune_daily()
        except BaseException:
            database.close()
            raise
        return ledger

    def open_line(self, terms: Terms, wakes: Wakes) -> None:
        """Let what is reserved from now on wait in the account's line, unless there is a slot for it."""
        self.line = LedgerLine(self._transactions, self._account, self.holder, terms, wakes, self.mark)

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
            LineFullError: The line is too long for it.
        """
        account = self._account()
        if account is None:
            raise LedgerError("The keys of the Kling account are missing, so no create can be written down for it.")
        terms = None if self.line is None else self.line.terms
        reserving = Reserving(new, new.user, account, self.holder, daily_limit, refusals, terms)

        def reserved(connection: Connection, now: float) -> Reservation:
            made = reserving(connection, now)
            if made.is_new and not self._transactions.time.has_server:
                note(connection, CLOCK, now)
            return made

        locks = [f"account {account} user {key(new.user)}", *(() if terms is None else (lock_of(account),))]
        try:
            return await self._transactions.write(reserved, lock=locks, synced=False)
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

    async def take_looks(self, most: int) -> list[Doubt]:
        """Take up to `most` of the looks that are due; no other process takes the same ones."""
        return await self._transactions.write(
            partial(evidence.take_due, account=self._account(), most=most), synced=False
        )

    async def looked(self, looks: Mapping[str, Look]) -> None:
        """Write down what looks have shown, by reference; of what is not in doubt any more nothing is written."""

        def noting(connection: Connection, now: float) -> list[str]:
            lent = evidence.note_looks(connection, now, looks)
            for reference in lent:
                self._tell(connection, reference, moves_line=True)
            return lent

        for reference in await self._transactions.write(noting, synced=False):
            self._wake(reference, moves_line=True)

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

    async def _held(self, change: Callable[..., bool], reference: str, turn: int, *, synced: bool) -> bool:
        ours = key(reference)
        return await self._transactions.change(
            lambda connection, now: change(connection, now, self.holder, ours, turn), synced=synced
        )
