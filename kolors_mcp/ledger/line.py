"""The door to an account's line in an open ledger: what the processes of a service ask of it and write down in it."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from kolors_mcp.ledger import claims, outcomes, running, slots, uncopied
from kolors_mcp.ledger.claims import Claimed, Setback
from kolors_mcp.ledger.job import Job
from kolors_mcp.ledger.leases import Hand
from kolors_mcp.ledger.rows import key
from kolors_mcp.ledger.slots import Counts, Place, Terms
from kolors_mcp.ledger.states import JobState
from kolors_mcp.ledger.transactions import Transactions
from kolors_mcp.ledger.wakes import Wakes

if TYPE_CHECKING:
    from kolors_mcp.ledger.lookups import Account

CLEARED_AT_ONCE = 50


def lock_of(account: str) -> str:
    """Return the name of the line's lock."""
    return f"line {account}"


class LedgerLine:
    """The line of the account in use. Every method raises `LedgerError` where the database fails."""

    def __init__(
        self, transactions: Transactions, account: "Account", holder: str, terms: Terms, wakes: Wakes, mark: str
    ) -> None:
        """Take what an open ledger has.

        Args:
            transactions: Of the ledger.
            account: Tells the account in use.
            holder: As whose the creates are written down that this process has in hand.
            terms: What holds for the line.
            wakes: Who is woken.
            mark: Tells this ledger from others.
        """
        self._transactions = transactions
        self._account = account
        self._holder = holder
        self.terms = terms
        self.wakes = wakes
        self.mark = mark

    async def claim(self, most: int) -> list[Claimed]:
        """Let in who is first and can be sent from here; return them, and what an earlier claim has let in.

        Args:
            most: How many are let in at most.
        """
        if (account := self._account()) is None:
            return []

        def claiming(connection: Connection, now: float) -> list[Claimed]:
            counts = claims.settled(connection, now, account, self.terms.slots)
            claimed = claims.claim(connection, now, account, self._holder, counts, most=most)
            for one in claimed:
                self.wakes.tell(connection, one.job.reference, moves_line=False)
            return claimed

        claimed = await self._transactions.write(claiming, lock=lock_of(account), synced=False)
        for one in claimed:
            self.wakes.wake(one.job.reference, moves_line=False)
        return claimed

    async def shelve(self, reference: str, turn: int, name: str) -> bool:
        """Write down where the pictures of a waiting one lie, for all to claim it; False if it waits no more."""
        hand = self._hand(reference, turn)

        def shelving(connection: Connection, now: float) -> bool:
            waits = claims.shelve(connection, now, hand, name)
            if waits:
                self.wakes.tell(connection, reference, moves_line=True)
            return waits

        waits = await self._transactions.write(shelving, synced=False)
        if waits:
            self.wakes.wake(reference, moves_line=True)
        return waits

    async def give_back(self, reference: str, turn: int, name: str, setback: Setback) -> bool:
        """Put what is being sent back to its place, as `claims.give_back` does; False if it is not this process's."""
        account = self._account()
        hand = self._hand(reference, turn)
        if account is None:
            return False

        def giving_back(connection: Connection, now: float) -> bool:
            is_back = claims.give_back(connection, now, account, hand, name, self.terms.slots, setback)
            if is_back:
                self.wakes.tell(connection, reference, moves_line=True)
            return is_back

        is_back = await self._transactions.write(giving_back, lock=lock_of(account))
        if is_back:
            self.wakes.wake(reference, moves_line=True)
        return is_back

    async def end(
        self, reference: str, turn: int, state: JobState, *, code: int | None = None, shows_in_seconds: float = 0.0
    ) -> bool:
        """Write down that it was refused or is in doubt; False, and nothing, if it is not in this process's hand."""
        hand = self._hand(reference, turn)

        def ending(connection: Connection, now: float) -> bool:
            values = {"code": code, "look_at": now + shows_in_seconds} if state == "refused" else {}
            is_mine = outcomes.bring_into(connection, now, reference, state, values, hand)
            if is_mine:
                self.wakes.tell(connection, reference, moves_line=True)
            return is_mine

        is_mine = await self._transactions.write(ending)
        if is_mine:
            self.wakes.wake(reference, moves_line=True)
        return is_mine

    async def places(self) -> dict[str, Place]:
        """Return where each wish stands that waits, by its reference."""
        if (account := self._account()) is None:
            return {}
        return await self._transactions.read(partial(slots.places_at, account=account, slots=self.terms.slots))

    async def counts(self) -> Counts:
        """Count who waits and what holds a slot."""
        if (account := self._account()) is None:
            return Counts(0, 0, self.terms.slots)
        return await self._transactions.read(partial(slots.counts_at, account=account, slots=self.terms.slots))

    async def seconds_to_running(self) -> float | None:
        """Return in how many seconds a running task is to be looked at; None if none runs."""
        return await self._transactions.read(partial(running.seconds_to_next, account=self._account()))

    async def take_looks(self, most: int) -> tuple[list[Job], list[Job]]:
        """Take the looks that are due: at running tasks, and for what a busy account may have made although it said no.

        No other process takes the same ones.
        """
        account = self._account()

        def taking(connection: Connection, now: float) -> tuple[list[Job], list[Job]]:
            due = running.take_due(connection, now, account, most)
            return due, running.take_denied(connection, now, account, most)

        return await self._transactions.write(taking, synced=False)

    async def take_uncopied(self, most: int) -> list[Job]:
        """Take the looks that are due at finished try-ons without a copy; no other process takes the same ones."""
        taking = partial(uncopied.take_uncopied, account=self._account(), most=most)
        return await self._transactions.write(taking, synced=False)

    async def hasten(self, name: str) -> bool:
        """Let a running task, by Kling's id or our reference, be looked at soon; return whether that is news."""
        return await self._transactions.change(
            partial(running.hasten, account=self._account(), name=name), synced=False
        )

    async def unneeded(self) -> list[str]:
        """Return names on the shelf of pictures that nobody sends any more."""
        return await self._transactions.read(
            lambda connection, _: running.unneeded(connection, self._account(), CLEARED_AT_ONCE)
        )

    async def shelved(self) -> set[str]:
        """Return all names on the shelf that rows name, of whatever account and state."""
        return await self._transactions.read(lambda connection, _: running.shelved(connection))

    async def cleared(self, names: Sequence[str]) -> None:
        """Write down that what lay under these names is gone."""
        await self._transactions.write(lambda connection, _: running.cleared(connection, names), synced=False)

    def _hand(self, reference: str, turn: int) -> Hand:
        return Hand(self._holder, key(reference), turn)
