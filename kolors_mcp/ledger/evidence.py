"""How a create in doubt is looked for: when the next look is due, who takes it, and what the looks so far have shown.

All of it is in the row, so that processes which share the ledger share the work: the one that moves `look_at` on looks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, case, func, null, or_, select, update

from kolors_mcp.ledger.doubt import LOOKED_FOR_SECONDS, Doubt, Finding, Look
from kolors_mcp.ledger.job import Job
from kolors_mcp.ledger.leases import in_state, write_down_all_lapsed
from kolors_mcp.ledger.rows import job_of, key
from kolors_mcp.ledger.schema import IS_OPEN, TRY_ONS, C
from kolors_mcp.ledger.slots import HOLDS_SLOT
from kolors_mcp.ledger.states import HELD, states_before
from kolors_mcp.wording import plain

MIN_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 2.0, 3600.0
"""Between two looks. In between it is as long as the doubt is old, so each pause doubles the age."""
SENDER_LOOKS_SECONDS = 10.0
"""For which a new doubt is left to the process that sent the create, which looks for it right away."""
TAKEN_FOR_SECONDS = 60.0
"""For which a look that has begun keeps others from looking. None lasts so long, unless its process has died."""
MAX_FINDINGS = 6
"""The latest that are kept."""
MAX_ANSWER_CHARACTERS = 160

_COLUMNS = (*(C[column.name] for column in fields(Job)), C.posted_at.label("sent_at"), C.evidence)
_SENT_AT = func.coalesce(C.posted_at, C.created_at)
_LOOK_AT = func.coalesce(C.look_at, C.updated_at + SENDER_LOOKS_SECONDS)
_LOOKED_FOR = and_(C.state == "unconfirmed", bindparam("sent_after") < _SENT_AT)
_OURS = and_(C.account == bindparam("account"), IS_OPEN)
# What a process has in hand is looked after when its lease lapses, which it does only if that process is gone.
_NEXT = select(func.min(case((C.state == "unconfirmed", _LOOK_AT), else_=C.lease_until))).where(
    _OURS, or_(_LOOKED_FOR, in_state(*HELD))
)
_DUE = (
    select(*_COLUMNS)
    .where(_OURS, _LOOKED_FOR, bindparam("now") >= _LOOK_AT)
    .order_by(_LOOK_AT)
    .limit(bindparam("most"))
)
_DOUBT = select(*_COLUMNS).where(C.reference == bindparam("ours"), C.state == "unconfirmed")
_TAKE = (
    update(TRY_ONS)
    .where(
        C.reference == bindparam("ours"), C.state == "unconfirmed", C.look_at.is_not_distinct_from(bindparam("seen"))
    )
    .values(look_at=bindparam("until"))
)
_NOTE = (
    update(TRY_ONS)
    .where(C.reference == bindparam("ours"))
    .values(look_at=bindparam("next_look"), evidence=bindparam("noted", type_=C.evidence.type))
)
_LEND_SLOT = update(TRY_ONS).where(C.reference == bindparam("ours"), HOLDS_SLOT).values(lease_until=null())


def seconds_to_next_look(connection: Connection, now: float, account: str | None) -> float | None:
    """Return in how many seconds a create of the account is to be looked for; None if none is."""
    next_look = connection.execute(_NEXT, {"account": account, "sent_after": now - LOOKED_FOR_SECONDS}).scalar_one()
    return None if next_look is None else max(0.0, next_look - now)


def take_due(connection: Connection, now: float, account: str | None, most: int) -> list[Doubt]:
    """Take the looks that are due, the ones that are due for longest first; no other process takes them for a minute.

    First it is written down what became of creates whose process has died.
    """
    write_down_all_lapsed(connection, now, account)
    due = {"account": account, "sent_after": now - LOOKED_FOR_SECONDS, "now": now, "most": most}
    taken: list[Doubt] = []
    for row in connection.execute(_DUE, due).all():
        # Another process may have taken it since it was read, and then finds another time in it.
        mine = {"ours": row.reference, "seen": row.look_at, "until": now + TAKEN_FOR_SECONDS}
        if connection.execute(_TAKE, mine).rowcount:
            taken.append(_doubt_of(row, now))
    return taken


def note_looks(connection: Connection, now: float, looks: Mapping[str, Look]) -> list[str]:
    """Write down what looks have shown, by reference, and when the next ones are due.

    Returns:
        References of those that held a slot until now.
    """
    lent: list[str] = []
    for reference, look in looks.items():
        row = connection.execute(_DOUBT.with_for_update(), {"ours": key(reference)}).one_or_none()
        if row is None:
            continue  # it was settled meanwhile
        doubt = _doubt_of(row, now)
        shown = [Finding(now, where, plain(answer, MAX_ANSWER_CHARACTERS)) for where, answer in look.answers]
        latest = [*doubt.findings, *shown][-MAX_FINDINGS:]
        pause = min(max(now - row.updated_at, MIN_PAUSE_SECONDS), MAX_PAUSE_SECONDS)
        evidence = {
            "looks": doubt.looks + look.times,
            "findings": [[finding.at, finding.where, finding.answer] for finding in latest],
        }
        connection.execute(_NOTE, {"ours": row.reference, "next_look": now + pause, "noted": evidence})
        if look.lends_slot and connection.execute(_LEND_SLOT, {"ours": row.reference, "now": now}).rowcount:
            lent.append(row.reference)
    return lent


def doubt_about(connection: Connection, now: float, reference: str) -> Doubt | None:
    """Return what is known of a create in doubt; None if it is in none."""
    row = connection.execute(_DOUBT, {"ours": key(reference)}).one_or_none()
    return None if row is None else _doubt_of(row, now)


def without_task_among(connection: Connection, account: str | None, references: Sequence[str]) -> list[Job]:
    """Return those of an account's creates, of all users, of which no task is known; also of refused ones."""
    called_so = C.reference.in_([key(reference) for reference in references])
    mine = and_(C.account == account, called_so, in_state(*states_before("created")))
    return [job_of(row) for row in connection.execute(select(*_COLUMNS).where(mine))]


def _doubt_of(row: Row[Any], now: float) -> Doubt:
    evidence: dict[str, Any] = row.evidence or {}
    return Doubt(
        job=job_of(row),
        age=now - (row.created_at if row.sent_at is None else row.sent_at),
        lasts=now - row.updated_at,
        looks=evidence.get("looks", 0),
        findings=tuple(Finding(*finding) for finding in evidence.get("findings", ())),
    )
