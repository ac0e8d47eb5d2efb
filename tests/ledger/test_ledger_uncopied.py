"""What is looked at again since no copy of it was made, on all databases."""

import pytest

from kolors_mcp.clock import Clock
from kolors_mcp.ledger.job import NewJob
from kolors_mcp.ledger.ledger import Ledger
from kolors_mcp.ledger.line import LedgerLine
from kolors_mcp.ledger.running import KEPT_SECONDS
from kolors_mcp.ledger.slots import Terms
from kolors_mcp.ledger.uncopied import AGAIN_AFTER_SECONDS, FIRST_AFTER_SECONDS
from kolors_mcp.ledger.wakes import Wakes
from tests.support.asking import DAY, NOON, Hand

pytestmark = pytest.mark.anyio


async def taken(line: LedgerLine, most: int = 9) -> list[str]:
    return [job.reference for job in await line.take_uncopied(most)]


async def test_only_what_succeeded_and_has_no_copy_is_looked_at_again_once_an_hour_while_kling_keeps_it(
    url: str,
) -> None:
    hand = Hand()
    ledger = await Ledger.open(
        url, clock=Clock(wall=hand.look), account=lambda: hand.account, server_time=lambda: hand.now
    )
    try:
        ledger.open_line(Terms(99, 100, 1e9), Wakes("sqlite://", hand.clock))
        line = ledger.line
        assert line is not None

        async def made(reference: str, status: str) -> None:
            await ledger.reserve(NewJob(reference, f"the user of {reference}", reference, None, ("a", "b")))
            await ledger.created(reference, f"task-{reference}", status)

        for reference, status in (("k-1", "succeed"), ("k-2", "failed"), ("k-3", "processing"), ("k-4", "succeed")):
            await made(reference, status)
        await ledger.saved("k-4", 0, "results/k-4/0.jpg")
        hand.account = "another"
        await made("k-5", "succeed")
        hand.account = "an-account"
        hand.now += FIRST_AFTER_SECONDS - 5
        await made("k-6", "succeed")
        assert await taken(line) == []
        hand.now += 10
        assert await taken(line) == ["k-1"]
        assert await taken(line) == []
        hand.now += FIRST_AFTER_SECONDS
        assert await taken(line) == ["k-6"]
        hand.now += AGAIN_AFTER_SECONDS
        assert [await taken(line, 1), await taken(line, 1), await taken(line, 1)] == [["k-1"], ["k-6"], []]
        await ledger.saved("k-1", 0, "results/k-1/0.jpg")
        hand.now += AGAIN_AFTER_SECONDS
        assert await taken(line) == ["k-6"]
        hand.now = NOON + FIRST_AFTER_SECONDS + KEPT_SECONDS
        assert await taken(line) == []
        assert KEPT_SECONDS == 30 * DAY
    finally:
        await ledger.aclose()
