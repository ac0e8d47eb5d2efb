"""Threads that work for the event loop. Handing over is most of what small work costs, so it takes few turns of it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
V = TypeVar("V")


class Threads:
    """A few threads, which begin what they are given in the order in which it comes.

    The usual ways (`anyio.to_thread`, `loop.run_in_executor`) go through the loop up to two times more, and take some
    three times as much CPU, for what is not needed here: the caller's context, and limits that others share.
    """

    def __init__(self, most: int) -> None:
        """Start none yet; at most so many are started, when they are needed."""
        self._pool = ThreadPoolExecutor(most)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do some work, and return or raise what it does.

        A caller that is cancelled leaves at once: what has begun is done to its end without them, the rest never.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def working() -> None:
            if done.cancelled():
                return
            try:
                result = work(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001  (whatever it is, it is the caller's)
                _tell(loop, done, done.set_exception, error)
            else:
                _tell(loop, done, done.set_result, result)

        self._pool.submit(working)
        return await done


class AtOnce:
    """The event loop itself, in place of threads, for work that waits for nothing and is done sooner than handed over.

    What is in memory is an example: a look at it takes less than half of what it takes to hand it to a thread.
    """

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do some work, once all others who can go on have had their turn, and return or raise what it does."""
        await asyncio.sleep(0)
        return work(*args, **kwargs)


Workers = Threads | AtOnce


def _tell(loop: asyncio.AbstractEventLoop, done: "asyncio.Future[T]", settle: Callable[[V], None], outcome: V) -> None:
    def settling() -> None:
        if not done.done():  # the caller has left
            settle(outcome)

    with suppress(RuntimeError):  # the loop is closed, and with it whoever asked
        loop.call_soon_threadsafe(settling)
