"""Threads that work for the event loop: whose results these are, in which order it goes, and who may leave."""

import asyncio
import threading

import pytest

from kolors_mcp.threads import AtOnce, Threads
from tests.support.still_time import idle

pytestmark = pytest.mark.anyio


async def test_what_a_thread_returns_or_raises_is_the_callers() -> None:
    threads = Threads(2)

    assert await threads.run(pow, 3, 4) == 81
    with pytest.raises(ZeroDivisionError):
        await threads.run(divmod, 1, 0)


async def test_one_thread_works_in_the_order_in_which_it_was_asked() -> None:
    threads, begun = Threads(1), list[int]()

    await asyncio.gather(*(threads.run(begun.append, number) for number in range(100)))

    assert begun == list(range(100))


async def test_what_has_begun_goes_on_without_a_caller_who_left_and_the_rest_never_begins() -> None:
    threads, at_work, go_on = Threads(1), threading.Event(), threading.Event()
    done: list[str] = []

    def long() -> None:
        at_work.set()
        go_on.wait()
        done.append("long")

    begun = asyncio.create_task(threads.run(long))
    waiting = asyncio.create_task(threads.run(done.append, "never"))
    await asyncio.to_thread(at_work.wait)
    for task in (begun, waiting):
        task.cancel()
    await asyncio.wait((begun, waiting))
    assert done == []

    go_on.set()
    await threads.run(done.append, "next")

    assert done == ["long", "next"]


async def test_the_caller_of_one_that_left_hears_nothing_more_of_it() -> None:
    loop, heard = asyncio.get_running_loop(), list[object]()
    loop.set_exception_handler(lambda _loop, context: heard.append(context))
    threads, at_work, go_on = Threads(1), threading.Event(), threading.Event()

    def failing() -> None:
        at_work.set()
        go_on.wait()
        raise ValueError

    begun = asyncio.create_task(threads.run(failing))
    await asyncio.to_thread(at_work.wait)
    begun.cancel()
    await asyncio.wait((begun,))
    go_on.set()
    await threads.run(bool)
    await idle()

    assert heard == []


def test_a_loop_that_has_ended_is_told_nothing() -> None:
    threads, at_work, go_on = Threads(1), threading.Event(), threading.Event()

    def long() -> None:
        at_work.set()
        go_on.wait()

    async def leave() -> None:
        asyncio.create_task(threads.run(long))  # noqa: RUF006  (left behind on purpose)
        await asyncio.to_thread(at_work.wait)

    asyncio.run(leave())
    go_on.set()

    async def come_after() -> bool:
        return await threads.run(bool, 1)

    assert asyncio.run(come_after())


async def test_what_is_done_at_once_is_the_callers_too_and_comes_after_the_turn_of_others() -> None:
    at_once, begun = AtOnce(), list[int]()

    async def other(number: int) -> None:
        begun.append(number)

    first = asyncio.create_task(other(1))
    await at_once.run(begun.append, 2)
    await first

    assert begun == [1, 2]
    assert await at_once.run(threading.current_thread) is threading.current_thread()
    with pytest.raises(ZeroDivisionError):
        await at_once.run(divmod, 1, 0)
