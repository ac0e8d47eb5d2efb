"""The line in the ledger: its order, its slots, its turns; each rule by itself, on all databases."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest

from kolors_mcp.clock import Clock
from kolors_mcp.ledger.claims import Setback
from kolors_mcp.ledger.doubt import Look
from kolors_mcp.ledger.job import LineFullError, NewJob, Reservation
from kolors_mcp.ledger.leases import LEASE_SECONDS
from kolors_mcp.ledger.ledger import Ledger
from kolors_mcp.ledger.line import LedgerLine
from kolors_mcp.ledger.running import LOOKED_ONCE_SECONDS
from kolors_mcp.ledger.slots import LEARNED_SECONDS, RUNNING_SECONDS, Terms
from kolors_mcp.ledger.wakes import Wakes
from tests.support.ledger_deeds import account

pytestmark = pytest.mark.anyio

NOON = 1_760_097_600.0


@dataclass
class Lines:
    """Replicas on one ledger."""

    url: str
    now: float = NOON
    terms: Terms = field(default_factory=lambda: Terms(2, 100, 600.0))
    opened: AsyncExitStack = field(default_factory=AsyncExitStack)
    ledgers: list[Ledger] = field(default_factory=list[Ledger])
    _number: int = 0

    async def replica(self, terms: Terms | None = None) -> Ledger:
        clock = Clock(wall=lambda: self.now, monotonic=lambda: self.now)
        ledger = await Ledger.open(self.url, clock=clock, account=account, server_time=lambda: self.now)
        self.opened.push_async_callback(ledger.aclose)
        ledger.open_line(terms or self.terms, Wakes("sqlite://", clock))
        self.ledgers.append(ledger)
        return ledger

    async def wish(self, ledger: Ledger, user: str, *, shelved: bool = True) -> str:
        """Ask for one; lay it on the shelf if it waits."""
        self._number += 1
        reference = f"k-{self._number:03d}"
        made: Reservation = await ledger.reserve(NewJob(reference, user, reference, None, ("a", "b")))
        if made.job.state == "waiting" and shelved:
            assert await line(ledger).shelve(reference, 1, f"waiting/{reference}")
        return reference

    async def state(self, reference: str) -> str:
        for user in ("ann", "bob", "cid"):
            if (job := await self.ledgers[0].find(user, reference)) is not None:
                return job.state
        return "unknown"


def line(ledger: Ledger) -> LedgerLine:
    assert ledger.line is not None
    return ledger.line


async def let_in(ledger: Ledger, most: int = 99) -> list[str]:
    return [one.job.reference for one in await line(ledger).claim(most)]


@pytest.fixture
async def lines(url: str) -> AsyncGenerator[Lines]:
    lines = Lines(url)
    async with lines.opened:
        yield lines


async def end(ledger: Ledger, reference: str) -> None:
    await ledger.created(reference, f"task-{reference}", "succeed")


async def test_a_free_slot_is_taken_at_once_and_no_more_slots_than_there_are(lines: Lines) -> None:
    ledger = await lines.replica()
    wishes = [await lines.wish(ledger, "ann") for _ in range(4)]
    assert [await lines.state(wish) for wish in wishes] == ["sending", "sending", "waiting", "waiting"]
    assert await let_in(ledger) == wishes[:2], "those that have their turn already, for an answer that was lost"
    await end(ledger, wishes[0])
    assert await let_in(ledger) == [wishes[1], wishes[2]]
    assert await lines.state(wishes[3]) == "waiting"


async def test_a_hundred_wishes_of_one_user_are_not_ahead_of_the_first_of_another(lines: Lines) -> None:
    ledger = await lines.replica(Terms(1, 100, 1e9))
    heavy = [await lines.wish(ledger, "ann") for _ in range(100)]
    light, lighter = await lines.wish(ledger, "bob"), await lines.wish(ledger, "cid")
    order: list[str] = []
    for _ in range(4):
        [now] = await let_in(ledger)
        order.append(now)
        await end(ledger, now)
    assert order == [heavy[0], light, lighter, heavy[1]]


async def test_a_running_task_holds_its_slot_until_it_ends_or_is_lost_for_an_hour(lines: Lines) -> None:
    ledger = await lines.replica(Terms(1, 100, 1e9))
    first, second = await lines.wish(ledger, "ann"), await lines.wish(ledger, "bob")
    await ledger.mark_posting(first, 2)
    await ledger.created(first, "task-1", "submitted")
    assert await let_in(ledger) == []
    lines.now += RUNNING_SECONDS - 1
    assert await let_in(ledger) == []
    lines.now += 2
    assert await let_in(ledger) == [second]


async def test_what_is_said_to_have_changed_is_looked_at_soon_once_in_two_seconds(lines: Lines) -> None:
    ledger = await lines.replica()
    reference = await lines.wish(ledger, "ann")
    assert not await line(ledger).hasten(reference)  # it has no task yet
    await ledger.mark_posting(reference, 2)
    await ledger.created(reference, "task-1", "submitted")
    assert (await line(ledger).take_looks(8))[0] == []
    assert [await line(ledger).hasten(name) for name in ("task-1", "task-2", reference)] == [True, False, False]
    assert [job.task_id for job in (await line(ledger).take_looks(8))[0]] == ["task-1"]
    assert await line(ledger).hasten(reference)
    assert (await line(ledger).take_looks(8))[0] == []
    lines.now += LOOKED_ONCE_SECONDS
    assert [job.task_id for job in (await line(ledger).take_looks(8))[0]] == ["task-1"]


async def test_a_doubt_holds_a_slot_for_two_minutes(lines: Lines) -> None:
    ledger = await lines.replica(Terms(1, 100, 1e9))
    first, second = await lines.wish(ledger, "ann"), await lines.wish(ledger, "bob")
    await ledger.mark_posting(first, 2)
    await ledger.unconfirmed(first)
    lines.now += 119
    assert await let_in(ledger) == []
    lines.now += 2
    assert await let_in(ledger) == [second]


async def test_a_look_that_shows_nothing_lets_a_doubt_go_of_its_slot_but_the_doubt_stays(lines: Lines) -> None:
    ledger = await lines.replica(Terms(1, 100, 1e9))
    first, second = await lines.wish(ledger, "ann"), await lines.wish(ledger, "bob")
    await ledger.mark_posting(first, 2)
    await ledger.looked({first: Look((), lends_slot=True)})
    assert await let_in(ledger) == [], "what is being sent holds its slot"
    await ledger.unconfirmed(first)
    await ledger.looked({first: Look(())})
    assert await let_in(ledger) == []
    line(ledger).wakes.line.clear()
    await ledger.looked({first: Look((), lends_slot=True)})
    assert line(ledger).wakes.line.is_set()
    assert await let_in(ledger) == [second]
    assert await lines.state(first) == "unconfirmed"
    assert not (await ledger.reserve(NewJob("k-again", "ann", first, None, ("a", "b")))).is_new


async def test_what_is_sent_from_the_shelf_by_a_replica_that_dies_goes_back_to_its_place(lines: Lines) -> None:
    dies = await lines.replica(Terms(1, 100, 1e9))
    lives = await lines.replica(Terms(1, 100, 1e9))
    first, second, third = [await lines.wish(dies, user) for user in ("ann", "bob", "cid")]
    await end(dies, first)
    assert await let_in(dies) == [second]
    lines.now += LEASE_SECONDS + 1
    assert await let_in(lives) == [second], "it stood before the third"
    assert not await dies.mark_posting(second, 2), "its old holder has lost its turn"
    assert not await line(dies).end(second, 2, "refused")
    assert not await line(dies).give_back(second, 2, "waiting/x", Setback())
    assert await lives.mark_posting(second, 4), "the turn after the one in which it lay in line"
    assert await lines.state(third) == "waiting"


async def test_what_was_about_to_leave_when_its_replica_died_is_a_doubt_and_is_not_sent_again(lines: Lines) -> None:
    ledger = await lines.replica(Terms(1, 100, 1e9))
    first, second = await lines.wish(ledger, "ann"), await lines.wish(ledger, "bob")
    await end(ledger, first)
    assert await let_in(ledger) == [second]
    assert await ledger.mark_posting(second, 2)
    lines.now += LEASE_SECONDS + 1
    assert await let_in(ledger) == []
    assert await lines.state(second) == "unconfirmed"


async def test_what_waits_in_memory_keeps_its_place_until_its_process_dies(lines: Lines) -> None:
    dies = await lines.replica(Terms(1, 100, 1e9))
    lives = await lines.replica(Terms(1, 100, 1e9))
    first = await lines.wish(dies, "ann")
    held = await lines.wish(dies, "bob", shelved=False)
    last = await lines.wish(lives, "cid")
    await end(dies, first)
    assert await let_in(lives) == [], "the free slot is the other's"
    lines.now += LEASE_SECONDS - 1
    await dies.renew([held])
    lines.now += 2
    assert await let_in(lives) == []
    lines.now += LEASE_SECONDS + 1
    assert await let_in(lives) == [last]
    assert await lines.state(held) == "refused"


async def test_a_busy_account_has_as_many_slots_as_run_for_a_minute_and_then_one_more_each(lines: Lines) -> None:
    ledger = await lines.replica(Terms(3, 100, 1e9))
    first, second, third = [await lines.wish(ledger, user) for user in ("ann", "bob", "cid")]
    await ledger.mark_posting(first, 2)
    await ledger.created(first, "task-1", "submitted")
    await ledger.mark_posting(second, 2)
    assert await line(ledger).give_back(second, 2, "waiting/2", Setback(1303, 6.0))
    await ledger.mark_posting(third, 2)
    assert await line(ledger).give_back(third, 2, "waiting/3", Setback(1303, 6.0))
    lines.now += LEARNED_SECONDS - 1
    assert await let_in(ledger) == []
    lines.now += 2
    assert await let_in(ledger) == [second]
    lines.now += 13
    await ledger.renew([second])
    assert await let_in(ledger) == [second]


async def test_what_a_busy_account_said_no_to_is_left_alone_until_it_would_show(lines: Lines) -> None:
    ledger = await lines.replica(Terms(2, 100, 1e9))
    first = await lines.wish(ledger, "ann")
    assert await line(ledger).give_back(first, 2, "waiting/1", Setback(seconds=6.0))
    lines.now += 5
    assert await let_in(ledger) == []
    lines.now += 1
    assert await let_in(ledger) == [first]


async def test_the_line_has_an_end_for_each_user_and_for_the_wait(lines: Lines) -> None:
    ledger = await lines.replica(Terms(1, 2, 70.0))
    for _ in range(3):
        await lines.wish(ledger, "ann")
    with pytest.raises(LineFullError, match="KOLORS_MAX_WAITING"):
        await lines.wish(ledger, "ann")
    for user in ("bob", "cid"):
        await lines.wish(ledger, user)
    with pytest.raises(LineFullError, match="would wait for about 120 seconds"):
        await lines.wish(ledger, "cid")


async def test_the_place_and_the_wait_are_told_by_what_tasks_took(lines: Lines) -> None:
    ledger = await lines.replica(Terms(1, 100, 1e9))
    first = await lines.wish(ledger, "ann")
    second, third = await lines.wish(ledger, "bob"), await lines.wish(ledger, "cid")
    place = (await line(ledger).places()).get(third)
    assert place is not None
    assert (place.before, place.seconds) == (1, 60.0)
    await ledger.mark_posting(first, 2)
    lines.now += 50
    await end(ledger, first)
    place = (await line(ledger).places()).get(third)
    assert place is not None
    assert (place.before, place.seconds) == (1, 100.0)
    place = (await line(ledger).places()).get(second)
    assert place is not None
    assert place.seconds == 0.0, "there is a slot for it"
    assert (await line(ledger).places()).get(first) is None
    counts = await line(ledger).counts()
    assert (counts.waiting, counts.busy, counts.slots) == (2, 0, 1)
