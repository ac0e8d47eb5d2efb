"""Tells a waiting host at once and then at least every five seconds what is going on."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

BEAT_SECONDS = 5.0
"""The longest silence; hosts cut calls that say nothing for 45 to 60 seconds."""
MIN_ADVANCE_SECONDS = 0.001
"""Between two reports, as they are told: the protocol wants each to be more than the one before."""

SendProgress = Callable[[float, float | None, str], Awaitable[None]]
"""Takes the seconds elapsed, the seconds expected if known, and a line of text."""


@asynccontextmanager
async def heartbeat(send: SendProgress, expected_seconds: float) -> AsyncGenerator[Callable[[str], None]]:
    """Report while the body runs; yields the function with which the body says what it is doing."""
    now = asyncio.get_running_loop().time
    started = now()
    line, elapsed = "starting", -MIN_ADVANCE_SECONDS
    changed = asyncio.Event()

    def say(text: str) -> None:
        nonlocal line
        line = text
        changed.set()

    async def tell() -> None:
        nonlocal elapsed
        changed.clear()
        # A clock may show the same time twice.
        elapsed = max(now() - started, elapsed + MIN_ADVANCE_SECONDS)
        expected = expected_seconds if elapsed < expected_seconds else None
        await send(elapsed, expected, f"{line} ({elapsed:.0f} s)")

    async def beat() -> None:
        while True:
            # Not `wait_for`: before Python 3.12 it swallows a cancellation that comes together with the event.
            with suppress(TimeoutError):
                async with asyncio.timeout(BEAT_SECONDS):
                    await changed.wait()
            await tell()

    await tell()
    beating = asyncio.create_task(beat())
    try:
        yield say
    finally:
        beating.cancel()
        await asyncio.wait((beating,))
