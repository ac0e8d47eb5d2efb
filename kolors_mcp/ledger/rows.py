"""Which rows are meant, what they say, and how text becomes something that a database can hold."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    func,
    insert,
    or_,
    select,
    union_all,
    update,
)

from kolors_mcp.ledger.job import Job, NewJob, Refusals
from kolors_mcp.ledger.leases import HAS_LAPSED, in_state
from kolors_mcp.ledger.schema import IS_SPENT, IS_UNCLAIMED, TRY_ONS, C
from kolors_mcp.ledger.states import JOINED
from kolors_mcp.wording import plain

JOINED_FOR_SECONDS = 600.0
"""For which the same request joins one that Kling has finished, from its end."""
SAME_FRESH_SECONDS = 60.0
"""In which a request that joins nothing is taken for a repetition of its first, from when that one left."""
LOOKED_UP_AT_ONCE = 500
"""Ids in one query; older SQLites take at most 999 values."""
MAX_KEY_CHARACTERS = 500
"""Characters of an id that is stored as it is; Kling's have 18."""


def named(name: str | BindParameter[str]) -> ColumnElement[bool]:
    """What is called so: has this reference of ours, or this task id of Kling's."""
    return or_(C.reference == name, C.task_id == name)


# Statements that every create or look needs are made once: putting one together takes longer than SQLite needs for it.

RESERVE = insert(TRY_ONS)
ADOPT = update(TRY_ONS).where(IS_UNCLAIMED).values(account=bindparam("new_account"))
"""Gives the rows of a layout that knew no accounts to the first account that opens the ledger."""

JOB_COLUMNS = tuple(C[column.name] for column in fields(Job))
MINE = and_(C.user == bindparam("owner"), C.account == bindparam("account"))
_NAMED = union_all(
    select(C.id).where(C.reference == bindparam("name")), select(C.id).where(C.task_id == bindparam("name"))
)
# Each name has an index of its own; asked with "or", SQLite would read all rows of the user.
_FOUND = (*JOB_COLUMNS, HAS_LAPSED.label("has_lapsed"))
_ONE = select(*_FOUND).where(MINE, C.id.in_(_NAMED)).order_by(C.id.desc()).limit(1)
NEWEST = select(*JOB_COLUMNS).where(MINE).order_by(C.id.desc())
"""All jobs of one user, the newest first."""
_LATEST = NEWEST.limit(bindparam("most"))
# By their numbers, or SQLite would read all rows of the user.
_WITH_IDS = NEWEST.where(C.id.in_(select(C.id).where(C.task_id.in_(bindparam("task_ids", expanding=True)))))
_SAME = (
    select(*_FOUND)
    .where(
        MINE,
        C.fingerprint == bindparam("fingerprint"),
        C.model_name.is_not_distinct_from(bindparam("model_name")),
        in_state(*JOINED),
        C.status.is_distinct_from("failed"),
    )
    .order_by(C.id.desc())
    .limit(1)
)
_JOINABLE = _SAME.where(or_(C.final_at.is_(None), C.final_at > bindparam("since")))
_SAME_FRESH = _SAME.where(
    C.fresh.is_not(None),
    or_(C.state != "created", func.coalesce(C.posted_at, C.created_at) > bindparam("since")),
)
_SPENT_AS_OFTEN = (
    # Only whether there are so many, and nothing of what is in them: then the index alone is read, and that no further.
    select(C.id).where(MINE, C.created_at >= bindparam("since"), IS_SPENT).limit(1).offset(bindparam("others"))
)

_SPENT = select(func.count()).where(MINE, C.created_at >= bindparam("since"), IS_SPENT)


@cache
def _refused(codes: tuple[int, ...]) -> Select[Any]:
    return (
        select(*JOB_COLUMNS)
        .where(
            MINE,
            C.fingerprint == bindparam("fingerprint"),
            C.model_name.is_not_distinct_from(bindparam("model_name")),
            C.state == "refused",
            or_(*(C.code == code for code in codes)),  # see `in_state`
            C.posted_at.is_not(None),
            C.updated_at > bindparam("since"),
        )
        .order_by(C.id.desc())
        .limit(bindparam("most"))
    )


