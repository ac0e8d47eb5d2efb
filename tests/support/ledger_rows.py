"""The ledger as a few lines of plain Python: what the real one is compared with."""

import dataclasses
from datetime import UTC, datetime

from kolors_mcp.ledger.job import Job

START = 1_760_097_600.0


TEN_MINUTES, DAY = 600.0, 86400.0


LIMIT = 4


class Rows:
    """The ledger as a list."""

    def __init__(self) -> None:
        self.rows: list[Job] = []
        self.pruned_at = START

    def joined_by(self, user: str, fingerprint: str, model_name: str | None, now: float) -> Job | None:
        wish = (user, fingerprint, model_name)
        for row in reversed(self.rows):
            since = row.updated_at if row.state == "unconfirmed" else row.created_at
            good = row.state != "refused" and row.status != "failed" and now - since < TEN_MINUTES
            if (row.user, row.fingerprint, row.model_name) == wish and good:
                return row
        return None

    def spent_today(self, user: str, now: float) -> int:
        today = datetime.fromtimestamp(now, UTC).date()
        return sum(
            row.user == user and row.state != "refused" and datetime.fromtimestamp(row.created_at, UTC).date() == today
            for row in self.rows
        )

    def change(self, reference: str, now: float, **values: object) -> None:
        if values.get("status") in ("succeed", "failed"):
            values["final_at"] = now
        self.rows = [
            dataclasses.replace(row, updated_at=now, **values) if row.reference == reference else row  # pyright: ignore[reportArgumentType] (the caller's are right)
            for row in self.rows
        ]

    def price(self, reference: str, status: str | None, units: float | None) -> None:
        self.rows = [
            dataclasses.replace(row, units=units)
            if row.reference == reference and row.units is None and row.final_at and row.status == status
            else row
            for row in self.rows
        ]

    def named(self, reference: str) -> Job | None:
        return next((row for row in self.rows if row.reference == reference), None)

    def prune(self, now: float) -> int:
        before, self.pruned_at = len(self.rows), now
        self.rows = [row for row in self.rows if row.created_at >= now - 35 * DAY]
        return before - len(self.rows)

    def prune_daily(self, now: float) -> None:
        if now >= self.pruned_at + DAY:
            self.prune(now)
