"""Which wish is the same as one before it, for how long, and how many of them a day may cost money."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event

from kolors_mcp.errors import DailyLimitError
from kolors_mcp.ledger.job import LookFirstError, Refusals
from tests.support.asking import DAY, HOUR, MINUTE, NOON, Asking

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("status", [None, "submitted", "processing"])
async def test_the_same_wish_joins_one_that_runs_however_old_and_a_finished_one_for_ten_minutes(
    asking: Asking, status: str | None
) -> None:
    first = await asking.reserved()
    assert await asking.joined() == first
    await asking.ledger.created(first, "8812", status)
    asking.hand.now += 5 * HOUR
    assert await asking.joined() == first
    await asking.ledger.seen("8812", "succeed")
    asking.hand.now += 10 * MINUTE - 1
    assert await asking.joined() == first
    asking.hand.now += 1
    assert await asking.reserved() != first


@pytest.mark.parametrize(
    ("finished_at", "expected"),
    [(None, NOON + HOUR), (NOON + MINUTE, NOON + MINUTE), (NOON - DAY, NOON), (NOON + 9 * DAY, NOON + HOUR)],
)
async def test_a_wish_has_ended_when_kling_says_so_but_not_before_it_began_nor_in_the_future(
    asking: Asking, finished_at: float | None, expected: float
) -> None:
    first, second = await asking.reserved(), await asking.reserved(fingerprint="f-2")
    await asking.ledger.created(first, "8812", "submitted")
    asking.hand.now += HOUR
    await asking.ledger.seen("8812", "succeed", None, finished_at)
    await asking.ledger.created(second, "8813", "failed", None, finished_at)
    assert [(await asking.job(name)).final_at for name in (first, second)] == [expected] * 2


@pytest.mark.parametrize(
    "other", [{"user": "another"}, {"fingerprint": "f-2"}, {"model_name": "kolors-virtual-try-on-v1"}]
)
async def test_another_wish_does_not_join(asking: Asking, other: dict[str, str]) -> None:
    first = await asking.reserved()
    second = await asking.reserved(**other)
    assert (await asking.joined(), await asking.joined(**other)) == (first, second)


async def test_a_wish_that_was_refused_or_failed_may_be_made_again(asking: Asking) -> None:
    first = await asking.reserved()
    await asking.ledger.refused(first, 1303)
    second = await asking.reserved()
    await asking.ledger.created(second, "8812", "processing")
    await asking.ledger.seen("8812", "failed")
    third = await asking.reserved()
    assert len({first, second, third}) == 3
    assert (await asking.job(first)).code == 1303


async def test_a_fresh_wish_joins_no_other_and_is_the_one_that_is_joined_from_then_on(asking: Asking) -> None:
    first = await asking.reserved()
    second = await asking.reserved(fresh=True)
    assert first != second
    assert await asking.joined() == second


async def test_a_fresh_wish_that_is_repeated_joins_its_first_while_that_is_open_or_younger_than_a_minute(
    asking: Asking,
) -> None:
    first = await asking.reserved(fresh=True)
    asking.hand.now += MINUTE
    await asking.ledger.renew([first])
    assert await asking.joined(fresh=True) == first
    assert await asking.ledger.mark_posting(first, 1)
    asking.hand.now += DAY
    await asking.ledger.unconfirmed(first)
    assert await asking.joined(fresh=True) == first
    await asking.ledger.created(first, "8812", "submitted")
    assert await asking.reserved(fresh=True) != first


async def test_a_fresh_wish_is_a_minute_old_a_minute_after_it_left(asking: Asking) -> None:
    first = await asking.reserved(fresh=True)
    asking.hand.now += 5 * MINUTE
    assert await asking.ledger.mark_posting(first, 1)
    await asking.ledger.created(first, "8812", "succeed")
    asking.hand.now += MINUTE - 1
    assert await asking.joined(fresh=True) == first
    await asking.ledger.seen("8812", "succeed")
    asking.hand.now += 1
    second = await asking.reserved(fresh=True)
    await asking.ledger.created(second, "8813", "failed")
    assert await asking.reserved(fresh=True) not in (first, second)


async def test_a_doubt_keeps_the_wish_from_being_sent_again_however_old_it_is(asking: Asking) -> None:
    first = await asking.reserved()
    await asking.ledger.unconfirmed(first)
    asking.hand.now += 34 * DAY
    assert await asking.joined() == first
    await asking.ledger.refused(first)
    assert await asking.reserved() != first


async def test_the_daily_limit_counts_what_may_have_cost_money(asking: Asking) -> None:
    sending, created, doubtful, refused = [await asking.reserved(fingerprint=f"f-{n}", daily_limit=4) for n in range(4)]
    await asking.ledger.created(created, "8812", "failed")
    await asking.ledger.unconfirmed(doubtful)
    with pytest.raises(DailyLimitError) as reached:
        await asking.wish(fingerprint="f-4", daily_limit=4)
    assert str(reached.value) == (
        "Today's limit of 4 paid try-ons is reached (KOLORS_DAILY_LIMIT). No task was created. "
        "It resets at 2025-10-11T00:00:00Z; create again after that."
    )
    assert (reached.value.limit, reached.value.resets_at) == (4, "2025-10-11T00:00:00Z")

    await asking.ledger.refused(refused, 1102)
    await asking.reserved(fingerprint="f-4", daily_limit=4)
    assert await asking.joined(fingerprint="f-0", daily_limit=4) == sending
    with pytest.raises(DailyLimitError):
        await asking.wish(fingerprint="f-0", fresh=True, daily_limit=4)
    await asking.reserved(user="another", daily_limit=4)
    assert len(await asking.ledger.recent("local", 100)) == 5


async def test_the_daily_limit_resets_at_midnight_utc(asking: Asking) -> None:
    asking.hand.now = NOON + 12 * HOUR - 0.001
    await asking.reserved(fingerprint="f-1", daily_limit=1)
    with pytest.raises(DailyLimitError):
        await asking.wish(fingerprint="f-2", daily_limit=1)
    asking.hand.now += 0.001
    await asking.reserved(fingerprint="f-2", daily_limit=1)


async def test_what_is_asked_for_again_before_its_old_row_is_removed_joins_it(asking: Asking) -> None:
    first = await asking.reserved()
    await asking.ledger.created(first, "8812", "processing")
    asking.hand.now += 36 * DAY
    removals: list[object] = []

    @event.listens_for(asking.ledger.database.engine, "commit")
    def committed(*_: Any) -> None:  # pyright: ignore[reportUnusedFunction] (SQLAlchemy calls it)
        removals.append(asking.ledger.pruning)

    assert await asking.joined() == first
    assert removals[0] is None, "the removal of old rows had begun before"
    await asking.pruned()
    assert await asking.ledger.recent("local", 9) == []


BUSY = Refusals((1302, 1303), 10 * MINUTE, 3)


async def refused(asking: Asking, code: int, *, left: bool = True, **differing: str) -> str:
    reference = await asking.reserved(**differing)
    if left:
        assert await asking.ledger.mark_posting(reference, 1)
    await asking.ledger.refused(reference, code)
    return reference


async def test_what_was_refused_of_late_keeps_the_same_from_being_reserved_until_it_was_looked_for(
    asking: Asking,
) -> None:
    references = [await refused(asking, code) for code in (1302, 1303, 1303, 1302)]
    with pytest.raises(LookFirstError) as error:
        await asking.wish(refusals=BUSY, daily_limit=0)
    latest = references[:0:-1]
    assert [job.reference for job in error.value.refused] == latest, "of the latest three, the newest first"
    with pytest.raises(LookFirstError) as error:
        await asking.wish(refusals=replace(BUSY, looked_for=set(latest[:2])))
    assert [job.reference for job in error.value.refused] == latest[2:]
    assert len(await asking.ledger.recent("local", 100)) == 4, "nothing was reserved"
    await asking.ledger.created(latest[2], "8812", "submitted")
    assert await asking.joined(refusals=BUSY) == latest[2], "as the truth has it by now"


async def test_what_cannot_have_come_to_something_keeps_nothing_from_being_reserved(asking: Asking) -> None:
    await refused(asking, 1201)
    await refused(asking, 1303, left=False)
    await refused(asking, 1303, fingerprint="f-2")
    looked_for = await refused(asking, 1303)
    assert (await asking.wish(refusals=replace(BUSY, looked_for={looked_for}))).is_new
    await refused(asking, 1303, fingerprint="f-3")
    asking.hand.now += 10 * MINUTE
    assert (await asking.wish(refusals=BUSY, fingerprint="f-3")).is_new
