"""Which rows are meant, what they say, and how text becomes something that a database can hold."""

import hashlib
from dataclasses import dataclass, fields
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
    text,
    union_all,
    update,
)

from kolors_mcp.ledger.job import Job, NewJob
from kolors_mcp.ledger.schema import IS_OPEN, IS_SPENT, IS_UNCLAIMED, TRY_ONS, C
from kolors_mcp.ledger.states import RULES, JobState
from kolors_mcp.wording import plain

JOINED_FOR_SECONDS = 600.0
"""For which the same request joins the one before it, and for which a doubt keeps it from being sent again."""
MAX_KEY_CHARACTERS = 500
"""Characters of an id that is stored as it is; Kling's have 18."""


def in_state(*states: JobState) -> ColumnElement[bool]:
    """What is in one of these states."""
    # Not `in_`, whose list is written into the text of the statement anew each time.
    return or_(*(C.state == state for state in states))


def named(name: str | BindParameter[str]) -> ColumnElement[bool]:
    """What is called so: has this reference of ours, or this task id of Kling's."""
    return or_(C.reference == name, C.task_id == name)


# Statements that every create or look needs are made once: putting one together takes longer than SQLite needs for it.

RESERVE = insert(TRY_ONS)
ADOPT = update(TRY_ONS).where(IS_UNCLAIMED).values(account=bindparam("new_account"))
"""Gives the rows of a layout that knew no accounts to the first account that opens the ledger."""

_JOB = tuple(C[column.name] for column in fields(Job))
_MINE = and_(C.user == bindparam("owner"), C.account == bindparam("account"))
_NAMED = union_all(
    select(C.id).where(C.reference == bindparam("name")), select(C.id).where(C.task_id == bindparam("name"))
)
# Each name has an index of its own; asked with "or", SQLite would read all rows of the user.
_ONE = select(*_JOB).where(_MINE, C.id.in_(_NAMED)).order_by(C.id.desc()).limit(1)
_LATEST = select(*_JOB).where(_MINE).order_by(C.id.desc()).limit(bindparam("most"))
_DOUBTS = (
    select(*_JOB)
    .where(
        _MINE,
        IS_OPEN,
        # Says nothing new. By it, and by an order that no index has, SQLite takes the index of the open ones.
        text("state in ('sending', 'unconfirmed')"),
        or_(C.state == "unconfirmed", and_(C.state == "sending", C.created_at <= bindparam("sending_since"))),
    )
    .order_by((C.id + 0).desc())
)
_JOINABLE = (
    select(*_JOB)
    .where(
        _MINE,
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
_SPENT_SINCE = select(func.count()).select_from(
    # Only whether the limit is reached matters, so no more rows are read than that.
    select(C.id).where(_MINE, C.created_at >= bindparam("since"), IS_SPENT).limit(bindparam("most")).subquery()
)


@cache
def change(before: tuple[JobState, ...], columns: tuple[str, ...]) -> Update:
    """Return the statement that sets `columns` (as `new_...`) of the job `ours` if it is in a state of `before`."""
    values: dict[str, ColumnElement[Any]] = {name: bindparam(f"new_{name}") for name in columns}
    return update(TRY_ONS).where(C.reference == bindparam("ours"), in_state(*before)).values(values)


@dataclass(frozen=True)
class Whose:
    """Whose jobs are meant: one user's of one account."""

    account: str | None
    """None: there are no keys, so nothing is anybody's."""
    user: str

    @property
    def bound(self) -> dict[str, str | None]:
        """What the statements call them."""
        return {"owner": key(self.user), "account": self.account}


def joinable(connection: Connection, whose: Whose, new: NewJob, now: float) -> Job | None:
    """Return what the same request joins: open or good for ten minutes from its start, a doubt for ten from its own."""
    same = {
        **whose.bound,
        "fingerprint": key(new.fingerprint),
        "model_name": new.model_name,
        "since": now - JOINED_FOR_SECONDS,
    }
    row = connection.execute(_JOINABLE, same).one_or_none()
    return None if row is None else job_of(row)


def spent_since(connection: Connection, whose: Whose, moment: float, most: int) -> int:
    """Return how many creates since then may have cost money; the counting ends with `most`."""
    return connection.execute(_SPENT_SINCE, {**whose.bound, "since": moment, "most": most}).scalar_one()


def one_of(connection: Connection, whose: Whose, name: str) -> Job | None:
    """Return the newest job with this reference of ours, or this task id of Kling's."""
    row = connection.execute(_ONE, {**whose.bound, "name": key(name)}).one_or_none()
    return None if row is None else job_of(row)


def latest_of(connection: Connection, whose: Whose, most: int) -> list[Job]:
    """Return the latest jobs, the newest first."""
    return [job_of(row) for row in connection.execute(_LATEST, {**whose.bound, "most": most})]


def doubts_of(connection: Connection, whose: Whose, sending_since: float) -> list[Job]:
    """Return what is in doubt, or has been sending since then or longer, the newest first."""
    return [job_of(row) for row in connection.execute(_DOUBTS, {**whose.bound, "sending_since": sending_since})]


def newest(connection: Connection, which: ColumnElement[bool], most: int | None = None) -> list[Job]:
    """Return the jobs that `which` is true of, the newest first."""
    rows = connection.execute(select(*_JOB).where(which).order_by(C.id.desc()).limit(most))
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
        account=row.account,
        endpoint=row.endpoint,
        final_at=row.final_at,
        units=row.units,
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
