"""The ledger's rules, one by one, on a SQLite file, in memory and on a real PostgreSQL."""

import asyncio
import dataclasses
import threading
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from kolors_mcp.errors import LedgerError
from kolors_mcp.ledger.job import Job, Reservation
from tests.support.asking import HOUR, NOON, Asking, Hand, opened, place_of

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["file", "memory", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return place_of(request, tmp_path)


async def test_a_new_wish_is_written_down_as_it_was_made(asking: Asking) -> None:
    made = await asking.wish(model_name="kolors-virtual-try-on-v1-5", notes=("shrunk", "made upright"))
    expected = Job(
        reference="k-1",
        user="local",
        fingerprint="f-1",
        model_name="kolors-virtual-try-on-v1-5",
        state="sending",
        task_id=None,
        status=None,
        created_at=NOON,
        updated_at=NOON,
        labels=("me.jpg", "shop.example"),
        notes=("shrunk", "made upright"),
        saved={},
        code=None,
        account="an-account",
        endpoint="kolors-virtual-try-on",
        turn=1,
    )
    assert made == Reservation(expected, is_new=True)
    assert await asking.ledger.recent("local", 10) == [expected]


async def test_a_created_task_is_known_by_both_its_names(asking: Asking) -> None:
    reference = await asking.reserved()
    asking.hand.now += 3
    await asking.ledger.created(reference, "8812", "submitted")
    job = await asking.job("8812")
    assert job == await asking.job(reference)
    assert (job.state, job.task_id, job.status) == ("created", "8812", "submitted")
    assert (job.created_at, job.updated_at) == (NOON, NOON + 3)


async def test_nothing_takes_a_created_task_back(asking: Asking) -> None:
    reference = await asking.reserved()
    await asking.ledger.created(reference, "8812", "processing")
    before = await asking.job(reference)
    asking.hand.now += 1
    await asking.ledger.refused(reference, 1201)
    await asking.ledger.unconfirmed(reference)
    await asking.ledger.created(reference, "9999", "submitted")
    assert await asking.job(reference) == before


async def test_a_doubt_ends_with_the_task_or_with_the_refusal(asking: Asking) -> None:
    first, second = await asking.reserved(), await asking.reserved(fingerprint="f-2")
    for reference in (first, second):
        await asking.ledger.unconfirmed(reference)
    await asking.ledger.created(first, "8812", "submitted")
    await asking.ledger.refused(second)
    assert [job.state for job in await asking.ledger.recent("local", 2)] == ["refused", "created"]
    await asking.ledger.unconfirmed(second)
    assert (await asking.job(second)).state == "refused"


async def test_a_task_that_turns_up_after_a_refusal_is_believed(asking: Asking) -> None:
    reference = await asking.reserved()
    await asking.ledger.refused(reference, 1201)
    await asking.ledger.created(reference, "8812", "processing")
    job = await asking.job("8812")
    assert (job.state, job.code) == ("created", None)


async def test_an_outcome_of_a_wish_that_was_never_written_down_is_an_error(asking: Asking) -> None:
    for outcome in (
        asking.ledger.created("k-0", "8812", "submitted"),
        asking.ledger.refused("k-0", 1102),
        asking.ledger.unconfirmed("k-0"),
    ):
        with pytest.raises(LedgerError, match="has no entry k-0"):
            await outcome


async def test_a_reference_can_be_reserved_once_only(asking: Asking) -> None:
    await asking.reserved(reference="k-x")
    with pytest.raises(LedgerError, match="failed"):
        await asking.wish(reference="k-x", fresh=True)
    assert len(await asking.ledger.recent("local", 10)) == 1


@pytest.mark.parametrize("final", ["succeed", "failed"])
async def test_a_final_status_stays(asking: Asking, final: str) -> None:
    reference = await asking.reserved()
    await asking.ledger.created(reference, "8812", "submitted")
    for status in ("processing", None, final, "processing", "failed", "succeed"):
        asking.hand.now += 1
        await asking.ledger.seen("8812", status)
    await asking.ledger.created(reference, "8812", "submitted")
    job = await asking.job("8812")
    assert (job.status, job.updated_at, job.final_at) == (final, NOON + 3, NOON + 3)


async def test_what_a_task_cost_is_written_down_once_it_has_ended_and_stays(asking: Asking) -> None:
    reference = await asking.reserved()
    await asking.ledger.created(reference, "8812", "processing", 7.0)
    assert ((await asking.job(reference)).final_at, (await asking.job(reference)).units) == (None, None)
    asking.hand.now += 9
    await asking.ledger.seen("8812", "succeed")
    for status, units in (("failed", 5.0), ("succeed", 1.5), ("succeed", 2.0)):
        asking.hand.now += 1
        await asking.ledger.seen("8812", status, units)
    job = await asking.job(reference)
    assert (job.final_at, job.updated_at, job.units) == (NOON + 9, NOON + 11, 1.5)


async def test_a_create_that_answers_twice_brings_its_news(asking: Asking) -> None:
    reference = await asking.reserved()
    await asking.ledger.created(reference, "8812", "submitted")
    await asking.ledger.created(reference, "8812", "processing")
    assert (await asking.job(reference)).status == "processing"


async def test_tasks_from_elsewhere_are_passed_over(asking: Asking) -> None:
    reference = await asking.reserved()
    await asking.ledger.seen("9999", "succeed")
    await asking.ledger.saved("9999", 0, "/pictures/0.png")
    assert [(job.reference, job.status, job.saved) for job in await asking.ledger.recent("local", 9)] == [
        (reference, None, {})
    ]


async def test_where_pictures_were_saved_is_kept_by_index(asking: Asking) -> None:
    reference = await asking.reserved()
    await asking.ledger.created(reference, "8812", "succeed")
    await asking.ledger.saved("8812", 0, "/pictures/0.png")
    await asking.ledger.saved(reference, 11, "/pictures/Ünï \udce9.png")
    await asking.ledger.saved("8812", 0, "/pictures/0-again.png")
    assert (await asking.job("8812")).saved == {0: "/pictures/0-again.png", 11: "/pictures/Ünï \udce9.png"}


async def test_a_users_entries_are_invisible_to_others(asking: Asking) -> None:
    reference = await asking.reserved(user="one")
    await asking.ledger.created(reference, "8812", "processing")
    doubtful = await asking.reserved(user="one", fingerprint="f-2")
    await asking.ledger.unconfirmed(doubtful)
    for name in (reference, "8812", doubtful):
        assert await asking.ledger.find("one", name)
        assert await asking.ledger.find("two", name) is None
    assert await asking.ledger.find_many("two", ["8812"]) == {}
    assert await asking.ledger.recent("two", 10) == []


async def test_a_page_of_tasks_is_looked_up_at_once(asking: Asking) -> None:
    for number in range(3):
        reference = await asking.reserved(fingerprint=f"f-{number}")
        await asking.ledger.created(reference, f"task-{number * 600}", "processing")
    found = await asking.ledger.find_many("local", [f"task-{number}" for number in range(1300)])
    assert {task_id: job.fingerprint for task_id, job in found.items()} == {
        "task-0": "f-0",
        "task-600": "f-1",
        "task-1200": "f-2",
    }
    assert await asking.ledger.find_many("local", []) == {}


async def test_the_latest_entries_come_first_even_when_the_clock_was_set_back(asking: Asking) -> None:
    first = await asking.reserved(fingerprint="f-1")
    asking.hand.now -= HOUR
    second = await asking.reserved(fingerprint="f-2")
    third = await asking.reserved(fingerprint="f-3")
    assert [job.reference for job in await asking.ledger.recent("local", 2)] == [third, second]
    assert await asking.joined(fingerprint="f-1") == first


@pytest.mark.parametrize("url", ["file", "postgres"], indirect=True)
async def test_everything_is_there_when_it_is_opened_again(url: str) -> None:
    hand = Hand()
    async with opened(url, hand) as asking:
        first = await asking.reserved(notes=("shrunk",))
        await asking.ledger.created(first, "8812", "succeed")
        await asking.ledger.saved(first, 0, "/pictures/0.png")
        await asking.ledger.refused(await asking.reserved(fingerprint="f-2"), 1303)
        before = await asking.ledger.recent("local", 9)
    async with opened(url, hand) as asking:
        assert await asking.ledger.recent("local", 9) == before
        assert await asking.joined() == first


# In memory nobody can leave in the middle: `test_ledger_closing` shows that.
@pytest.mark.parametrize("url", ["file", "postgres"], indirect=True)
async def test_a_caller_who_goes_away_leaves_the_row_and_no_disorder(url: str) -> None:
    inside, free = threading.Event(), threading.Event()
    hand = Hand()

    def wait_in_the_middle() -> None:
        if threading.current_thread() is not threading.main_thread():
            inside.set()
            free.wait()

    async with opened(url, hand) as asking:
        hand.looked_at = wait_in_the_middle
        leaving = asyncio.create_task(asking.wish())
        await anyio.to_thread.run_sync(inside.wait)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        staying = asyncio.create_task(asking.wish())
        looking = asyncio.create_task(asking.ledger.recent("local", 9))
        # Both are on their way to the database when the one that was left there goes on.
        await asyncio.sleep(0)
        free.set()
        made = await staying
        await looking
        assert not made.is_new
        assert [job.reference for job in await asking.ledger.recent("local", 9)] == ["k-1"]


async def test_labels_and_notes_are_shortened_to_harmless_lines(asking: Asking) -> None:
    made = await asking.wish(labels=("a\x00b\u202e\n" + "x" * 900, ""), notes=("\ud800" * 9, "y" * 900, *["z"] * 90))
    job = made.job
    assert job.labels[0].startswith("a b xxx")
    assert [len(label) for label in job.labels] == [200, 0]
    assert (len(job.notes), max(map(len, job.notes))) == (20, 300)
    assert await asking.job(job.reference) == job


async def test_ids_that_no_database_can_hold_are_told_apart_all_the_same(asking: Asking) -> None:
    odd = ["\x00", "\x00\x00", "\ud800", "\udfff", "u" * 9000, "u" * 9001, "?", ""]
    references = {user: await asking.reserved(user=user) for user in odd}
    for user, reference in references.items():
        assert await asking.joined(user=user) == reference
        await asking.ledger.created(reference, f"task of {user}", "\x00odd\n")
        found = await asking.ledger.find_many(user, [f"task of {other}" for other in odd])
        assert {task_id: job.reference for task_id, job in found.items()} == {f"task of {user}": reference}
        assert (await asking.job(f"task of {user}", user)).status == "odd"
    assert len(set(references.values())) == len(odd)


async def test_an_entry_cannot_be_changed_by_whoever_got_it(asking: Asking) -> None:
    job = await asking.job(await asking.reserved())
    with pytest.raises(dataclasses.FrozenInstanceError):
        job.state = "created"  # pyright: ignore[reportAttributeAccessIssue] (that is the point)