@dataclass(frozen=True)
class Whose:
    """Whose jobs are meant: one user's of one account."""

    account: str | None
    """None: there are no keys, so no row belongs to it."""
    user: str

    @property
    def bound(self) -> dict[str, str | None]:
        """What the statements call them."""
        return {"owner": key(self.user), "account": self.account}


@dataclass(frozen=True)
class Found:
    """A row that was looked for."""

    job: Job
    has_lapsed: bool
    """Whether no process has it in hand any more, so that what this means is still to be written down."""


def joinable(connection: Connection, whose: Whose, new: NewJob, now: float) -> Found | None:
    """Return the newest that the same request joins.

    That is one that is being sent, is running or is in doubt, however old; or that was finished in the last ten minutes
    and has not failed. A fresh request joins only a fresh one, and that only for a minute once Kling has taken it.
    """
    statement, seconds = (_SAME_FRESH, SAME_FRESH_SECONDS) if new.fresh else (_JOINABLE, JOINED_FOR_SECONDS)
    same = {
        **whose.bound,
        "fingerprint": key(new.fingerprint),
        "model_name": new.model_name,
        "now": now,
        "since": now - seconds,
    }
    row = connection.execute(statement, same).one_or_none()
    return None if row is None else Found(job_of(row), bool(row.has_lapsed))


def refused_of(connection: Connection, whose: Whose, new: NewJob, refusals: Refusals, now: float) -> list[Job]:
    """Return the same requests that left and were refused so, the newest first."""
    same = {
        **whose.bound,
        "fingerprint": key(new.fingerprint),
        "model_name": new.model_name,
        "since": now - refusals.seconds,
        "most": refusals.most,
    }
    return [job_of(row) for row in connection.execute(_refused(refusals.codes), same)]


def has_spent(connection: Connection, whose: Whose, since: float, times: int) -> bool:
    """Whether so many creates since then may have cost money; those of a process that is dead count until it is missed.

    Args:
        connection: In a transaction.
        whose: Creates.
        since: A moment.
        times: At least 1.
    """
    bound = {**whose.bound, "since": since, "others": times - 1}
    return connection.execute(_SPENT_AS_OFTEN, bound).first() is not None


def spent_since(connection: Connection, whose: Whose, since: float) -> int:
    """Return how many creates since then may have cost money."""
    return connection.execute(_SPENT, {**whose.bound, "since": since}).scalar_one()


def one_of(connection: Connection, whose: Whose, name: str, now: float) -> Found | None:
    """Return the newest job with this reference of ours, or this task id of Kling's."""
    row = connection.execute(_ONE, {**whose.bound, "name": key(name), "now": now}).one_or_none()
    return None if row is None else Found(job_of(row), bool(row.has_lapsed))


def latest_of(connection: Connection, whose: Whose, most: int) -> list[Job]:
    """Return the latest jobs, the newest first."""
    return [job_of(row) for row in connection.execute(_LATEST, {**whose.bound, "most": most})]


def jobs_with(connection: Connection, whose: Whose, task_ids: Sequence[str]) -> dict[str, Job]:
    """Return the newest job for each of Kling's ids that there is one for."""
    wanted = {key(task_id): task_id for task_id in task_ids}
    keys = list(wanted)
    found: dict[str, Job] = {}
    for start in range(0, len(keys), LOOKED_UP_AT_ONCE):
        # The newest comes first, and stays.
        for row in connection.execute(_WITH_IDS, {**whose.bound, "task_ids": keys[start : start + LOOKED_UP_AT_ONCE]}):
            job = job_of(row)
            found.setdefault(wanted[job.task_id or ""], job)
    return found


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
        turn=row.turn,
        posted_at=row.posted_at,
        final_at=row.final_at,
        units=row.units,
        label=row.label,
        look_at=row.look_at,
    )


def key(text: str) -> str:
    """Return `text` as it is if a database can hold it, else a hash of it: two users never become one."""
    if (
        len(text) <= MAX_KEY_CHARACTERS
        and "\0" not in text
        and (text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text))
    ):
        return text
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def word(status: str | None) -> str | None:
    """Return Kling's word for a status as it is stored."""
    return None if status is None else plain(status, 40)
