"""How many slots an account has and how many of them are held, and so how long who is in its line waits."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, func, insert, literal, or_, select, update

from kolors_mcp.ledger.leases import HAS_LAPSED, in_state
from kolors_mcp.ledger.schema import IS_OPEN, IS_RUNNING, LINES, C
from kolors_mcp.ledger.states import BEING_SENT

DOUBT_HOLDS_SECONDS = 120.0
"""For which a create in doubt is taken to hold a slot, from when it left, unless Kling was seen to have none of it."""
RUNNING_SECONDS = 3600.0
"""For which a task that Kling does not end is taken to hold one: one that Kling has lost would do so for ever."""
LEARNED_SECONDS = CREEP_SECONDS = 60.0
"""For which the account is taken to have no more slots than it was seen to have; then one more each time."""
USUAL_TASK_SECONDS = 30.0
"""What a task takes as long as none of this account was measured."""
MEASURED_TASKS, MEASURED_ROWS = 20, 500
"""The latest tasks that are measured, among so many of the newest rows."""


@dataclass(frozen=True)
class Terms:
    """What holds for the line of an account."""

    slots: int
    """Tasks that the account may have running at once."""
    max_waiting: int
    """Wishes that one user may have in it."""
    max_wait_seconds: float
    """The longest wait that is let into it, as far as that can be told."""


@dataclass(frozen=True)
class Place:
    """Where a wish stands in the line."""

    before: int
    """How many wait before it."""
    seconds: float
    """How long it will wait, as far as that can be told."""


@dataclass(frozen=True)
class Counts:
    """What there is of an account's line."""

    waiting: int
    busy: int
    """Slots that are held: by what is being sent, by what runs, by what may have been made just now."""
    slots: int
    """As many as are let through by now."""
    lapsed: int = 0
    """Creates whose process has died, of which it is not written down yet what that means."""
    clock: int = 0
    """The highest tag that was ever let in."""

    @property
    def free(self) -> int:
        """Slots that nothing holds."""
        return self.slots - self.busy


WAITS = and_(C.account == bindparam("account"), IS_OPEN, C.state == "waiting")
"""What is in the line of an account."""
# A doubt keeps the lease of its sending, which nobody asks for any more, until its slot is lent.
HOLDS_SLOT = and_(
    C.state == "unconfirmed", C.posted_at > bindparam("now") - DOUBT_HOLDS_SECONDS, C.lease_until.is_not(None)
)
"""What may have been made just now, as far as is known."""
_RUNS = and_(
    C.account == bindparam("account"),
    IS_RUNNING,
    func.coalesce(C.posted_at, C.created_at) > bindparam("now") - RUNNING_SECONDS,
)
"""What runs, as far as is believed."""
_WAITING = select(func.count()).where(WAITS)
_BEFORE = _WAITING.where(or_(C.tag < bindparam("tag"), and_(C.tag == bindparam("tag"), C.id < bindparam("id"))))
_IN_TURN = select(C.reference).where(WAITS).order_by(C.tag, C.id)
_MY_OPEN = select(func.count()).where(C.account == bindparam("account"), IS_OPEN)
_ONCE = select(literal(1)).subquery()
# All at once: a create would ask for each of them several times.
_STANDING = select(
    LINES,
    _WAITING.scalar_subquery().label("waiting"),
    _MY_OPEN.where(or_(in_state(*BEING_SENT), HOLDS_SLOT)).scalar_subquery().label("held"),
    select(func.count()).where(_RUNS).scalar_subquery().label("running"),
    _MY_OPEN.where(HAS_LAPSED).scalar_subquery().label("lapsed"),
).select_from(_ONCE.outerjoin(LINES, LINES.c.account == bindparam("account")))
_NEWEST = (
    select(C.account, C.posted_at, C.final_at)
    .where(C.id > select(func.max(C.id)).scalar_subquery() - MEASURED_ROWS)
    .order_by(C.id.desc())
    .subquery()
)
_TOOK = (
    select(_NEWEST.c.final_at - _NEWEST.c.posted_at)
    .where(_NEWEST.c.account == bindparam("account"), _NEWEST.c.final_at > _NEWEST.c.posted_at)
    .limit(MEASURED_TASKS)
)
_NOTE = {
    name: update(LINES).where(LINES.c.account == bindparam("its_account")).values({name: bindparam("new_value")})
    for name in ("clock", "slots", "learned_slots", "learned_until")
}


def standing(connection: Connection, now: float, account: str, slots: int) -> Counts:
    """Count the line of an account, and make its row if that is missing. The caller has the line's lock."""
    row = _standing(connection, now, account)
    if row.account is None:
        connection.execute(insert(LINES), {"account": account, "clock": 0, "slots": slots})
    elif row.slots != slots:
        note_line(connection, account, slots=slots)
    return _counts(row, now, slots)


def note_line(connection: Connection, account: str, **values: float) -> None:
    """Change what is known of an account's line."""
    for name, value in values.items():
        connection.execute(_NOTE[name], {"its_account": account, "new_value": value})


def counts_at(connection: Connection, now: float, account: str, slots: int) -> Counts:
    """Count the line of an account."""
    return _counts(_standing(connection, now, account), now, slots)


def places_at(connection: Connection, now: float, account: str, slots: int) -> dict[str, Place]:
    """Return where each wish stands that waits, by its reference."""
    names = connection.execute(_IN_TURN, {"account": account}).scalars().all()
    place = _placing(connection, account, counts_at(connection, now, account, slots))
    return {name: place(before) for before, name in enumerate(names)}


def place_at(connection: Connection, account: str, counts: Counts, tag: str, number: int) -> Place:
    """Return where one with this tag and this number of a row would stand."""
    before = 0
    if counts.waiting:
        before = connection.execute(_BEFORE, {"account": account, "tag": tag, "id": number}).scalar_one()
    return _placing(connection, account, counts)(before)


def _standing(connection: Connection, now: float, account: str) -> Row[Any]:
    return connection.execute(_STANDING, {"account": account, "now": now}).one()


def _counts(row: Row[Any], now: float, slots: int) -> Counts:
    believed = slots
    if row.learned_slots is not None:
        over = now - row.learned_until
        believed = min(slots, row.learned_slots + (0 if over < 0 else 1 + int(over // CREEP_SECONDS)))
    return Counts(row.waiting, row.held + row.running, believed, row.lapsed, row.clock or 0)


def _placing(connection: Connection, account: str, counts: Counts) -> Callable[[int], Place]:
    """Return what tells the place of one before which so many wait."""
    # Slots are let go one after the other, evenly as far as anybody knows.
    seconds = cache(lambda: _task_seconds(connection, account) / max(counts.slots, 1))
    return lambda before: Place(before, 0.0 if before < counts.free else (before + 1) * seconds())


def _task_seconds(connection: Connection, account: str) -> float:
    took = connection.execute(_TOOK, {"account": account}).scalars().all()
    return sum(took) / len(took) if took else USUAL_TASK_SECONDS
