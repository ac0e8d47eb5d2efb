"""Tells a waiting host at once and then at least every five seconds what is going on."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

HEARTBEAT_SECONDS = 5.0
"""The longest silence; hosts cut calls that say nothing for 45 to 60 seconds."""
MIN_ADVANCE_SECONDS = 0.001
"""By how much each report is later than the one before, even if the clock stands: the protocol wants growing values."""

SendProgress = Callable[[float, float | None, str], Awaitable[None]]
"""Takes the seconds elapsed, the seconds expected if known, and a line of text."""


@asynccontextmanager
async def heartbeat(send: SendProgress, expected_seconds: float) -> AsyncGenerator[Callable[[str], None]]:
    """Report while the body runs; yields the function with which the body says what it is doing."""
    now = asyncio.get_running_loop().time
    started = now()
    line, elapsed = "starting", -MIN_ADVANCE_SECONDS
    changed = asyncio.Event()

    def report(text: str) -> None:
        nonlocal line
        line = text
        changed.set()

    async def send_line() -> None:
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
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await changed.wait()
            await send_line()

    await send_line()
    beating = asyncio.create_task(beat())
    try:
        yield report
    finally:
        beating.cancel()
        await asyncio.wait((beating,))
