"""Runs what is async for tests that are not, such as those of hundreds of examples: making a loop for each is dear."""

import asyncio
import atexit
from collections.abc import Awaitable, Callable
from functools import cache
from typing import TypeVar

T = TypeVar("T")


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    atexit.register(loop.close)
    return loop


def run(attempt: Callable[[], Awaitable[T]]) -> T:
    """Run it to its end, in a loop that others have used, and end what it has left running."""
    loop = _loop()
    try:
        return loop.run_until_complete(_begun(attempt))
    finally:
        if left := asyncio.all_tasks(loop):
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))


async def _begun(attempt: Callable[[], Awaitable[T]]) -> T:
    return await attempt()
