"""The one loop that waits for a job: it reads how the job stands, turn after turn, until that is an end or it is time.

Everything that keeps a call waiting for a create goes through it; what is read, what ends the wait and who is told of
each turn are arguments.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from kolors_mcp.clock import Clock, Deadline

LEDGER_EVERY_SECONDS = 0.5
"""Between two looks into the ledger while another process has the create in hand."""

S = TypeVar("S")


def _tell_nothing(_state: object) -> None:
    """Take a state of which no caller is told."""


async def wait_for_job(
    state: S,
    read: Callable[[S], Awaitable[S]],
    is_over: Callable[[S], bool],
    deadline: Deadline,
    *,
    pause_seconds: float = 0.0,
    woken: asyncio.Event | None = None,
    tell: Callable[[S], None] = _tell_nothing,
) -> S:
    """Read how a job stands, again and again, until it is over or the deadline leaves no time for another turn.

    Args:
        state: How it stands now, as far as the caller knows.
        read: Returns how it stands, from how it stood; it may wait itself, then within the deadline. What it raises
            ends the wait.
        is_over: Whether there is nothing more to wait for.
        deadline: Until when to wait. A turn whose pause would go beyond it does not begin, unless `woken` may end the
            pause: then the last one is as long as there is time.
        pause_seconds: Before each read; 0 where the read brings its own pause.
        woken: Of this wait alone. Whatever knows that the job has moved sets it, and the next read comes at once. It is
            cleared before that read, so that a change during the read is not missed.
        tell: Takes in each turn, before the pause, how the job stands.

    Returns:
        How it stood last: at its end, or when the time was over.
    """
    is_last = False
    while not is_last and not is_over(state) and deadline.left() > 0:
        is_last = not deadline.allows(pause_seconds)
        if is_last and woken is None:
            break
        tell(state)
        if pause_seconds:
            await sleep_unless(deadline.clock, min(pause_seconds, deadline.left()), woken)
        if woken is not None:
            is_last = is_last and not woken.is_set()
            woken.clear()
        state = await read(state)
    return state


async def rest_unless(clock: Clock, seconds: float, woken: asyncio.Event) -> None:
    """Rest between two rounds of what goes on in the background, so long or until the event is set."""
    with anyio.CancelScope() as resting:
        waking = asyncio.ensure_future(woken.wait())
        waking.add_done_callback(lambda _: resting.cancel())
        try:
            await clock.tick(seconds)
        finally:
            waking.cancel()


async def sleep_unless(clock: Clock, seconds: float, woken: asyncio.Event | None) -> None:
    """Sleep so long, or until the event is set."""
    if woken is None:
        await clock.sleep(seconds)
        return
    both = [asyncio.ensure_future(clock.sleep(seconds)), asyncio.ensure_future(woken.wait())]
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for waiting in both:
            waiting.cancel()
