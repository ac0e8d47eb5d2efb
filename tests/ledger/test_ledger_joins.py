"""Which wish is the same as one before it, for how long, and how many of them a day may cost money."""

import pytest

from kolors_mcp.errors import DailyLimitError
from tests.support.asking import HOUR, MINUTE, NOON, Asking

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("status", [None, "submitted", "processing", "succeed"])
async def test_the_same_wish_joins_for_ten_minutes(asking: Asking, status: str | None) -> None:
    first = await asking.reserved()
    assert await asking.joined() == first
    await asking.ledger.created(first, "8812", status)
    asking.hand.now += 10 * MINUTE - 1
    assert await asking.joined() == first
    asking.hand.now += 1
    assert await asking.reserved() != first


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


async def test_a_fresh_wish_joins_nothing_and_is_the_one_that_is_joined_from_then_on(asking: Asking) -> None:
    first = await asking.reserved()
    second = await asking.reserved(fresh=True)
    assert first != second
    assert await asking.joined() == second


async def test_a_doubt_keeps_the_wish_from_being_sent_again_for_ten_minutes_from_when_it_arose(asking: Asking) -> None:
    first = await asking.reserved()
    asking.hand.now += 2 * MINUTE
    await asking.ledger.unconfirmed(first)
    asking.hand.now += 5 * MINUTE
    await asking.ledger.unconfirmed(first)
    asking.hand.now += 5 * MINUTE - 1
    assert await asking.joined() == first
    asking.hand.now += 1
    assert await asking.reserved() != first


async def test_a_wish_whose_process_died_can_be_made_again_after_ten_minutes(asking: Asking) -> None:
    first = await asking.reserved()
    asking.hand.now += 10 * MINUTE
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
