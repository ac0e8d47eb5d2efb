"""One ledger under several processes, and under one that is killed."""

import signal
import sqlite3
from collections import Counter
from pathlib import Path

import anyio
import pytest

from kolors_mcp.clock import Clock
from kolors_mcp.ledger.job import Job
from kolors_mcp.ledger.ledger import Ledger
from tests.support.ledger_deeds import WISHES, account, wish
from tests.support.ledger_processes import at_once, begin, line_of, process

LIMIT = 10
OPENINGS = 8


@pytest.fixture(params=["file", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "file":
        return f"sqlite:///{tmp_path / 'ledger.sqlite3'}"
    return request.getfixturevalue("postgres_url")


def jobs(url: str) -> list[Job]:
    """What is in the ledger for somebody who opens it now; and that a wish can still be made."""

    async def looked_at() -> list[Job]:
        ledger = await Ledger.open(url, clock=Clock(), account=account)
        try:
            found = await ledger.recent("local", 9999)
            assert (await wish(ledger, "k-afterwards", "afterwards")).is_new
        finally:
            await ledger.aclose()
        return found

    return anyio.run(looked_at)


def test_two_processes_with_the_same_fifty_wishes_reserve_each_once(url: str) -> None:
    one, two = at_once("wishes", (url, "a", "same"), (url, "b", "same"))
    reserved = [fingerprint for fingerprint, kind, _ in one + two if kind == "new"]
    joined = {fingerprint: reference for fingerprint, kind, reference in one + two if kind == "joined"}
    assert sorted(reserved) == sorted(f"same-{number}" for number in range(WISHES))
    assert {job.fingerprint: job.reference for job in jobs(url)} == joined


def test_the_daily_limit_holds_across_processes(url: str) -> None:
    one, two = at_once("wishes", (url, "a", "mine", str(LIMIT)), (url, "b", "yours", str(LIMIT)))
    kinds = Counter(kind for _, kind, _ in one + two)
    assert kinds == {"new": LIMIT, "DailyLimitError": 2 * WISHES - LIMIT}
    assert len(jobs(url)) == LIMIT


def test_processes_that_open_a_new_file_at_once_all_succeed(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path / str(number) / 'new' / 'ledger.sqlite3'}" for number in range(OPENINGS)]
    assert at_once("openings", *[urls] * 3) == [OPENINGS] * 3


def test_processes_that_open_a_new_schema_at_once_all_succeed(postgres_url: str) -> None:
    assert at_once("openings", *[[postgres_url]] * 2) == [1] * 2


def test_a_process_killed_before_its_row_is_written_leaves_no_trace(url: str) -> None:
    with process("death_before_commit", url) as dying:
        begin(dying)
        assert dying.wait() == -signal.SIGKILL
    assert [job.reference for job in jobs(url)] == ["k-first"]


def test_every_row_is_there_after_a_process_was_killed_at_any_time(url: str) -> None:
    with process("many", url) as busy:
        assert line_of(busy) == "ready"
        begin(busy)
        told = [line_of(busy) for _ in range(60)]
        busy.send_signal(signal.SIGKILL)
        assert busy.stdout is not None
        told += busy.stdout.read().split()
        assert busy.wait() == -signal.SIGKILL
    found = [job.reference for job in reversed(jobs(url))]
    assert found[: len(told)] == told
    # One more may have been written whose process did not live to say so.
    assert len(found) - len(told) in (0, 1)
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()
