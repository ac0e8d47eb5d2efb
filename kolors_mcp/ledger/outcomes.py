"""What became of a create, written down: that it was made, refused or is in doubt, how it stands, what was saved."""

from collections.abc import Mapping
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


def task_values(task_id: str, status: str | None, finished_at: float | None, now: float) -> dict[str, Any]:
    """Return what is written down of a task that Kling has."""
    return {"task_id": key(task_id), "code": None, **status_values(status, finished_at, now)}


def status_values(status: str | None, finished_at: float | None, now: float) -> dict[str, Any]:
    """Return what is written down of Kling's word for a task.

    Args:
        status: The word.
        finished_at: When the task ended, by Kling's clock, which may be another than the ledger's; None if it did not
            say so.
        now: What time it is; it has not ended later.
    """
    values: dict[str, Any] = {"status": word(status)}
    if status in FINAL:
        values["final_at"] = now if finished_at is None else min(finished_at, now)
    return values


def news_of(task_id: str, account: str | None, status: str | None) -> ColumnElement[bool]:
    """The rows to which Kling's word for a task is news; a final word stays."""
    return and_(
        C.task_id == key(task_id),
        C.account == account,
        C.status.is_distinct_from(word(status)),
        or_(C.status.is_(None), C.status.not_in(FINAL)),
    )


def write_status(connection: Connection, now: float, news: ColumnElement[bool], values: Mapping[str, Any]) -> None:
    """Write down Kling's word for a task."""
    new = {**values, "updated_at": now}
    bound = {f"new_{name}": value for name, value in new.items()}
    connection.execute(update(TRY_ONS).where(news).values(_new(tuple(new))), bound)


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
