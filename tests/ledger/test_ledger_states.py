"""The life of a paid create: every pair of states is allowed or refused, in the table and on the disk alike."""

from collections.abc import Awaitable, Callable
from itertools import product

import pytest

from kolors_mcp.clock import Clock
from kolors_mcp.errors import LedgerError
from kolors_mcp.ledger.job import NewJob
from kolors_mcp.ledger.ledger import Ledger
from kolors_mcp.ledger.rows import JOINED_FOR_SECONDS, Whose, joinable, spent_since
from kolors_mcp.ledger.states import RULES, STATES, JobState, states_before
from tests.support.ledger_deeds import account

pytestmark = pytest.mark.anyio

ALLOWED: set[tuple[JobState, JobState]] = {
    ("sending", "created"),
    ("sending", "refused"),
    ("sending", "unconfirmed"),
    ("refused", "created"),
    ("unconfirmed", "created"),
    ("unconfirmed", "refused"),
}
REFUSED: set[tuple[JobState, JobState]] = {
    ("sending", "sending"),
    ("created", "sending"),
    ("created", "created"),
    ("created", "refused"),
    ("created", "unconfirmed"),
    ("refused", "sending"),
    ("refused", "refused"),
    ("refused", "unconfirmed"),
    ("unconfirmed", "sending"),
    ("unconfirmed", "unconfirmed"),
}
Deed = Callable[[], Awaitable[object]]
NEW = NewJob("k-1", "local", "f-1", None, ("a", "b"), fresh=True)
WHOSE = Whose(account(), "local")
NOON = 1_760_097_600.0


async def bring(ledger: Ledger, state: JobState) -> None:
    """Bring the one create that there is into a state, if it may come there."""
    deeds: dict[JobState, Deed] = {
        "sending": lambda: ledger.reserve(NEW),
        "created": lambda: ledger.created("k-1", "8812", "submitted"),
        "refused": lambda: ledger.refused("k-1", 1303),
        "unconfirmed": lambda: ledger.unconfirmed("k-1"),
    }
    await deeds[state]()


def test_every_pair_of_states_is_allowed_or_refused_by_name() -> None:
    assert set(product(STATES, STATES)) == ALLOWED | REFUSED
    assert not ALLOWED & REFUSED
    assert {(before, after) for after in STATES for before in states_before(after)} == ALLOWED
    assert RULES.keys() == set(STATES)


@pytest.mark.parametrize(("before", "after"), sorted(ALLOWED | REFUSED), ids=" to ".join)
async def test_the_ledger_goes_where_the_table_lets_it_go_and_nowhere_else(before: JobState, after: JobState) -> None:
    now = NOON
    ledger = await Ledger.open("sqlite://", clock=Clock(wall=lambda: now), account=account)
    try:
        for state in dict.fromkeys(("sending", before)):
            await bring(ledger, state)
        [found] = await ledger.recent("local", 9)
        assert found.state == before
        now += 1
        if after == "sending":
            # A reference is reserved once, and then never again.
            with pytest.raises(LedgerError):
                await bring(ledger, after)
        else:
            await bring(ledger, after)
        [then] = await ledger.recent("local", 9)
        assert (then == found) is ((before, after) in REFUSED)
        assert then.state == (after if (before, after) in ALLOWED else before)
    finally:
        await ledger.aclose()


@pytest.mark.parametrize("state", STATES)
async def test_what_counts_as_spent_and_what_is_joined_is_as_the_table_says(state: JobState) -> None:
    now = NOON
    ledger = await Ledger.open("sqlite://", clock=Clock(wall=lambda: now), account=account)
    try:
        await bring(ledger, "sending")
        now += 300
        if state != "sending":
            await bring(ledger, state)
        [job] = await ledger.recent("local", 9)
        rules = RULES[state]
        assert await ledger.database.read(lambda connection: spent_since(connection, WHOSE, 0, 9)) == int(
            rules.counts_as_spent
        )
        joined_since = rules.joined_since and getattr(job, rules.joined_since)
        for seconds in (599, 600, 899, 900):
            now = NOON + seconds
            found = await ledger.database.read(lambda connection: joinable(connection, WHOSE, NEW, now))  # noqa: B023  (awaited here)
            assert (found is not None) is (joined_since is not None and now - joined_since < JOINED_FOR_SECONDS), (
                seconds
            )
    finally:
        await ledger.aclose()
