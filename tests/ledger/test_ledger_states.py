"""The life of a paid create: every pair of states is allowed or refused, in the table and on the disk alike."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from kolors_mcp.clock import Clock
from kolors_mcp.ledger.claims import Setback
from kolors_mcp.ledger.job import NewJob
from kolors_mcp.ledger.leases import LEASE_SECONDS
from kolors_mcp.ledger.ledger import Ledger
from kolors_mcp.ledger.line import LedgerLine
from kolors_mcp.ledger.rows import Whose, has_spent, joinable
from kolors_mcp.ledger.slots import Terms
from kolors_mcp.ledger.states import RULES, STATES, JobState, states_before
from kolors_mcp.ledger.wakes import Wakes
from tests.support.ledger_deeds import account

pytestmark = pytest.mark.anyio

ALLOWED: set[tuple[JobState, JobState]] = {
    ("waiting", "sending"),
    ("waiting", "created"),
    ("waiting", "refused"),
    ("sending", "waiting"),
    ("sending", "posting"),
    ("sending", "created"),
    ("sending", "refused"),
    ("sending", "unconfirmed"),
    ("posting", "waiting"),
    ("posting", "sending"),
    ("posting", "created"),
    ("posting", "refused"),
    ("posting", "unconfirmed"),
    ("refused", "created"),
    ("unconfirmed", "created"),
    ("unconfirmed", "refused"),
}
REFUSED: set[tuple[JobState, JobState]] = set(product(STATES, STATES)) - ALLOWED
Deed = Callable[[], Awaitable[object]]
NEW = NewJob("k-1", "local", "f-1", None, ("a", "b"), fresh=True)
SAME = NewJob("k-2", "local", "f-1", None, ("a", "b"))
WHOSE = Whose(account(), "local")
NOON = 1_760_097_600.0

DRAWN = Path(__file__).parents[2] / "docs" / "decisions" / "0012-the-life-of-a-paid-create-and-who-owns-it.md"


def test_the_table_that_people_read_is_the_one_that_the_ledger_goes_by() -> None:
    rows = [line.strip("|").split("|") for line in DRAWN.read_text("utf-8").splitlines() if line.startswith("| `")]
    drawn = {row[0].strip(" `"): row for row in rows}
    assert list(drawn) == list(STATES)
    for state in STATES:
        _name, may_become, is_spent, is_joined, *_ = (cell.strip() for cell in drawn[state])
        assert set(re.findall(r"\w+", may_become)) & set(STATES) == set(RULES[state].may_become), state
        assert is_spent.startswith("yes") == RULES[state].counts_as_spent, state
        assert (is_joined != "never") == RULES[state].is_joined, state


def with_slots(ledger: Ledger, slots: int) -> LedgerLine:
    """Open the line of an account that has so many."""
    ledger.open_line(Terms(slots, 100, 600.0), Wakes("sqlite://", Clock()))
    assert ledger.line is not None
    return ledger.line


async def begin(ledger: Ledger, state: JobState) -> None:
    """Reserve the one create that there is, and bring it into a state."""
    if state == "waiting":
        with_slots(ledger, 0)
    await ledger.reserve(NEW)
    if state not in ("waiting", "sending"):
        await bring(ledger, state)


async def bring(ledger: Ledger, state: JobState) -> None:
    """Bring the one create that there is into a state, if it may come there."""

    async def let_in() -> object:
        [job] = await ledger.recent("local", 9)
        return await (with_slots(ledger, 1).claim(1) if job.state == "waiting" else ledger.begin_next_turn("k-1", 1))

    deeds: dict[JobState, Deed] = {
        "waiting": lambda: with_slots(ledger, 1).give_back("k-1", 1, "waiting/k-1", Setback()),
        "sending": let_in,
        "posting": lambda: ledger.mark_posting("k-1", 1),
        "created": lambda: ledger.created("k-1", "8812", "submitted"),
        "refused": lambda: ledger.refused("k-1", 1303),
        "unconfirmed": lambda: ledger.unconfirmed("k-1"),
    }
    await deeds[state]()


def test_the_table_says_of_every_pair_of_states_whether_it_is_allowed() -> None:
    assert {(before, after) for after in STATES for before in states_before(after)} == ALLOWED
    assert RULES.keys() == set(STATES)


@pytest.mark.parametrize(
    ("before", "after"), sorted(ALLOWED | REFUSED), ids=[" to ".join(pair) for pair in sorted(ALLOWED | REFUSED)]
)
async def test_the_ledger_goes_where_the_table_lets_it_go_and_nowhere_else(before: JobState, after: JobState) -> None:
    now = NOON
    ledger = await Ledger.open("sqlite://", clock=Clock(wall=lambda: now), account=account)
    try:
        await begin(ledger, before)
        [found] = await ledger.recent("local", 9)
        assert found.state == before
        now += 1
        await bring(ledger, after)
        [then] = await ledger.recent("local", 9)
        if (before, after) == ("sending", "sending"):
            assert then.turn == 2, "another turn is another chance to send it, in the same state"
        elif (before, after) == ("posting", "posting"):
            assert then == replace(found, posted_at=now, updated_at=now), "a mark is made again if its answer was lost"
        else:
            assert (then == found) is ((before, after) in REFUSED)
        assert then.state == (after if (before, after) in ALLOWED else before)
    finally:
        await ledger.aclose()


@pytest.mark.parametrize("state", STATES)
async def test_what_counts_as_spent_and_what_is_joined_is_as_the_table_says(state: JobState) -> None:
    now = NOON
    ledger = await Ledger.open("sqlite://", clock=Clock(wall=lambda: now), account=account)
    try:
        await begin(ledger, state)
        for seconds in (0, LEASE_SECONDS - 1, 80_000):
            now = NOON + seconds
            await ledger.renew(["k-1"])
            spent = await ledger.database.read(lambda connection: has_spent(connection, WHOSE, 0, 1))
            assert spent is RULES[state].counts_as_spent
            found = await ledger.database.read(lambda connection: joinable(connection, WHOSE, SAME, now))  # noqa: B023  (awaited here)
            assert (found is not None) is RULES[state].is_joined
    finally:
        await ledger.aclose()
