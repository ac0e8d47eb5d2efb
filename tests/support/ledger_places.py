"""A ledger that is opened at a place a test chooses, and what somebody is told who cannot open it."""

import re
import traceback
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from kolors_mcp.clock import Clock
from kolors_mcp.errors import LedgerError
from kolors_mcp.ledger.job import NewJob
from kolors_mcp.ledger.ledger import Ledger
from tests.support.ledger_deeds import account

CLOCK = Clock()


MAX_WAIT_SECONDS = 0.05
"""For a file; what is locked in these tests stays locked."""
SERVERS_MAX_WAIT_SECONDS = 10.0
"""For a server, which ends each statement that takes twice as long; on a slow machine any may take a while."""


@asynccontextmanager
async def opened(url: str) -> AsyncGenerator[Ledger]:
    max_wait_seconds = MAX_WAIT_SECONDS if url.startswith("sqlite") else SERVERS_MAX_WAIT_SECONDS
    ledger = await Ledger.open(url, clock=CLOCK, account=account, max_wait_seconds=max_wait_seconds)
    try:
        yield ledger
    finally:
        await ledger.aclose()


async def wish(ledger: Ledger, reference: str = "k-1") -> None:
    await ledger.reserve(NewJob(reference, "local", reference, None, ("a.jpg", "b.jpg")))


async def refusal(url: str) -> str:
    """What somebody is told who opens this; whatever password is in the URL is in no part of it."""
    with pytest.raises(LedgerError) as refused:
        async with opened(url):
            pass
    for secret in re.findall(r"://[^:/]*:([^@]+)@", url):
        assert secret not in "".join(traceback.format_exception(refused.value))
        assert secret not in repr(refused.value)
    return str(refused.value)
