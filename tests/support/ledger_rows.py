"""The ledger as a few lines of plain Python: what the real one is compared with."""

import dataclasses
from datetime import UTC, datetime

from kolors_mcp.ledger.job import Job

START = 1_760_097_600.0


LEASE, MINUTE, TEN_MINUTES, DAY = 15.0, 60.0, 600.0, 86400.0


LIMIT = 4


class Rows:
    """The ledger as a list."""

    def __init__(self) -> None:
        self.rows: list[Job] = []
        self.leases: dict[str, float] = {}
        self.fresh: set[str] = set()
        self.pruned_at = START

    def joined_by(self, user: str, fingerprint: str, model_name: str | None, now: float, *, fresh: bool) -> Job | None:
        wish = (user, fingerprint, model_name)
        for row in reversed(self.rows):
            if (row.user, row.fingerprint, row.model_name) != wish or (fresh and row.reference not in self.fresh):
                continue
            lapsed = self.lapse(row.reference, now)
            if lapsed.state == "refused" or lapsed.status == "failed":
                continue
            left = row.created_at if row.posted_at is None else row.posted_at
            good = left > now - MINUTE if fresh else lapsed.final_at is None or lapsed.final_at > now - TEN_MINUTES
            if good or (fresh and lapsed.state != "created"):
                return lapsed
        return None

    def lapse(self, reference: str, now: float) -> Job:
        """What is written down of one when somebody looks at it."""
        row = self.named(reference)
        assert row is not None
        if row.state in ("sending", "posting") and self.leases[reference] <= now:
            never_whole = row.state == "sending" and row.posted_at is None
            self.change(reference, now, state="refused" if never_whole else "unconfirmed")
        return self.named(reference) or row

    def spent_today(self, user: str, now: float) -> int:
        today = datetime.fromtimestamp(now, UTC).date()
        return sum(
            row.user == user
            and row.state != "refused"
            and not (row.state == "sending" and row.posted_at is None and self.leases[row.reference] <= now)
            and datetime.fromtimestamp(row.created_at, UTC).date() == today
            for row in self.rows
        )

    def change(self, reference: str, now: float, **values: object) -> None:
        if values.get("status") in ("succeed", "failed"):
            values["final_at"] = now
        self.rows = [
            dataclasses.replace(row, updated_at=now, **values) if row.reference == reference else row  # pyright: ignore[reportArgumentType] (the caller's are right)
            for row in self.rows
        ]

    def price(self, reference: str, now: float, status: str | None, units: float | None) -> None:
        row = self.named(reference)
        if units is not None and row is not None and row.final_at and row.status == status and row.units is None:
            self.change(reference, now, units=units)

    def named(self, reference: str) -> Job | None:
        return next((row for row in self.rows if row.reference == reference), None)

    def prune(self, now: float) -> int:
        before, self.pruned_at = len(self.rows), now
        self.rows = [row for row in self.rows if row.created_at >= now - 35 * DAY]
        return before - len(self.rows)

    def prune_daily(self, now: float) -> None:
        if now >= self.pruned_at + DAY:
            self.prune(now)
