"""What goes on in the background of a service, round after round, whatever fails in one of them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from kolors_mcp.clock import Backoff, Clock
from kolors_mcp.errors import LedgerError
from kolors_mcp.jobs.waiting import rest_unless

logger = logging.getLogger(__name__)

RETRY = Backoff(initial_seconds=1.0, max_seconds=10.0)
"""After the ledger failed."""
MIN_RETRY_SECONDS = 1.0


async def go_round(what: str, work: Callable[[], Awaitable[float]], woken: asyncio.Event, clock: Clock) -> None:
    """Do a round of work again and again.

    Args:
        what: Stands still when a round fails.
        work: One round; returns in how many seconds the next one begins.
        woken: Lets it begin at once.
        clock: Counts the seconds.
    """
    failures = 0
    while True:
        woken.clear()
        try:
            seconds, failures = await work(), 0
        except Exception as error:
            if isinstance(error, LedgerError):
                logger.warning("%s stands still: %s", what, error)
            else:
                logger.exception("%s failed unexpectedly", what)
            seconds, failures = RETRY.seconds(failures, clock, at_least=MIN_RETRY_SECONDS), failures + 1
        await rest_unless(clock, seconds, woken)
