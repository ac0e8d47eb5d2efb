"""Two processes on one ledger: the one whose lease has lapsed has lost its turn as soon as the other has looked."""

from collections.abc import AsyncIterator

import pytest

from kolors_mcp.errors import DailyLimitError
from kolors_mcp.ledger.leases import LEASE_SECONDS
from tests.support.asking import Asking, opened

pytestmark = pytest.mark.anyio


@pytest.fixture
async def another(url: str, asking: Asking) -> AsyncIterator[Asking]:
    async with opened(url, asking.hand) as another:
        yield another


@pytest.mark.parametrize("url", ["file", "postgres"], indirect=True)
async def test_a_lapsed_sending_is_refused_by_whoever_asks_for_the_same_and_its_holder_cannot_mark_it(
    asking: Asking, another: Asking
) -> None:
    first = await asking.reserved(reference="k-a", daily_limit=1)
    asking.hand.now += LEASE_SECONDS - 1
    assert await another.joined(daily_limit=1) == first
    with pytest.raises(DailyLimitError):
        await another.wish(fingerprint="f-2", daily_limit=1)
    asking.hand.now += 1
    second = await another.reserved(reference="k-b", daily_limit=1)
    assert not await asking.ledger.mark_posting(first, 1)
    assert not await asking.ledger.begin_next_turn(first, 1)
    assert not await asking.ledger.mark_posting(second, 1), "it is another's turn"
    assert await another.ledger.mark_posting(second, 1)
    assert (await asking.job(first)).state == "refused"


@pytest.mark.parametrize("url", ["file", "postgres"], indirect=True)
@pytest.mark.parametrize("has_left", [False, True], ids=["never left", "may have left"])
async def test_what_a_dead_process_had_in_hand_counts_against_the_limit_only_if_it_may_have_left(
    asking: Asking, another: Asking, has_left: bool
) -> None:
    first = await asking.reserved(reference="k-a", daily_limit=1)
    if has_left:
        assert await asking.ledger.mark_posting(first, 1)
    asking.hand.now += LEASE_SECONDS - 1
    with pytest.raises(DailyLimitError):
        await another.wish(fingerprint="f-2", daily_limit=1)
    asking.hand.now += 1
    if has_left:
        with pytest.raises(DailyLimitError):
            await another.wish(fingerprint="f-2", daily_limit=1)
    else:
        await another.reserved(reference="k-b", fingerprint="f-2", daily_limit=1)
        assert not await asking.ledger.mark_posting(first, 1), "it was given up so that the other may be made"


@pytest.mark.parametrize("url", ["file", "postgres"], indirect=True)
@pytest.mark.parametrize("turns", [1, 2])
async def test_what_may_have_left_whole_is_a_doubt_when_its_lease_has_lapsed(
    asking: Asking, another: Asking, turns: int
) -> None:
    first = await asking.reserved(reference="k-a")
    assert await asking.ledger.mark_posting(first, 1)
    if turns == 2:
        assert await asking.ledger.begin_next_turn(first, 1)
        assert not await asking.ledger.mark_posting(first, 1), "a mark that is late belongs to the turn before"
    assert (await another.job(first)).state != "unconfirmed"
    asking.hand.now += LEASE_SECONDS
    assert (await another.job(first)).state == "unconfirmed"
    assert await another.joined() == first
    assert not await asking.ledger.mark_posting(first, turns)


@pytest.mark.parametrize("url", ["file", "postgres"], indirect=True)
async def test_signs_of_life_keep_a_lease_and_nobody_gives_them_for_another(asking: Asking, another: Asking) -> None:
    mine = await asking.reserved(reference="k-a")
    for _ in range(4):
        asking.hand.now += LEASE_SECONDS - 1
        await asking.ledger.renew([mine, "k-unknown"])
        found = await another.ledger.find("local", mine)
        assert found is not None
        assert found.state == "sending"
    asking.hand.now += LEASE_SECONDS
    await another.ledger.renew([mine])
    # Nobody has missed it, so it goes on where it was.
    assert await asking.ledger.mark_posting(mine, 1)
