"""Which process has a create in hand, whether it still lives, and whose turn it is to let the request leave whole.

A process that sends a create holds it under a lease, which it renews. Once the lease has lapsed, the process is dead
or has been stopped for long, and the first who looks writes down what that means. From then on the marks of the old
holder, should it wake up, find nothing to change: it never lets the last piece of its request leave.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Connection, Update, and_, bindparam, case, null, or_, update

from kolors_mcp.ledger.schema import IS_OPEN, TRY_ONS, C
from kolors_mcp.ledger.states import BEING_SENT, HELD, JobState, states_before

LEASE_SECONDS = 15.0
"""For which a process is taken to live after its last sign of life, by the ledger's clock."""
RENEWED_AT_ONCE = 500
"""References in one statement; older SQLites take at most 999 values."""


def in_state(*states: JobState) -> ColumnElement[bool]:
    """What is in one of these states."""
    # Not `in_`, whose list is written into the text of the statement anew each time.
    return or_(*(C.state == state for state in states))


# Whoever sends it next has its pictures, and looks first whether it was made in an earlier turn.
_GOES_ON = and_(C.state == "sending", C.shelved.is_not(None))
# Kling may have had one whole that was sent in an earlier turn, though it said no to it.
_NEVER_WHOLE = or_(C.state == "waiting", and_(C.state == "sending", C.posted_at.is_(None)))
HAS_LAPSED = and_(in_state(*HELD), C.lease_until <= bindparam("now"))
"""What no process has in hand any more."""

_LAPSE = (
    update(TRY_ONS)
    .where(HAS_LAPSED)
    .values(
        state=case((_GOES_ON, "waiting"), (_NEVER_WHOLE, "refused"), else_="unconfirmed"),
        # Its old holder can let nothing leave in the turn after its own.
        turn=case((_GOES_ON, C.turn + 1), else_=C.turn),
        lease_until=case((_GOES_ON, null()), else_=C.lease_until),
        updated_at=bindparam("now"),
    )
)
_LAPSE_ONE = _LAPSE.where(C.reference == bindparam("ours"))
_LAPSE_OF_ACCOUNT = _LAPSE.where(C.account == bindparam("its_account"), IS_OPEN)
_LAPSE_OF_USER = _LAPSE_OF_ACCOUNT.where(C.user == bindparam("owner"))

_MINE = and_(C.reference == bindparam("ours"), C.holder == bindparam("me"))
MY_TURN = and_(_MINE, C.turn == bindparam("my_turn"))
_MY_NEXT_TURN = and_(_MINE, C.turn == bindparam("my_turn") + 1, C.state == "sending")
_LEASED: dict[str, BindParameter[float]] = {"lease_until": bindparam("until"), "updated_at": bindparam("now")}
# A mark or a turn of ours that is there already was made by the same statement, whose answer was lost on the way.
_MARK = (
    update(TRY_ONS)
    .where(MY_TURN, in_state(*states_before("posting"), "posting"))
    .values(state="posting", posted_at=bindparam("now"), **_LEASED)
)
_NEXT = (
    update(TRY_ONS)
    .where(or_(and_(MY_TURN, in_state(*BEING_SENT)), _MY_NEXT_TURN))
    .values(state="sending", turn=bindparam("my_turn") + 1, **_LEASED)
)


@dataclass(frozen=True)
class Hand:
    """Who has a create in hand, in which turn."""

    holder: str
    reference: str
    turn: int

    @property
    def bound(self) -> dict[str, Any]:
        """What `MY_TURN` calls them."""
        return {"ours": self.reference, "me": self.holder, "my_turn": self.turn}


def mark_posting(connection: Connection, now: float, holder: str, reference: str, turn: int) -> bool:
    """Mark that the request is about to leave whole, if it is still the holder's turn; return whether it is."""
    return _change(connection, _MARK, now, holder, reference, turn)


def begin_next_turn(connection: Connection, now: float, holder: str, reference: str, turn: int) -> bool:
    """Begin the turn after this one, in which the request is sent anew; return whether it was still the holder's.

    A mark for the turn before that is still on its way comes too late then.
    """
    return _change(connection, _NEXT, now, holder, reference, turn)


def renew(connection: Connection, now: float, holder: str, references: Sequence[str]) -> int:
    """Give a sign of life for what a process has in hand; return for how many of these that is so.

    What was written down for lapsed stays so.
    """
    renewed = 0
    for start in range(0, len(references), RENEWED_AT_ONCE):
        mine = C.reference.in_(references[start : start + RENEWED_AT_ONCE])
        # Without a lease is what waits on the shelf: it is in nobody's hand.
        held = update(TRY_ONS).where(mine, C.holder == holder, in_state(*HELD), C.lease_until.is_not(None))
        renewed += connection.execute(held.values(lease_until=now + LEASE_SECONDS)).rowcount
    return renewed


def write_down_lapsed(connection: Connection, now: float, reference: str) -> None:
    """Write down what became of one that no process has in hand any more: nothing, unless it ever left whole.

    One whose pictures lie on the shelf goes back to its place in the line, unless it may have left in this very turn.
    """
    connection.execute(_LAPSE_ONE, {"ours": reference, "now": now})


def write_down_all_lapsed(connection: Connection, now: float, account: str | None) -> None:
    """Do so for all of an account."""
    connection.execute(_LAPSE_OF_ACCOUNT, {"its_account": account, "now": now})


def write_down_lapsed_of(connection: Connection, now: float, user: str, account: str) -> bool:
    """Do so for all of a user's; return whether there were any."""
    return connection.execute(_LAPSE_OF_USER, {"owner": user, "its_account": account, "now": now}).rowcount > 0


def _change(connection: Connection, change: Update, now: float, holder: str, reference: str, turn: int) -> bool:
    bound = {"ours": reference, "me": holder, "my_turn": turn, "now": now, "until": now + LEASE_SECONDS}
    return connection.execute(change, bound).rowcount > 0
