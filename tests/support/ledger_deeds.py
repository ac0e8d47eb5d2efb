"""A process that works on a ledger: `python ledger_deeds.py DEED ARGUMENTS`, begun by a line on standard input."""

import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
from sqlalchemy import event

from kolors_mcp.clock import Clock
from kolors_mcp.errors import DailyLimitError
from kolors_mcp.ledger.job import NewJob, Reservation
from kolors_mcp.ledger.ledger import Ledger

WISHES = 50


def account() -> str:
    """The account whose ledger it is in tests that have only one."""
    return "an-account"


async def wish(ledger: Ledger, reference: str, fingerprint: str, daily_limit: int | None = None) -> Reservation:
    new = NewJob(reference, "local", fingerprint, None, ("me.jpg", "shop.example"))
    return await ledger.reserve(new, daily_limit=daily_limit)


async def wishes(url: str, process_name: str, kind: str, limit: str = "") -> list[tuple[str, str, str | None]]:
    """Make all wishes at once; return the kind of each outcome, and whose reference it is."""
    ledger = await Ledger.open(url, clock=Clock(), account=account)
    outcomes: list[tuple[str, str, str | None]] = []

    async def one(number: int) -> None:
        fingerprint = f"{kind}-{number}"
        try:
            made = await wish(ledger, f"k-{process_name}-{number}", fingerprint, int(limit) if limit else None)
        except DailyLimitError as error:
            outcomes.append((fingerprint, type(error).__name__, None))
        else:
            outcomes.append((fingerprint, "new" if made.is_new else "joined", made.job.reference))

    async with anyio.create_task_group() as group:
        for number in range(WISHES):
            group.start_soon(one, number)
    await ledger.aclose()
    return outcomes


async def openings(*urls: str) -> int:
    """Open one ledger after the other; return how many could be."""
    for url in urls:
        ledger = await Ledger.open(url, clock=Clock(), account=account)
        await ledger.aclose()
    return len(urls)


async def death_before_commit(url: str) -> None:
    """Write a row, then die when the next one is in the transaction and not yet committed."""
    ledger = await Ledger.open(url, clock=Clock(), account=account)
    await wish(ledger, "k-first", "first")

    @event.listens_for(ledger.database.engine, "commit")
    def committing(_connection: object) -> None:  # pyright: ignore[reportUnusedFunction] (SQLAlchemy calls it)
        os.kill(os.getpid(), signal.SIGKILL)

    await wish(ledger, "k-second", "second")


async def many(url: str) -> None:
    """Write rows without end, and tell each as soon as it is written."""
    ledger = await Ledger.open(url, clock=Clock(), account=account)
    for number in range(99_999):
        made = await wish(ledger, f"k-{number}", f"f-{number}")
        say(made.job.reference)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


DEEDS: dict[str, Callable[..., Awaitable[Any]]] = {
    deed.__name__: deed for deed in (wishes, openings, death_before_commit, many)
}

if __name__ == "__main__":
    say("ready")
    sys.stdin.readline()
    say(json.dumps(anyio.run(DEEDS[sys.argv[1]], *sys.argv[2:])))
