"""Which rows are meant, what they say, and how text becomes something that a database can hold."""

import hashlib
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Row,
    Update,
    and_,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)

from kolors_mcp.ledger.job import Job, NewJob
from kolors_mcp.ledger.schema import TRY_ONS
from kolors_mcp.ledger.states import RULES, SPENT, JobState
from kolors_mcp.wording import plain

JOINED_FOR_SECONDS = 600.0
"""For which the same request joins the one before it, and for which a doubt keeps it from being sent again."""
MAX_KEY_CHARACTERS = 500
"""Characters of an id that is stored as it is; Kling's have 18."""

C = TRY_ONS.c


def in_state(*states: JobState) -> ColumnElement[bool]:
    """What is in one of these states."""
    # Not `in_`, whose list is written into the text of the statement anew each time.
    return or_(*(C.state == state for state in states))


def named(name: str | BindParameter[str]) -> ColumnElement[bool]:
    """What is called so: has this reference of ours, or this task id of Kling's."""
    return or_(C.reference == name, C.task_id == name)


# Statements that every create or look needs are made once: putting one together takes longer than SQLite needs for it.

RESERVE = insert(TRY_ONS)

_ONE = select(TRY_ONS).where(C.user == bindparam("owner"), named(bindparam("name"))).order_by(C.id.desc()).limit(1)
_JOINABLE = (
    select(TRY_ONS)
    .where(
        C.user == bindparam("owner"),
        C.fingerprint == bindparam("fingerprint"),
        C.model_name.is_not_distinct_from(bindparam("model_name")),
        or_(
            *(
                and_(C.state == state, C[rules.joined_since] > bindparam("since"))
                for state, rules in RULES.items()
                if rules.joined_since is not None
            )
        ),
        C.status.is_distinct_from("failed"),
    )
    .order_by(C.id.desc())
    .limit(1)
)
_SPENT_SINCE = (
    select(func.count())
    .select_from(TRY_ONS)
    .where(C.user == bindparam("owner"), C.created_at >= bindparam("since"), in_state(*SPENT))
)


@cache
def change(before: tuple[JobState, ...], columns: tuple[str, ...]) -> Update:
    """Return the statement that sets `columns` (as `new_...`) of the job `ours` if it is in a state of `before`."""
    values: dict[str, ColumnElement[Any]] = {name: bindparam(f"new_{name}") for name in columns}
    return update(TRY_ONS).where(C.reference == bindparam("ours"), in_state(*before)).values(values)


def joinable(connection: Connection, new: NewJob, now: float) -> Job | None:
    """Return what the same request joins: open or good for ten minutes from its start, a doubt for ten from its own."""
    same = {
        "owner": key(new.user),
        "fingerprint": key(new.fingerprint),
        "model_name": new.model_name,
        "since": now - JOINED_FOR_SECONDS,
    }
    row = connection.execute(_JOINABLE, same).one_or_none()
    return None if row is None else job_of(row)


def spent_since(connection: Connection, user: str, moment: float) -> int:
    """Return how many of the user's creates since then may have cost money."""
    return connection.execute(_SPENT_SINCE, {"owner": key(user), "since": moment}).scalar_one()


def one_of(connection: Connection, user: str, name: str) -> Job | None:
    """Return the user's newest job with this reference of ours, or this task id of Kling's."""
    row = connection.execute(_ONE, {"owner": key(user), "name": key(name)}).one_or_none()
    return None if row is None else job_of(row)


def newest(connection: Connection, which: ColumnElement[bool], most: int | None = None) -> list[Job]:
    """Return the jobs that `which` is true of, the newest first."""
    rows = connection.execute(select(TRY_ONS).where(which).order_by(C.id.desc()).limit(most))
    return [job_of(row) for row in rows]


def job_of(row: Row[Any]) -> Job:
    """Read a row."""
    human, cloth = row.labels
    return Job(
        reference=row.reference,
        user=row.user,
        fingerprint=row.fingerprint,
        model_name=row.model_name,
        state=row.state,
        task_id=row.task_id,
        status=row.status,
        created_at=row.created_at,
        updated_at=row.updated_at,
        labels=(human, cloth),
        notes=tuple(row.notes),
        saved={int(index): path for index, path in row.saved.items()},
        code=row.code,
    )


def key(text: str) -> str:
    """Return `text` as it is if a database can hold it, else a hash of it: two users never become one."""
    if (
        len(text) <= MAX_KEY_CHARACTERS
        and "\0" not in text
        and not any("\ud800" <= letter <= "\udfff" for letter in text)
    ):
        return text
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def word(status: str | None) -> str | None:
    """Return Kling's word for a status as it is stored."""
    return None if status is None else plain(status, 40)
