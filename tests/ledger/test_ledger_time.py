"""A clock that jumps opens nothing that is closed, removes nothing and pays nothing, until Kling's clock agrees."""

from pathlib import Path

import pytest

from kolors_mcp.clock import Clock
from kolors_mcp.errors import DailyLimitError
from kolors_mcp.ledger.ledger import Ledger
from kolors_mcp.ledger.timing import believed
from tests.support.asking import DAY, HOUR, MINUTE, NOON, Asking, Hand, opened
from tests.support.ledger_deeds import account, wish
from tests.support.wishing import World

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["file", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "sqlite://" if request.param == "memory" else f"sqlite:///{tmp_path / 'ledger.sqlite3'}"


@pytest.mark.parametrize("kling", [None, NOON + 10])
async def test_a_clock_that_is_forty_days_ahead_removes_and_reopens_nothing(
    asking: Asking, kling: float | None
) -> None:
    first = await asking.reserved(daily_limit=1)
    await asking.ledger.created(first, "8812", "succeed")
    asking.hand.now += 40 * DAY
    asking.hand.kling = kling
    assert await asking.joined(daily_limit=1) == first
    with pytest.raises(DailyLimitError):
        await asking.wish(fingerprint="f-2", daily_limit=1)
    assert await asking.ledger.prune() == 0
    await asking.pruned()
    asking.hand.now = NOON + 20
    assert await asking.joined(daily_limit=1) == first
    assert [job.reference for job in await asking.ledger.recent("local", 9)] == [first]


async def test_real_days_go_by_once_kling_agrees(asking: Asking) -> None:
    first = await asking.reserved(daily_limit=1)
    asking.hand.now += 40 * DAY
    asking.hand.kling = None
    assert asking.ledger.needs_kling_time
    assert await asking.joined() == first
    asking.hand.kling = "agrees"
    assert not asking.ledger.needs_kling_time
    second = await asking.reserved(daily_limit=1)
    await asking.pruned()
    assert [job.reference for job in await asking.ledger.recent("local", 9)] == [second]


async def test_a_clock_that_is_set_back_an_hour_stands_still_until_then(asking: Asking) -> None:
    asking.hand.now = NOON + 12 * HOUR + MINUTE  # a minute past midnight
    first = await asking.reserved(daily_limit=1)
    at = asking.hand.now
    asking.hand.now -= HOUR
    second = await asking.reserved(fingerprint="f-2")
    assert (await asking.job(second)).created_at == at
    for reference, task_id in ((first, "8811"), (second, "8812")):
        await asking.ledger.created(reference, task_id, "succeed")
    with pytest.raises(DailyLimitError):
        await asking.wish(fingerprint="f-3", daily_limit=2)
    asking.hand.now = at + 9 * MINUTE
    # Written down an hour earlier, it would be open again by now.
    assert await asking.joined(fingerprint="f-2") == second
    assert await asking.joined() == first


async def test_what_is_made_at_midnight_to_the_second_counts_for_the_new_day(asking: Asking) -> None:
    await asking.reserved()
    assert await asking.ledger.spent_today("local") == 1
    asking.hand.now = NOON + 12 * HOUR
    assert await asking.ledger.spent_today("local") == 0
    await asking.reserved(fingerprint="f-2", daily_limit=1)
    assert await asking.ledger.spent_today("local") == 1
    with pytest.raises(DailyLimitError):
        await asking.wish(fingerprint="f-3", daily_limit=1)


async def test_what_was_made_while_the_clock_was_an_hour_slow_is_joined_when_that_is_right_again(
    asking: Asking,
) -> None:
    await asking.reserved(fingerprint="f-2")
    asking.hand.passed += 12 * MINUTE
    asking.hand.now += 12 * MINUTE - HOUR
    first = await asking.reserved()
    await asking.ledger.created(first, "8811", "succeed")
    asking.hand.passed += MINUTE
    asking.hand.now += MINUTE + HOUR
    # Had time stood still while the clock was slow, it would have ended thirteen minutes ago.
    assert await asking.joined() == first


async def test_a_clock_that_leaps_ahead_for_a_moment_changes_nothing_for_later(asking: Asking) -> None:
    first = await asking.reserved()
    asking.hand.now += 2 * HOUR
    assert await asking.job(first)
    asking.hand.now -= 2 * HOUR
    assert (await asking.job(await asking.reserved(fingerprint="f-2"))).created_at == NOON


@pytest.mark.parametrize("url", ["file"], indirect=True)
async def test_the_latest_time_outlives_the_process(url: str) -> None:
    hand = Hand(kling=None)
    async with opened(url, hand) as asking:
        first = await asking.reserved(daily_limit=1)
    hand.now += 40 * DAY
    async with opened(url, hand) as asking:
        assert await asking.joined(daily_limit=1) == first
        await asking.pruned()
        assert len(await asking.ledger.recent("local", 9)) == 1


async def test_on_a_server_the_servers_clock_counts(postgres_url: str) -> None:
    ledger = await Ledger.open(postgres_url, clock=Clock(), account=account)
    try:
        made = await wish(ledger, "k-1", "f-1")
    finally:
        await ledger.aclose()
    wrong = Clock(wall=lambda: 1.0)
    ledger = await Ledger.open(postgres_url, clock=wrong, account=account)
    try:
        assert not (await wish(ledger, "k-2", "f-1")).is_new
        second = await wish(ledger, "k-3", "f-3")
        assert second.job.created_at >= made.job.created_at > 1_700_000_000
    finally:
        await ledger.aclose()


@pytest.mark.parametrize(
    ("wall", "kling", "expected"),
    [
        (NOON + DAY, None, NOON + DAY),
        (NOON - DAY, None, NOON),
        (NOON + 2 * DAY, None, NOON),
        (NOON + 2 * DAY, NOON + 2 * DAY + 9, NOON + 2 * DAY),
        (NOON + 40 * DAY, NOON + 2 * DAY, NOON + 2 * DAY),
        (NOON + 40 * DAY, NOON - DAY, NOON),
        (NOON - 2 * DAY, None, NOON),
        (NOON - 2 * DAY, NOON, NOON),
        (NOON - 2 * DAY, NOON - 2 * DAY + 9, NOON - 2 * DAY),
    ],
)
def test_a_jump_of_more_than_a_day_is_believed_as_far_as_kling_agrees(
    wall: float, kling: float | None, expected: float
) -> None:
    assert believed(wall, NOON, kling) == expected


async def test_after_days_without_a_try_on_the_same_one_is_made_anew(world: World) -> None:
    async with world.server() as assistant:
        first = (await assistant.create()).try_on
    world.time.now += 5 * DAY
    async with world.server(daily_limit=1) as assistant:
        second = (await assistant.create()).try_on
        assert not second.reused
        assert second.task_id != first.task_id


async def test_a_machine_whose_clock_is_forty_days_ahead_pays_once(world: World) -> None:
    async with world.server() as assistant:
        first = (await assistant.create()).try_on
    world.time.now += 40 * DAY
    world.kling.clock.advance(-40 * DAY)
    async with world.server() as assistant:
        assert (await assistant.create()).try_on.task_id == first.task_id
    assert world.posts == 1
