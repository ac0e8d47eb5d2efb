"""Who is let in next: wishes come into the line of an account, are claimed when there is a slot, and may come back.

The order is start-time fair queueing: a wish's tag is one more than the highest of its user, but never less than that
of whoever was let in last. So each user's first wish comes before another's second, and nobody waits for ever. All of
it is done under the line's lock, of which there is one for each account.
"""

from dataclasses import dataclass

from sqlalchemy import BindParameter, Connection, bindparam, func, null, or_, select, update

from kolors_mcp.ledger.job import Job, LineFullError
from kolors_mcp.ledger.leases import LEASE_SECONDS, MY_TURN, Hand, in_state, write_down_all_lapsed
from kolors_mcp.ledger.rows import JOB_COLUMNS, Whose, job_of
from kolors_mcp.ledger.schema import IS_OPEN, TRY_ONS, C
from kolors_mcp.ledger.slots import (
    LEARNED_SECONDS,
    WAITS,
    Counts,
    Terms,
    note_line,
    place_at,
    standing,
)
from kolors_mcp.ledger.states import BEING_SENT

TAG_DIGITS = 12
"""A tag is a text of so many digits, so that it sorts as the number does."""
LAST_ROW = 2**62
"""After every row that there is."""


@dataclass(frozen=True)
class Claimed:
    """A wish whose turn it is, in the hand of the process that has claimed it."""

    job: Job
    shelved: str | None
    """Under which name its pictures lie on the shelf; None: they are in the memory of that process."""
    callback_url: str | None
    """Which address Kling is to call."""


@dataclass(frozen=True)
class Setback:
    """Why one that had a slot goes back into the line."""

    code: int | None = None
    """Kling's, where the account was busy in spite of the slot."""
    seconds: float = 0.0
    """For which it is not let in again: until Kling would show what it has made all the same, or may be asked again."""
    learned_seconds: float = LEARNED_SECONDS
    """For which a busy account is taken to have no more slots than were held when it said so."""


# What a busy account said no to is looked for before it is sent again, and would not show yet.
_MAY_GO = or_(C.look_at.is_(None), C.look_at <= bindparam("now"))
_FIRST = select(C.id, C.reference, C.tag, C.shelved, C.holder).where(WAITS, _MAY_GO).order_by(C.tag, C.id)
_LET_IN = (
    update(TRY_ONS)
    .where(C.id == bindparam("which"))
    .values(
        state="sending",
        holder=bindparam("me"),
        turn=C.turn + 1,
        lease_until=bindparam("until"),
        updated_at=bindparam("now"),
    )
)
_MINE = select(*JOB_COLUMNS, C.shelved, C.callback_url).where(
    C.account == bindparam("account"), IS_OPEN, C.state == "sending", C.holder == bindparam("me")
)
_HIGHEST = (
    select(C.tag)
    .where(C.user == bindparam("owner"), C.account == bindparam("account"), C.tag.is_not(None))
    .order_by(C.id.desc())
    .limit(1)
)
_OF_USER = select(
    select(func.count()).where(WAITS, C.user == bindparam("owner")).scalar_subquery().label("waiting"),
    _HIGHEST.scalar_subquery().label("highest"),
)
_SHELVE = (
    update(TRY_ONS)
    .where(MY_TURN, C.state == "waiting")
    .values(shelved=bindparam("name"), holder=null(), lease_until=null(), updated_at=bindparam("now"))
)
_CODE: BindParameter[int] = bindparam("new_code")
_GIVE_BACK = (
    update(TRY_ONS)
    .where(MY_TURN, in_state(*BEING_SENT))
    .values(
        state="waiting",
        shelved=bindparam("name"),
        holder=null(),
        lease_until=null(),
        turn=C.turn + 1,
        code=func.coalesce(_CODE, C.code),
        look_at=bindparam("again_at"),
        updated_at=bindparam("now"),
    )
)
# What is there already was done by the same statement, whose answer was lost on the way.
_LIES_THERE = select(C.id).where(C.reference == bindparam("ours"), C.shelved == bindparam("name"))
_IS_BACK = select(C.id).where(
    C.reference == bindparam("ours"), C.state == "waiting", C.turn == bindparam("my_turn") + 1
)


def settled(connection: Connection, now: float, account: str, slots: int) -> Counts:
    """Count the line of an account, once it is written down what became of what no process has in hand any more."""
    counts = standing(connection, now, account, slots)
    if counts.lapsed:
        write_down_all_lapsed(connection, now, account)
        counts = standing(connection, now, account, slots)
    return counts


