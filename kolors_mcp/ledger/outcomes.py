"""What became of a create, written down: that it was made, refused or is in doubt, how it stands, what was saved."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Update,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    update,
)

from kolors_mcp.ledger.leases import MY_TURN, Hand, in_state
from kolors_mcp.ledger.rows import key, named, word
from kolors_mcp.ledger.schema import TRY_ONS, C
from kolors_mcp.ledger.states import JobState, states_before
from kolors_mcp.models import FINAL

_KNOWN = select(C.id).where(C.reference == bindparam("ours")).limit(1)


def bring_into(
    connection: Connection,
    now: float,
    reference: str,
    state: JobState,
    values: Mapping[str, Any],
    hand: Hand | None = None,
) -> bool:
    """Bring a job into a state, if it may come there from the one that it is in; return whether it did.

    Args:
        connection: Where it is written down.
        now: The ledger's time.
        reference: Of the job.
        state: That it comes into.
        values: What else is written down of it.
        hand: Only if it is in this one.
    """
    new = {"state": state, **values, "updated_at": now}
    bound = {"ours": key(reference), **{f"new_{name}": value for name, value in new.items()}}
    change = _change(states_before(state), tuple(new))
    if hand is not None:
        change, bound = change.where(MY_TURN), {**bound, **hand.bound}
    return connection.execute(change, bound).rowcount > 0


def is_known(connection: Connection, reference: str) -> bool:
    """Whether the reference was ever reserved."""
    return connection.execute(_KNOWN, {"ours": key(reference)}).first() is not None


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
        # Nobody has it in hand any more, and when to look at it is counted anew.
        return {"task_id": key(self.task_id), "code": None, "look_at": None, "lease_until": None}

    def values(self, now: float) -> dict[str, Any]:
        """Return what is written down of how it stands."""
        has_ended = self.status in FINAL
        # Whatever Kling's clock shows, it has not ended later than now.
        ended_at = now if self.finished_at is None else min(self.finished_at, now)
        return {
            "status": word(self.status),
            "final_at": ended_at if has_ended else None,
            "units": self.units if has_ended else None,
        }

    def write(self, connection: Connection, now: float, account: str | None) -> None:
        """Write down how it stands, if that is news; a final word stays, and so does its price."""
        bound = {f"new_{name}": value for name, value in self.values(now).items()}
        connection.execute(_SEE, {**bound, "task": key(self.task_id), "whose": account, "now": now})


def write_saved(connection: Connection, now: float, which: ColumnElement[bool], index: int, path: str) -> None:
    """Write down where a picture was saved."""
    for row in connection.execute(select(C.id, C.saved).where(which).order_by(C.id).with_for_update()).all():
        values = {"saved": {**row.saved, str(index): path}, "updated_at": now}
        connection.execute(update(TRY_ONS).where(C.id == row.id).values(values))


def created_and_named(name: str, account: str | None) -> ColumnElement[bool]:
    """The created jobs of an account that have this reference of ours, or this task id of Kling's."""
    return and_(named(key(name)), C.account == account, C.state == "created")


_NEW_END: BindParameter[float] = bindparam("new_final_at")
# Nor has it ended before it began, whatever Kling's clock shows.
_END = case((C.created_at > _NEW_END, C.created_at), else_=_NEW_END)
_NEW_STATUS: BindParameter[str] = bindparam("new_status")
_PRICED = func.coalesce(C.units, bindparam("new_units"))
_SEE = (
    update(TRY_ONS)
    .where(
        C.task_id == bindparam("task"),
        C.account == bindparam("whose"),
        or_(C.status.is_(None), C.status == _NEW_STATUS, and_(*(C.status != final for final in FINAL))),
        or_(C.status.is_distinct_from(_NEW_STATUS), C.units.is_distinct_from(_PRICED)),
    )
    .values(status=_NEW_STATUS, units=_PRICED, final_at=func.coalesce(C.final_at, _END), updated_at=bindparam("now"))
)


@cache
def _change(before: tuple[JobState, ...], columns: tuple[str, ...]) -> Update:
    """Return the statement that sets `columns` (as `new_...`) of the job `ours` if it is in a state of `before`."""
    return update(TRY_ONS).where(C.reference == bindparam("ours"), in_state(*before)).values(_new(columns))


def _new(columns: tuple[str, ...]) -> dict[str, ColumnElement[Any]]:
    values: dict[str, ColumnElement[Any]] = {name: bindparam(f"new_{name}") for name in columns}
    if "final_at" in values:
        values["final_at"] = _END
    return values
