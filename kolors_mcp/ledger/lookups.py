"""What the ledger is asked: which jobs a user has, how one of them stands, which creates are in doubt."""

from collections.abc import Callable, Sequence
from functools import partial

from sqlalchemy import Connection

from kolors_mcp.ledger import evidence, leases
from kolors_mcp.ledger.doubt import Doubt
from kolors_mcp.ledger.job import Job
from kolors_mcp.ledger.labels import labelled
from kolors_mcp.ledger.pages import page_of
from kolors_mcp.ledger.rows import Found, Whose, jobs_with, latest_of, one_of, spent_since
from kolors_mcp.ledger.timing import midnight_of
from kolors_mcp.ledger.transactions import Transactions

Account = Callable[[], str | None]
"""Returns what tells the account in use from others, and shows nothing of its keys; None without keys."""


class Lookups:
    """The questions to an open ledger. Nothing is written for them, unless a process died with what is asked for."""

    def __init__(self, transactions: Transactions, account: Account) -> None:
        """Take where to ask, and for whose creates."""
        self._transactions = transactions
        self._account = account

    async def find(self, user: str, task_id_or_reference: str) -> Job | None:
        """Return the user's job with Kling's id or our reference; one that no process has in hand is settled."""
        whose = self._whose(user)

        def finding(connection: Connection, now: float) -> Found | None:
            return one_of(connection, whose, task_id_or_reference, now)

        found = await self._transactions.read(finding)
        if found is not None and found.has_lapsed:
            lapsed = found.job.reference

            def settling(connection: Connection, now: float) -> Found | None:
                leases.write_down_lapsed(connection, now, lapsed)
                return finding(connection, now)

            found = await self._transactions.write(settling)
        return None if found is None else found.job

    async def find_many(self, user: str, task_ids: Sequence[str]) -> dict[str, Job]:
        """Return those of the user's jobs that have one of Kling's ids, by id."""
        whose = self._whose(user)
        return await self._transactions.read(lambda connection, _: jobs_with(connection, whose, task_ids))

    async def labelled(self, user: str, label: str, most: int) -> list[Job]:
        """Return the user's jobs that people call so, whatever the case, the newest first; none that was refused."""
        whose = self._whose(user)
        return await self._transactions.read(lambda connection, _: labelled(connection, whose, label, most))

    async def recent(self, user: str, limit: int) -> list[Job]:
        """Return the user's latest jobs, the newest first."""
        whose = self._whose(user)
        return await self._transactions.read(lambda connection, _: latest_of(connection, whose, limit))

    async def page(self, user: str, first: int, most: int) -> list[Job]:
        """Return the user's jobs from the `first` on, 0 being the newest; none that came to nothing."""
        whose = self._whose(user)
        return await self._transactions.read(lambda connection, _: page_of(connection, whose, first, most))

    async def spent_today(self, user: str) -> int:
        """Return how many of the user's creates may have cost money since midnight (UTC)."""
        whose = self._whose(user)
        return await self._transactions.read(
            lambda connection, now: spent_since(connection, whose, midnight_of(now).timestamp())
        )

    async def doubt(self, reference: str) -> Doubt | None:
        """Return what is known of a create in doubt; None if it is in none."""
        return await self._transactions.read(lambda connection, now: evidence.doubt_about(connection, now, reference))

    async def without_task_among(self, references: Sequence[str]) -> list[Job]:
        """Return those of the account's creates, of any user, of which no task is known; also of refused ones."""
        account = self._account()
        return await self._transactions.read(
            lambda connection, _: evidence.without_task_among(connection, account, references)
        )

    async def seconds_to_next_look(self) -> float | None:
        """Return in how many seconds a create of the account is to be looked for; None if none is."""
        look = partial(evidence.seconds_to_next_look, account=self._account())
        return await self._transactions.read(look)

    async def now(self) -> float:
        """Return what time it is for the ledger, in seconds since 1970."""
        return await self._transactions.read(lambda _, now: now)

    def _whose(self, user: str) -> Whose:
        return Whose(self._account(), user)
