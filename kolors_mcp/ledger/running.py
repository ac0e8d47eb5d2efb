"""The tasks that Kling has not ended: each is looked at until it has, by whoever takes the look, whether anybody waits.

All of it is in the row, so that replicas share the work: `look_at` says when the next look is due, and `lease_until`
before when nobody looks, whatever wakes them.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, case, func, or_, select, update

from kolors_mcp.ledger.job import Job
from kolors_mcp.ledger.rows import JOB_COLUMNS, job_of, key, named
from kolors_mcp.ledger.schema import IS_RUNNING, IS_SHELVED, TRY_ONS, C
from kolors_mcp.ledger.slots import RUNNING_SECONDS, WAITS

MIN_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 3.0, 10.0
"""Between two looks at a task; a fifth of its age in between."""
MIN_AGE_SHARE = 0.2
LOOKED_ONCE_SECONDS = 2.0
"""In which a task is looked at once, however often somebody says that it has changed."""
KEPT_SECONDS = 30 * 86400.0
"""For as long Kling keeps results (vendor)."""

_SENT_AT = func.coalesce(C.posted_at, C.created_at)
_LOOK_AT = func.coalesce(C.look_at, _SENT_AT + MIN_PAUSE_SECONDS)
_NOT_BEFORE = func.coalesce(C.lease_until, 0.0)
_NEXT_AT = case((_NOT_BEFORE > _LOOK_AT, _NOT_BEFORE), else_=_LOOK_AT)
_IS_LOOKED_AT = and_(
    C.account == bindparam("account"),
    IS_RUNNING,
    bindparam("now") - KEPT_SECONDS < _SENT_AT,
    # A look that fell due while it was believed to run is taken, however late: every process may have been away.
    _LOOK_AT <= _SENT_AT + RUNNING_SECONDS,
)
_NEXT = select(func.min(_NEXT_AT)).where(_IS_LOOKED_AT)
_DUE = (
    select(*JOB_COLUMNS, _SENT_AT.label("sent_at"))
    .where(_IS_LOOKED_AT, bindparam("now") >= _NEXT_AT)
    .order_by(_NEXT_AT)
    .limit(bindparam("most"))
)
_TAKE = (
    update(TRY_ONS)
    .where(
        C.reference == bindparam("ours"),
        IS_RUNNING,
        C.look_at.is_not_distinct_from(bindparam("seen")),
        bindparam("now") >= _NOT_BEFORE,
    )
    .values(look_at=bindparam("next_look"), lease_until=bindparam("not_before"))
)
_DENIED = (
    select(*JOB_COLUMNS)
    .where(WAITS, C.posted_at.is_not(None), C.look_at <= bindparam("now"))
    .order_by(C.look_at)
    .limit(bindparam("most"))
)
_TAKE_DENIED = (
    update(TRY_ONS)
    .where(C.reference == bindparam("ours"), C.state == "waiting", C.look_at == bindparam("seen"))
    .values(look_at=None)
)
_HASTEN = (
    update(TRY_ONS)
    .where(
        named(bindparam("name")),
        C.account == bindparam("whose"),
        IS_RUNNING,
        or_(C.look_at.is_(None), C.look_at > bindparam("now")),
    )
    .values(look_at=bindparam("now"))
)
_UNNEEDED = (
    select(C.id, C.shelved)
    .where(
        C.account == bindparam("account"),
        IS_SHELVED,
        and_(C.state != "waiting", C.state != "sending", C.state != "posting"),
    )
    .order_by(C.id)
    .limit(bindparam("most"))
)
_SHELVED = select(C.shelved).where(IS_SHELVED)
_CLEARED = update(TRY_ONS).where(C.shelved == bindparam("name")).values(shelved=None)


def seconds_to_next(connection: Connection, now: float, account: str | None) -> float | None:
    """Return in how many seconds a running task is to be looked at; None if none runs."""
    at = connection.execute(_NEXT, {"account": account, "now": now}).scalar_one()
    return None if at is None else max(0.0, at - now)


def take_due(connection: Connection, now: float, account: str | None, most: int) -> list[Job]:
    """Take the looks that are due; no other process takes the same ones."""
    taken: list[Job] = []
    for row in connection.execute(_DUE, {"account": account, "now": now, "most": most}).all():
        pause = min(max((now - row.sent_at) * MIN_AGE_SHARE, MIN_PAUSE_SECONDS), MAX_PAUSE_SECONDS)
        mine: dict[str, Any] = {"ours": row.reference, "seen": row.look_at, "now": now, "next_look": now + pause}
        if connection.execute(_TAKE, {**mine, "not_before": now + LOOKED_ONCE_SECONDS}).rowcount:
            taken.append(job_of(row))
    return taken


def take_denied(connection: Connection, now: float, account: str | None, most: int) -> list[Job]:
    """Take the looks at what a busy account said no to and would show by now, if it was made; each is looked at once.

    It is looked for again before it is sent again, whatever that look shows.
    """
    rows = connection.execute(_DENIED, {"account": account, "now": now, "most": most}).all()
    return [job_of(row) for row in rows if connection.execute(_TAKE_DENIED, _as_seen(row)).rowcount]


def _as_seen(row: Row[Any]) -> dict[str, Any]:
    return {"ours": row.reference, "seen": row.look_at}


def hasten(connection: Connection, now: float, account: str | None, name: str) -> bool:
    """Let a running task, by Kling's id or our reference, be looked at soon; return whether that is news."""
    return connection.execute(_HASTEN, {"name": key(name), "whose": account, "now": now}).rowcount > 0


def unneeded(connection: Connection, account: str | None, most: int) -> list[str]:
    """Return names on the shelf of pictures that nobody sends any more."""
    return [row.shelved for row in connection.execute(_UNNEEDED, {"account": account, "most": most})]


def shelved(connection: Connection) -> set[str]:
    """Return all names on the shelf that rows name."""
    return set(connection.execute(_SHELVED).scalars())


def cleared(connection: Connection, names: Sequence[str]) -> None:
    """Write down that what lay under these names is gone."""
    for name in names:
        connection.execute(_CLEARED, {"name": name})
