"""A connection to a server: how often its answers are waited for, and one that is lost at a commit writes once."""

from collections.abc import AsyncIterator, Iterator

import pytest

from kolors_mcp.errors import LedgerError
from kolors_mcp.ledger.job import NewJob, Refusals
from kolors_mcp.ledger.leases import LEASE_SECONDS
from tests.support.asking import Asking, Hand, opened
from tests.support.postgres import Postgres
from tests.support.postgres_relay import Moment, Relay, relay

pytestmark = pytest.mark.anyio


@pytest.fixture
def between(postgres_server: Postgres) -> Iterator[Relay]:
    with relay(postgres_server) as made:
        yield made


@pytest.fixture
async def lossy(between: Relay) -> AsyncIterator[Asking]:
    async with opened(between.url, Hand()) as asking:
        yield asking


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_the_life_of_a_create_is_the_same_if_each_commit_loses_its_connection(
    between: Relay, lossy: Asking, moment: Moment
) -> None:
    between.cut(moment)
    reference = await lossy.reserved()
    for number in (1, 2):
        between.cut(moment)
        assert await lossy.ledger.mark_posting(reference, number)
        between.cut(moment)
        assert await lossy.ledger.begin_next_turn(reference, number)
    assert await lossy.joined() == reference
    between.cut(moment)
    await lossy.ledger.created(reference, "8701", "submitted")
    assert between.cuts == 6
    [job] = await lossy.ledger.recent("local", 9)
    assert (job.reference, job.state, job.turn, job.task_id) == (reference, "created", 3, "8701")


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_refusal_and_a_doubt_are_written_once_too(between: Relay, lossy: Asking, moment: Moment) -> None:
    for reference, fingerprint in (("k-refused", "f-1"), ("k-unconfirmed", "f-2")):
        await lossy.reserved(reference=reference, fingerprint=fingerprint)
        between.cut(moment)
        await getattr(lossy.ledger, reference.removeprefix("k-"))(reference)
        assert (await lossy.job(reference)).state == reference.removeprefix("k-")
    assert between.cuts == 2


@pytest.mark.parametrize("url", ["file", "postgres"], indirect=True)
async def test_a_reservation_that_is_repeated_is_still_the_first_and_lives_from_then_on(
    asking: Asking, url: str
) -> None:
    first = await asking.wish(reference="k-a")
    asking.hand.now += LEASE_SECONDS
    again = await asking.wish(reference="k-a")
    assert again == first
    async with opened(url, asking.hand) as another:
        asking.hand.now += LEASE_SECONDS - 1
        assert await another.joined() == "k-a"


async def test_a_look_waits_for_the_server_twice_and_a_create_twelve_times(between: Relay, lossy: Asking) -> None:
    async def create(number: int) -> str:
        new = NewJob(f"k-{number}", "local", f"f-{number}", None, ("a", "b"))
        await lossy.ledger.reserve(new, daily_limit=99, refusals=Refusals((1302, 1303), 600.0, 3))
        assert await lossy.ledger.mark_posting(new.reference, 1)
        await lossy.ledger.created(new.reference, f"88{number}", "submitted")
        return new.reference

    for number in range(9):
        # The driver prepares each statement when it comes for the sixth time.
        await create(number)
    before = between.trips
    reference = await create(9)
    assert between.trips - before == 12
    before = between.trips
    assert (await lossy.job(reference)).state == "created"
    assert between.trips - before == 2


async def test_a_server_that_stays_away_is_reported(between: Relay, lossy: Asking) -> None:
    await lossy.reserved()
    between.is_away = True
    between.cut("before")
    with pytest.raises(LedgerError, match="cannot be reached"):
        await lossy.reserved(fingerprint="f-2")
