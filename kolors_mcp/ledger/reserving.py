"""The one transaction before money is spent: the same request is joined, the limit is kept, a new row is written."""

from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import Connection

from kolors_mcp.errors import DailyLimitError
from kolors_mcp.ledger import claims, labels
from kolors_mcp.ledger.job import Job, LookFirstError, NewJob, Refusals, Reservation
from kolors_mcp.ledger.leases import LEASE_SECONDS, renew, write_down_lapsed, write_down_lapsed_of
from kolors_mcp.ledger.rows import RESERVE, Whose, has_spent, joinable, key, refused_of
from kolors_mcp.ledger.slots import Terms
from kolors_mcp.ledger.timing import midnight_of
from kolors_mcp.wording import plain

MAX_SOURCE_CHARACTERS, MAX_NOTE_CHARACTERS, MAX_NOTES = 200, 300, 20
TURN_LET_IN = 2
"""Of one that does not stand in the line: what waits is in its first turn, and whoever lets it in begins the next."""
FRESH = "new_render"
"""What is written into a row that joined nothing."""


@dataclass(frozen=True)
class Reserving:
    """What is asked for, by whom, and which process is about to send it."""

    new: NewJob
    user: str
    account: str
    holder: str
    daily_limit: int | None
    refusals: Refusals | None = None
    terms: Terms | None = None
    """Of the line that it waits in, unless it is let in at once; None: there is none."""

    def __call__(self, connection: Connection, now: float) -> Reservation:
        """Join the same request, or write down this one.

        Raises:
            LookFirstError: The same was refused of late, and has not been looked for.
            DailyLimitError: The user has made as many today as they may.
            LineFullError: The line is too long.
        """
        whose = Whose(self.account, self.user)
        while (before := joinable(connection, whose, self.new, now)) is not None:
            reference = before.job.reference
            if reference == key(self.new.reference) and renew(connection, now, self.holder, [reference]):
                # It was written for this very request, and the answer was lost; nothing of it was sent yet.
                return Reservation(before.job, is_new=True)
            if not before.has_lapsed:
                return Reservation(before.job, is_new=False)
            # Only once this is written down, the old holder cannot let its request leave any more.
            write_down_lapsed(connection, now, reference)
        # After that look: what was being sent then is among the refused now, if it was refused meanwhile.
        self._require_looked_for(connection, whose, now)
        self._require_below_limit(connection, whose, now)
        return Reservation(self._written(connection, whose, now), is_new=True)

    def _written(self, connection: Connection, whose: Whose, now: float) -> Job:
        """Write it down; if it waits for a slot and one is free, it is claimed."""
        job, tag, counts = self._job(now), None, None
        if self.terms is not None:
            counts = claims.settled(connection, now, self.account, self.terms.slots)
            tag = claims.enter(connection, whose, self.terms, counts)
            if not counts.waiting and counts.free > 0:
                # It would be let in as the only one, and so it is from the beginning.
                job = replace(job, state="sending", turn=TURN_LET_IN)
                claims.note_let_in(connection, self.account, counts, int(tag))
        lease = {"holder": self.holder, "lease_until": now + LEASE_SECONDS, "fresh": FRESH if self.new.fresh else None}
        found_by = {"label_key": labels.key_of(job.label)}
        in_line = {"tag": tag, "callback_url": self.new.callback_url}
        connection.execute(RESERVE, {**vars(job), **lease, **found_by, **in_line})
        if counts is None or job.state != "waiting":
            return job
        claimed = claims.claim(*(connection, now, self.account, self.holder, counts), most=1, only=job.reference)
        return claimed[0].job if claimed else job

    def _require_looked_for(self, connection: Connection, whose: Whose, now: float) -> None:
        if self.refusals is None:
            return
        refused = refused_of(connection, whose, self.new, self.refusals, now)
        if left := [job for job in refused if job.reference not in self.refusals.looked_for]:
            raise LookFirstError(left)

    def _require_below_limit(self, connection: Connection, whose: Whose, now: float) -> None:
        if self.daily_limit is None:
            return
        limit = self.daily_limit
        midnight = midnight_of(now)

        def is_reached() -> bool:
            return has_spent(connection, whose, midnight.timestamp(), limit)

        if not is_reached():
            return
        # What a dead process had in hand counts until it is written down that it never left.
        if write_down_lapsed_of(connection, now, key(self.user), self.account) and not is_reached():
            return
        raise DailyLimitError(limit, midnight + timedelta(days=1))

    def _job(self, now: float) -> Job:
        new = self.new
        return Job(
            reference=key(new.reference),
            user=key(self.user),
            fingerprint=key(new.fingerprint),
            model_name=new.model_name,
            state="sending" if self.terms is None else "waiting",
            task_id=None,
            status=None,
            created_at=now,
            updated_at=now,
            labels=(plain(new.labels[0], MAX_SOURCE_CHARACTERS), plain(new.labels[1], MAX_SOURCE_CHARACTERS)),
            notes=tuple(plain(line, MAX_NOTE_CHARACTERS) for line in new.notes[:MAX_NOTES]),
            saved={},
            code=None,
            account=self.account,
            endpoint=new.endpoint,
            turn=1,
            label=labels.written(new.label),
        )
