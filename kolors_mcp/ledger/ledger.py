"""The ledger: one row for every paid create, written before it is sent, so that none is paid twice and none is lost."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, and_, or_, select, update

from kolors_mcp.clock import Clock
from kolors_mcp.errors import DailyLimitError, LedgerError
from kolors_mcp.ledger.database import Database
from kolors_mcp.ledger.job import Job, NewJob, Reservation
from kolors_mcp.ledger.pruning import prune_portion
from kolors_mcp.ledger.rows import (
    ADOPT,
    RESERVE,
    Whose,
    change,
    doubts_of,
    joinable,
    key,
    latest_of,
    named,
    newest,
    one_of,
    spent_since,
    word,
)
from kolors_mcp.ledger.schema import CLOCK, PRUNED_AT, SERVER_NOW, TRY_ONS, C, facts_of, note, prepare
from kolors_mcp.ledger.states import JobState, states_before
from kolors_mcp.ledger.timing import LedgerTime
from kolors_mcp.models import FINAL
from kolors_mcp.wording import plain

logger = logging.getLogger(__name__)

KEPT_FOR_SECONDS = 35 * 86400.0
"""Seconds for which a row is kept; Kling keeps results for 30 days (vendor)."""
PRUNE_EVERY_SECONDS = 86400.0
MAX_LABEL_CHARACTERS, MAX_NOTE_CHARACTERS, MAX_NOTES = 200, 300, 20
LOOKED_UP_AT_ONCE = 500
"""Ids in one query; older SQLites take at most 999 values."""

HOUSEKEEPING = "housekeeping"
"""The lock for what concerns the ledger as a whole; a reservation locks its user."""

T = TypeVar("T")
Timed = Callable[[Connection, float], T]
"""Work in a transaction, given what time it is."""
Account = Callable[[], str | None]
"""Returns what tells the account in use from others, and shows nothing of its keys; None without keys."""


class Ledger:
    """What was asked for, by whom, and what came of it. Safe to share between tasks, processes and replicas.

    Every method raises `LedgerError` where the database fails; its text does not say whether anything was billed.
    A user's jobs are seen by no other user, and by the same user only while the account in use is theirs. A program
    that has the ledger open when a newer one changes its layout can do nothing with it any more.
    """

    def __init__(self, database: Database, time: LedgerTime, account: Account, pruned_at: float) -> None:
        """Use `open` instead: it makes sure that the database fits."""
        self.database = database
        self._time = time
        self._account = account
        self._pruned_at = pruned_at
        self.pruning: asyncio.Task[None] | None = None
        """The latest removal of old rows, which nobody waits for."""

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        clock: Clock,
        account: Account,
        kling_time: Callable[[], float | None] = lambda: None,
        server_time: Callable[[], float] | None = None,
        patience: float = 10.0,
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
            patience: Seconds to wait for another process that writes.

        Raises:
            LedgerError: It cannot be opened, or a newer version wrote it.
        """
        database = await Database.open(url, patience)

        time = LedgerTime(clock.wall, kling_time, server_time, has_server=not url.startswith("sqlite"))

        def opened(connection: Connection) -> float:
            prepare(connection, clock.wall())
            if (opening := account()) is not None:
                connection.execute(ADOPT, {"new_account": opening})
            facts = facts_of(connection)
            time.mark = facts[CLOCK]
            return facts[PRUNED_AT]

        try:
            ledger = cls(database, time, account, await database.write(opened, lock=HOUSEKEEPING))
            await database.let_shrink()
            ledger._prune_daily()
        except BaseException:
            database.engine.dispose()
            raise
        return ledger

    async def aclose(self) -> None:
        """Let go of the database. What is left of a removal of old rows is left for another day."""
        if self.pruning is not None:
            self.pruning.cancel()
            await asyncio.wait((self.pruning,))
        await self.database.aclose()

    async def reserve(
        self,
        new: NewJob,
        *,
        daily_limit: int | None = None,
    ) -> Reservation:
        """Write down a request before it is sent, unless the same one was made in the last ten minutes.

        When the reservation is new, its row is on the disk. The same request (account, user, fingerprint and
        model) joins one that is being sent, was created and has not failed, or is in doubt.

        Args:
            new: What is asked for.
            daily_limit: Most paid creates of this user, on this account, in a UTC day, doubtful ones included.

        Raises:
            DailyLimitError: The user has made that many today.
        """
        whose = self._whose(new.user)
        account = whose.account
        if account is None:
            raise LedgerError("The keys of the Kling account are missing, so no create can be written down for it.")
        self._prune_daily()

        def reserving(connection: Connection, now: float) -> Reservation:
            if not new.fresh and (before := joinable(connection, whose, new, now)):
                return Reservation(before, is_new=False)
            if daily_limit is not None:
                midnight = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
                if spent_since(connection, whose, midnight.timestamp(), daily_limit) >= daily_limit:
                    raise DailyLimitError(daily_limit, midnight + timedelta(days=1))
            job = Job(
                reference=key(new.reference),
                user=key(new.user),
                fingerprint=key(new.fingerprint),
                model_name=new.model_name,
                state="sending",
                task_id=None,
                status=None,
                created_at=now,
                updated_at=now,
                labels=(plain(new.labels[0], MAX_LABEL_CHARACTERS), plain(new.labels[1], MAX_LABEL_CHARACTERS)),
                notes=tuple(plain(line, MAX_NOTE_CHARACTERS) for line in new.notes[:MAX_NOTES]),
                saved={},
                code=None,
                account=account,
                endpoint=new.endpoint,
            )
            connection.execute(RESERVE, vars(job))
            if not self._time.has_server:
                note(connection, CLOCK, now)
            return Reservation(job, is_new=True)

        return await self._write(reserving, lock=f"account {account} user {key(new.user)}")

    async def created(self, reference: str, task_id: str, status: str | None, units: float | None = None) -> None:
        """Write down that Kling has the task, and what it says of it, as `seen` has it.

        Whatever was thought before, this is the truth and stays.

        Raises:
            LedgerError: The reference was never reserved.
        """
        values = {"task_id": key(task_id), "status": word(status), "code": None}
        if not await self._change(reference, "created", values, units):
            await self.seen(task_id, status, units)

    async def refused(self, reference: str, code: int | None = None) -> None:
        """Write down that certainly nothing was created. Has no effect on a created one.

        Raises:
            LedgerError: The reference was never reserved.
        """
        await self._change(reference, "refused", {"code": code})

    async def unconfirmed(self, reference: str) -> None:
        """Write down that the outcome of the sending is not known. Has no effect once it is.

        Raises:
            LedgerError: The reference was never reserved.
        """
        await self._change(reference, "unconfirmed", {})

    async def seen(self, task_id: str, status: str | None, units: float | None = None) -> None:
        """Write down Kling's word for a task, and the units that it cost; a final word stays, and so does its price.

        Tasks that are not in the ledger are passed over.
        """
        now_called = word(status)
        if now_called is None:
            return
        called = and_(C.task_id == key(task_id), C.account == self._account())
        moved = and_(called, C.status.is_distinct_from(now_called), or_(C.status.is_(None), C.status.not_in(FINAL)))
        is_price = units is not None and now_called in FINAL
        priced = and_(called, C.status == now_called, C.units.is_(None))
        news = or_(moved, priced) if is_price else moved
        if not await self._read(lambda connection, _: newest(connection, news, 1)):
            # Most looks at a running task bring no news, and cost no write.
            return

        def seeing(connection: Connection, now: float) -> None:
            values = {"status": now_called, "updated_at": now, **_end(now_called, units, now)}
            connection.execute(update(TRY_ONS).where(moved).values(values))
            if is_price:
                connection.execute(update(TRY_ONS).where(priced).values(units=units))

        await self._write(seeing)

    async def saved(self, reference_or_task_id: str, index: int, path: str) -> None:
        """Write down where a picture of a created task was saved. What is not in the ledger is passed over."""
        created = and_(named(key(reference_or_task_id)), C.account == self._account(), C.state == "created")

        def saving(connection: Connection, now: float) -> None:
            for row in connection.execute(select(C.id, C.saved).where(created).order_by(C.id).with_for_update()).all():
                values = {"saved": {**row.saved, str(index): path}, "updated_at": now}
                connection.execute(update(TRY_ONS).where(C.id == row.id).values(values))

        await self._write(saving)

    async def find(self, user: str, task_id_or_reference: str) -> Job | None:
        """Return the user's job with Kling's id or our reference."""
        whose = self._whose(user)
        return await self._read(lambda connection, _: one_of(connection, whose, task_id_or_reference))

    async def find_many(self, user: str, task_ids: Sequence[str]) -> dict[str, Job]:
        """Return those of the user's jobs that have one of Kling's ids, by id."""
        wanted = {key(task_id): task_id for task_id in task_ids}
        keys, account = list(wanted), self._account()

        def finding(connection: Connection, _now: float) -> dict[str, Job]:
            found: dict[str, Job] = {}
            for start in range(0, len(keys), LOOKED_UP_AT_ONCE):
                # By their numbers, or SQLite would read all rows of the user.
                called_so = select(C.id).where(C.task_id.in_(keys[start : start + LOOKED_UP_AT_ONCE]))
                mine = and_(C.user == key(user), C.account == account, C.id.in_(called_so))
                # The newest comes first, and stays.
                for job in newest(connection, mine):
                    found.setdefault(wanted[job.task_id or ""], job)
            return found

        return await self._read(finding)

    async def doubts(self, user: str, *, older_than: float = 0) -> list[Job]:
        """Return the user's jobs of which nobody knows whether a task exists, the newest first.

        Args:
            user: Whose.
            older_than: Seconds after which one that is still `sending` counts: longer than a send can take, its
                process must have died.
        """
        whose = self._whose(user)
        return await self._read(lambda connection, now: doubts_of(connection, whose, now - older_than))

    async def recent(self, user: str, limit: int) -> list[Job]:
        """Return the user's latest jobs, the newest first."""
        whose = self._whose(user)
        return await self._read(lambda connection, _: latest_of(connection, whose, limit))

    async def prune(self) -> int:
        """Remove what is older than 35 days, doubts last; return how many rows that were."""
        removed = 0
        for doubts in (False, True):
            after: int | None = 0
            while after is not None:
                portion = partial(_prune_portion, after=after, doubts=doubts)
                gone, after = await self._write(portion, lock=HOUSEKEEPING)
                removed += gone
        self._pruned_at = await self._write(_note_pruned, lock=HOUSEKEEPING)
        return removed

    def _prune_daily(self) -> None:
        due = self._time.roughly >= self._pruned_at + PRUNE_EVERY_SECONDS
        if due and (self.pruning is None or self.pruning.done()):
            self.pruning = asyncio.create_task(self._prune_aside())

    async def _prune_aside(self) -> None:
        try:
            await self.prune()
        except LedgerError as error:
            # Old rows disturb nobody; whoever needs the ledger hears what is wrong with it.
            logger.warning("old rows were not removed: %s", error)
            self._pruned_at = self._time.roughly

    async def _change(
        self, reference: str, state: JobState, values: dict[str, Any], units: float | None = None
    ) -> bool:
        """Bring a job into a state, if it may come there from the one that it is in; return whether it did."""

        def changing(connection: Connection, now: float) -> bool:
            new = {"state": state, **values, "updated_at": now, **_end(values.get("status"), units, now)}
            bound = {"ours": key(reference), **{f"new_{name}": value for name, value in new.items()}}
            if connection.execute(change(states_before(state), tuple(new)), bound).rowcount:
                return True
            if not newest(connection, C.reference == key(reference), 1):
                raise LedgerError(f"The ledger {self.database.place} has no entry {plain(reference, 80)}.")
            return False

        return await self._write(changing)

    def _whose(self, user: str) -> Whose:
        return Whose(self._account(), user)

    @property
    def needs_kling_time(self) -> bool:
        """Whether the clock has jumped by more than a day, and an answer of Kling's has to tell whether it is right."""
        return self._time.needs_kling

    async def _read(self, work: Timed[T]) -> T:
        return await self.database.read(lambda connection: self._timed(connection, work))

    async def _write(self, work: Timed[T], *, lock: str | None = None) -> T:
        return await self.database.write(lambda connection: self._timed(connection, work), lock=lock)

    def _timed(self, connection: Connection, work: Timed[T]) -> T:
        # Read under the lock, so that times rise in the order of the rows.
        facts = facts_of(connection)
        return work(connection, self._time.now(facts[CLOCK], facts.get(SERVER_NOW)))


def _prune_portion(connection: Connection, now: float, *, after: int, doubts: bool) -> tuple[int, int | None]:
    return prune_portion(connection, now - KEPT_FOR_SECONDS, after, doubts=doubts)


def _end(status: str | None, units: float | None, now: float) -> dict[str, float | None]:
    """Return what is written besides where Kling's word for a task is a final one."""
    return {"final_at": now, "units": units} if status in FINAL else {}


def _note_pruned(connection: Connection, now: float) -> float:
    note(connection, PRUNED_AT, now)
    return now
