"""What became of a create, written down: that it was made, refused or is in doubt, how it stands, what was saved."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Update, and_, bindparam, case, or_, select, update

from kolors_mcp.ledger.leases import in_state
from kolors_mcp.ledger.rows import key, named, newest, word
from kolors_mcp.ledger.schema import TRY_ONS, C
from kolors_mcp.ledger.states import JobState, states_before
from kolors_mcp.models import FINAL


def bring_into(connection: Connection, now: float, reference: str, state: JobState, values: Mapping[str, Any]) -> bool:
    """Bring a job into a state, if it may come there from the one that it is in; return whether it did."""
    new = {"state": state, **values, "updated_at": now}
    bound = {"ours": key(reference), **{f"new_{name}": value for name, value in new.items()}}
    return connection.execute(_change(states_before(state), tuple(new)), bound).rowcount > 0


def is_known(connection: Connection, reference: str) -> bool:
    """Whether the reference was ever reserved."""
    return bool(newest(connection, C.reference == key(reference), 1))


@dataclass(frozen=True)
class Seen:
    """What Kling says of a task."""

    task_id: str
    status: str | None
    units: float | None = None
    """What it cost, if it has ended."""
    finished_at: float | None = None
    """When it ended, by Kling's clock, which may be another than the ledger's; None if Kling did not say."""

    @property
    def named(self) -> dict[str, Any]:
        """What is written down of it once."""
        return {"task_id": key(self.task_id), "code": None}

    def values(self, now: float) -> dict[str, Any]:
        """Return what is written down of how it stands."""
        values: dict[str, Any] = {"status": word(self.status)}
        if self.status in FINAL:
            # Whatever Kling's clock shows, it has not ended later than now.
            values["final_at"] = now if self.finished_at is None else min(self.finished_at, now)
            values["units"] = self.units
        return values

    def is_news(self, connection: Connection, account: str | None) -> bool:
        """Whether there is anything to write down; a final word stays, and so does its price."""
        news = or_(self._moved(account), self._priced(account)) if self._is_price else self._moved(account)
        return bool(newest(connection, news, 1))

    def write(self, connection: Connection, account: str | None, now: float) -> None:
        """Write down how it stands."""
        new = {**self.values(now), "updated_at": now}
        bound = {f"new_{name}": value for name, value in new.items()}
        connection.execute(update(TRY_ONS).where(self._moved(account)).values(_new(tuple(new))), bound)
        if self._is_price:
            connection.execute(update(TRY_ONS).where(self._priced(account)).values(units=self.units))

    @property
    def _is_price(self) -> bool:
        return self.units is not None and self.status in FINAL

    def _moved(self, account: str | None) -> ColumnElement[bool]:
        is_new = C.status.is_distinct_from(word(self.status))
        return and_(self._called(account), is_new, or_(C.status.is_(None), C.status.not_in(FINAL)))

    def _priced(self, account: str | None) -> ColumnElement[bool]:
        return and_(self._called(account), C.status == word(self.status), C.units.is_(None))

    def _called(self, account: str | None) -> ColumnElement[bool]:
        return and_(C.task_id == key(self.task_id), C.account == account)


def write_saved(connection: Connection, now: float, which: ColumnElement[bool], index: int, path: str) -> None:
    """Write down where a picture was saved."""
    for row in connection.execute(select(C.id, C.saved).where(which).order_by(C.id).with_for_update()).all():
        values = {"saved": {**row.saved, str(index): path}, "updated_at": now}
        connection.execute(update(TRY_ONS).where(C.id == row.id).values(values))


def created_and_named(name: str, account: str | None) -> ColumnElement[bool]:
    """The created jobs of an account that have this reference of ours, or this task id of Kling's."""
    return and_(named(key(name)), C.account == account, C.state == "created")


@cache
def _change(before: tuple[JobState, ...], columns: tuple[str, ...]) -> Update:
    """Return the statement that sets `columns` (as `new_...`) of the job `ours` if it is in a state of `before`."""
    return update(TRY_ONS).where(C.reference == bindparam("ours"), in_state(*before)).values(_new(columns))


def _new(columns: tuple[str, ...]) -> dict[str, ColumnElement[Any]]:
    values: dict[str, ColumnElement[Any]] = {name: bindparam(f"new_{name}") for name in columns}
    if (end := values.get("final_at")) is not None:
        # Nor has it ended before it began, whatever Kling's clock shows.
        values["final_at"] = case((C.created_at > end, C.created_at), else_=end)
    return values
