"""Deadlines and pauses: what is left, which of two comes first, and how long the next wait is."""

import math

import anyio
import anyio.lowlevel
import pytest

from kolors_mcp.clock import Backoff, Clock, Ending
from kolors_mcp.jobs.call import MIN_STEP_SECONDS, Call
from tests.support.making import TurnedClock
from tests.support.still_time import turn

pytestmark = pytest.mark.anyio


async def test_what_is_left_of_a_deadline_goes_down_to_nothing_or_to_the_shortest_step() -> None:
    time = TurnedClock()
    clock = time.clock()
    exact, kind, never = clock.deadline(10), clock.deadline(10, min_step=2), clock.deadline(None)
    left: list[tuple[float, float, float]] = []
    for _ in range(4):
        left.append((exact.left(), kind.left(), never.left()))
        time.now += 4.5
    assert left == [(10, 10, math.inf), (5.5, 5.5, math.inf), (1, 2, math.inf), (0, 2, math.inf)]


async def test_the_earlier_of_two_deadlines_wins() -> None:
    clock = TurnedClock().clock()
    deadline = clock.deadline(40, min_step=2)
    assert (deadline.within(5).left(), deadline.within(50).left()) == (5, 40)
    assert (deadline.earlier(10).left(), deadline.earlier(39).left()) == (30, 2)
    assert clock.deadline(None).within(50).left() == 50
    # A step of what is nearly over still gets its least; what is made of that is exact.
    nearly = clock.deadline(1, min_step=2).within(50)
    assert (nearly.left(), nearly.min_step) == (2, 0)


async def test_a_deadline_allows_what_ends_with_it_and_nothing_longer() -> None:
    deadline = TurnedClock().clock().deadline(3)
    assert [deadline.allows(seconds) for seconds in (2.9, 3.0, 3.1)] == [True, True, False]


@pytest.mark.parametrize(("seconds", "is_left"), [(7.0, True), (None, False)])
async def test_the_body_of_a_scope_is_left_at_the_deadline(seconds: float | None, is_left: bool) -> None:
    ended = False
    with TurnedClock().clock().deadline(seconds).scope() as scope:
        turn(7)
        for _ in range(9):
            await anyio.lowlevel.checkpoint()
        ended = True
    assert scope.cancelled_caught is is_left
    assert ended is not is_left


async def test_a_call_waits_as_long_as_it_wants_to_and_never_beyond_its_deadline() -> None:
    clock = TurnedClock().clock()
    deadline = clock.deadline(40, min_step=MIN_STEP_SECONDS)
    assert [Call("ann", deadline, wait).waiting().left() for wait in (0, 20, 300)] == [0, 20, 40]
    over = Call("ann", clock.deadline(-5, min_step=MIN_STEP_SECONDS), 20)
    assert (over.deadline.left(), over.waiting().left()) == (MIN_STEP_SECONDS, 0)
    shorter = Call("ann", deadline, 20).shortened(17)
    assert (shorter.user, shorter.deadline.left(), shorter.wait) == ("ann", 17, 0)
    assert shorter.deadline.min_step == MIN_STEP_SECONDS


def test_waits_grow_to_their_maximum_and_are_spread_by_chance() -> None:
    def waits(backoff: Backoff, chance: float, numbers: range = range(4)) -> list[float]:
        return [backoff.seconds(number, Clock(jitter=lambda: chance), at_least=1) for number in numbers]

    full = Backoff(initial_seconds=1, max_seconds=5)
    assert waits(full, 0) == [1, 1, 1, 1]
    assert waits(full, 1) == [2, 3, 5, 6]
    assert waits(Backoff(initial_seconds=2, max_seconds=99, factor=3, jitter=(1, 1)), 0.3) == [3, 7, 19, 55]
    assert waits(Backoff(initial_seconds=10, max_seconds=10, jitter=(0.9, 1.1)), 0.5) == [11] * 4
    assert waits(full, 1, range(10_000, 10_001)) == [6], "no number of tries is too large"


def test_an_ending_that_may_come_earlier_comes_with_the_other_at_the_latest() -> None:
    last, one, other = Ending(), Ending(), Ending()
    for earlier in (one, other):
        assert last.at_the_latest(earlier) is earlier
    one.begin()
    assert (one.has_begun, other.has_begun, last.has_begun) == (True, False, False)
    last.begin()
    assert other.has_begun
    assert last.at_the_latest(Ending()).has_begun
