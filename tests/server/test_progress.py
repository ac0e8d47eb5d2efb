"""The heartbeat: at once, then whenever there is news, and never silent for long."""

import asyncio

import pytest

from kolors_mcp.server import progress
from kolors_mcp.server.progress import HEARTBEAT_SECONDS, heartbeat
from tests.support.still_time import idle, turn

pytestmark = pytest.mark.anyio

Told = list[tuple[float, float | None, str]]


def listener(told: Told, enough: int) -> tuple[progress.SendProgress, asyncio.Event]:
    heard = asyncio.Event()

    async def report(elapsed: float, expected: float | None, line: str) -> None:
        told.append((elapsed, expected, line))
        if len(told) >= enough:
            heard.set()

    return report, heard


async def test_it_speaks_at_once_and_goes_on_while_nothing_happens() -> None:
    told: Told = []
    report, heard = listener(told, 4)
    async with heartbeat(report, 12):
        assert told == [(0.0, 12, "starting (0 s)")]
        while not heard.is_set():
            await idle()
            turn(HEARTBEAT_SECONDS)
    assert [elapsed for elapsed, _, _ in told] == [0.0, 5.0, 10.0, 15.0]
    assert [expected for _, expected, _ in told] == [12, 12, 12, None]


async def test_news_is_told_without_waiting_for_the_next_beat() -> None:
    told: Told = []
    report, heard = listener(told, 2)
    async with heartbeat(report, 0) as say:
        say("sending")
        await heard.wait()
    assert told[-1][1:] == (None, "sending (0 s)")


async def test_it_ends_even_if_the_last_news_comes_with_the_end() -> None:
    async def report(_elapsed: float, _expected: float | None, _line: str) -> None:
        await asyncio.sleep(0)

    for _ in range(50):
        async with heartbeat(report, 0) as say:
            await asyncio.sleep(0)
            say("done")


async def test_an_error_of_the_work_comes_through_as_it_is() -> None:
    report, _ = listener([], 1)
    with pytest.raises(ZeroDivisionError):
        async with heartbeat(report, 0):
            raise ZeroDivisionError