def enter(connection: Connection, whose: Whose, terms: Terms, counts: Counts) -> str:
    """Return the tag of a new wish of a user's.

    Args:
        connection: In a transaction that has the line's lock.
        whose: Wish.
        terms: Of the line.
        counts: What there is of it.

    Raises:
        LineFullError: They have as many in line as they may, or it would wait for too long.
    """
    assert whose.account is not None
    own = connection.execute(_OF_USER, whose.bound).one()
    if own.waiting >= terms.max_waiting:
        raise LineFullError(
            f"You have {own.waiting} try-ons in line, which is as many as one user may have (KOLORS_MAX_WAITING). No "
            "task was created. Create it again when one of them is through."
        )
    tag = f"{counts.clock if own.highest is None else max(counts.clock, int(own.highest) + 1):0{TAG_DIGITS}d}"
    place = place_at(connection, whose.account, counts, tag, LAST_ROW)
    if place.seconds > terms.max_wait_seconds:
        raise LineFullError(
            f"Too many try-ons are in line: {place.before} before this one, which would wait for about "
            f"{place.seconds:.0f} seconds; at most {terms.max_wait_seconds:.0f} are let in (KOLORS_MAX_WAIT_SECONDS). "
            "No task was created. Create it again in a few minutes."
        )
    return tag


def claim(
    connection: Connection, now: float, account: str, holder: str, counts: Counts, *, most: int, only: str | None = None
) -> list[Claimed]:
    """Let in who is first, as far as there are slots, and return what the holder is to send.

    A place whose pictures are in the memory of another process that lives stays its. What an earlier claim of the same
    holder let in, whose answer was lost on the way, is returned as well.

    Args:
        connection: In a transaction that has the line's lock.
        now: The ledger's time.
        account: Whose line it is.
        holder: Who claims.
        counts: What there is of the line, which is `settled`.
        most: How many are taken.
        only: The reference of the only one that is.
    """
    free, clock, taken = counts.free, counts.clock, 0
    first = connection.execute(_FIRST.limit(free), {"account": account, "now": now}).all() if free > 0 else ()
    for row in first:
        is_mine = row.shelved is not None or row.holder == holder
        if taken < most and is_mine and only in (None, row.reference):
            connection.execute(_LET_IN, {"which": row.id, "me": holder, "until": now + LEASE_SECONDS, "now": now})
            clock, taken = max(clock, int(row.tag)), taken + 1
    note_let_in(connection, account, counts, clock)
    return [
        Claimed(job_of(row), row.shelved, row.callback_url)
        for row in connection.execute(_MINE, {"account": account, "me": holder})
        if only in (None, row.reference)
    ]


def note_let_in(connection: Connection, account: str, counts: Counts, tag: int) -> None:
    """Write down up to which tag was let in."""
    if tag > counts.clock:
        note_line(connection, account, clock=tag)


def shelve(connection: Connection, now: float, hand: Hand, name: str) -> bool:
    """Write down where the pictures of a waiting one lie, for any process to claim it; False if it waits no more."""
    if connection.execute(_SHELVE, {**hand.bound, "name": name, "now": now}).rowcount:
        return True
    return connection.execute(_LIES_THERE, {"ours": hand.reference, "name": name}).first() is not None


def give_back(
    connection: Connection, now: float, account: str, hand: Hand, name: str, slots: int, setback: Setback
) -> bool:
    """Put what is being sent back to its place in the line; return whether it was still the holder's.

    Args:
        connection: In a transaction that has the line's lock.
        now: The ledger's time.
        account: Whose line it is.
        hand: Who has it. In this turn it was not sent, or certainly came to nothing.
        name: Under which its pictures lie on the shelf.
        slots: That the account has, as far as was known.
        setback: Why it goes back.
    """
    bound = {**hand.bound, "name": name, "now": now, "new_code": setback.code, "again_at": now + setback.seconds}
    if not connection.execute(_GIVE_BACK, bound).rowcount:
        return connection.execute(_IS_BACK, {"ours": hand.reference, "my_turn": hand.turn}).first() is not None
    if setback.code is not None:
        learned = min(slots, standing(connection, now, account, slots).busy)
        note_line(connection, account, learned_slots=learned, learned_until=now + setback.learned_seconds)
    return True
