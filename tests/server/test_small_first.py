"""Small calls go first in the service's event loop, and large ones go on all the same."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from kolors_mcp.server.small_first import LARGE, MAX_HELD_SECONDS, SPELL_SECONDS, SmallFirstLoop
from kolors_mcp.threads import Threads


class TurnedLoop(SmallFirstLoop):
    """Its time passes only when a piece of work says that it took some."""

    now = 1000.0

    def time(self) -> float:
        return self.now


Ran = list[str]


@pytest.fixture
def loop() -> Iterator[TurnedLoop]:
    made = TurnedLoop()
    yield made
    made.close()


def turns_of(loop: TurnedLoop, ran: Ran, name: str, seconds: float, number: int) -> Coroutine[Any, Any, None]:
    """Return what has so many pieces of work, each of which takes so long."""

    async def working() -> None:
        for _ in range(number):
            ran.append(name)
            loop.now += seconds
            await asyncio.sleep(0)

    return working()


def large(loop: TurnedLoop, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
    LARGE.set(True)
    try:
        return loop.create_task(work)
    finally:
        LARGE.set(False)


def run(loop: TurnedLoop, *work: "Coroutine[Any, Any, None] | asyncio.Task[None]") -> None:
    async def all_of_it() -> None:
        await asyncio.gather(*work)

    loop.run_until_complete(all_of_it())


def test_a_small_call_has_done_all_its_pieces_before_each_large_one_has_done_its_second(loop: TurnedLoop) -> None:
    ran: Ran = []
    crowd = [large(loop, turns_of(loop, ran, "large", SPELL_SECONDS, 20)) for _ in range(30)]
    run(loop, *crowd, turns_of(loop, ran, "small", 0.0, 20))
    last_small = max(place for place, name in enumerate(ran) if name == "small")
    assert ran.count("large") == 30 * 20
    assert ran[:last_small].count("large") <= 2


def test_in_the_usual_loop_it_waits_for_a_piece_of_each_large_one_before_each_of_its_own() -> None:
    ran: Ran = []
    loop = TurnedLoop()
    try:
        crowd = [loop.create_task(turns_of(loop, ran, "large", SPELL_SECONDS, 20)) for _ in range(30)]
        run(loop, *crowd, turns_of(loop, ran, "small", 0.0, 20))
    finally:
        loop.close()
    last_small = max(place for place, name in enumerate(ran) if name == "small")
    assert ran[:last_small].count("large") > 30 * 15


def test_however_many_small_calls_come_large_ones_get_a_spell_in_its_time(loop: TurnedLoop) -> None:
    ran: Ran = []
    flood = [turns_of(loop, ran, "small", MAX_HELD_SECONDS / 10, 200) for _ in range(3)]
    run(loop, large(loop, turns_of(loop, ran, "large", SPELL_SECONDS / 10, 100)), *flood)
    # A spell has ten of its pieces, and there is one at the least after so many small pieces as may hold it up.
    last_large = max(place for place, name in enumerate(ran) if name == "large")
    assert ran[:last_large].count("small") <= 10 * (10 + 3)


def test_what_a_large_call_starts_and_what_threads_bring_it_goes_after_small_ones_too(loop: TurnedLoop) -> None:
    seen: list[bool] = []
    threads = Threads(1)

    async def inner() -> None:
        seen.append(LARGE.get())

    async def outer() -> None:
        await asyncio.create_task(inner())
        await threads.run(int)
        seen.append(LARGE.get())

    run(loop, large(loop, outer()))
    assert seen == [True, True]


def test_what_was_called_off_is_not_done(loop: TurnedLoop) -> None:
    ran: Ran = []

    async def calling_off() -> None:
        LARGE.set(True)
        loop.call_soon(ran.append, "first")
        loop.call_soon(ran.append, "second").cancel()
        loop.call_soon(ran.append, "third")
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    run(loop, calling_off())
    assert ran == ["first", "third"]


def test_a_failure_is_told_as_the_loop_tells_of_any_and_what_is_left_is_done(loop: TurnedLoop) -> None:
    told: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _loop, context: told.append(context))
    ran: Ran = []

    async def failing() -> None:
        LARGE.set(True)
        loop.call_soon(_raising(ValueError("no")))
        loop.call_soon(ran.append, "after it")
        await asyncio.sleep(0)

    run(loop, failing())
    assert [str(context["exception"]) for context in told] == ["no"]
    assert ran == ["after it"]


def test_an_interrupt_ends_the_loop_and_what_is_left_can_still_be_put_away(loop: TurnedLoop) -> None:
    ran: Ran = []

    async def interrupted() -> None:
        LARGE.set(True)
        loop.call_soon(_raising(KeyboardInterrupt()))
        loop.call_soon(ran.append, "put away")
        await asyncio.sleep(0)

    work = interrupted()
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(work)
    run(loop, turns_of(loop, ran, "small", MAX_HELD_SECONDS, 3))
    assert "put away" in ran


def _raising(error: BaseException) -> Callable[[], None]:
    def do() -> None:
        raise error

    return do
