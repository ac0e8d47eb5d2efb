"""A real server dies or falls asleep when a create is at Kling but for its end, and another one takes the wish over."""

import base64
import os
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import anyio.to_thread
import pytest
from mcp import Client

from kolors_mcp.ledger.leases import LEASE_SECONDS
from kolors_mcp.sandbox.kling import SandboxKling
from tests.support.commands import program_of
from tests.support.holding import holding
from tests.support.making import noise
from tests.support.over_stdio import begin, by_hand, hear, kill, server, server_environment
from tests.support.wishing import Assistant, garment

pytestmark = [
    pytest.mark.process,
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals that stop a process"),
]

ROOT = Path(__file__).parents[2]
WISH = {"human_image": base64.b64encode(noise()).decode(), "cloth_image": garment("crimson")}


def its_lease_lapses(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "state" / "kolors-mcp" / "ledger.sqlite3")) as ledger, ledger:
        lapsing = "UPDATE kolors_try_ons SET lease_until = lease_until - ?"
        assert ledger.execute(lapsing, (LEASE_SECONDS,)).rowcount == 1


def states(tmp_path: Path) -> list[str]:
    with closing(sqlite3.connect(tmp_path / "state" / "kolors-mcp" / "ledger.sqlite3")) as ledger:
        return [row[0] for row in ledger.execute("SELECT state FROM kolors_try_ons ORDER BY id")]


async def test_a_server_that_is_killed_before_the_mark_has_sent_nothing_and_the_same_is_made_once_by_the_next(
    kling: SandboxKling, tmp_path: Path
) -> None:
    with holding(kling.origin) as way:
        env = server_environment(kling, tmp_path, KLING_API_BASE=way.origin, KLING_API_KEY=kling.api_key)
        with by_hand(env) as killed:
            begin(killed, WISH)
            await anyio.to_thread.run_sync(way.begun.wait)
            kill(killed)
        assert states(tmp_path) == ["sending"]
        way.goes_on.set()
        its_lease_lapses(tmp_path)
        async with Client(server(env)) as client:
            assert not (await Assistant(client).call("create_try_on", **WISH)).try_on.reused
            assert (await Assistant(client).call("create_try_on", **WISH)).try_on.reused
    assert states(tmp_path) == ["refused", "created"]
    assert kling.tasks_created == 1


@pytest.mark.parametrize("is_marked", [True, False])
async def test_a_server_that_slept_beyond_its_lease_sends_no_more_what_another_has_taken_over(
    kling: SandboxKling, tmp_path: Path, is_marked: bool
) -> None:
    program = () if is_marked else ("tests.soak.without", "mark")
    with holding(kling.origin) as way:
        env = server_environment(kling, tmp_path, KLING_API_BASE=way.origin, KLING_API_KEY=kling.api_key)
        with by_hand(env, *program, cwd=ROOT) as asleep:
            begin(asleep, WISH)
            await anyio.to_thread.run_sync(way.begun.wait)
            os.kill(program_of(asleep.pid), signal.SIGSTOP)
            its_lease_lapses(tmp_path)
            async with Client(server(env)) as client:
                assert not (await Assistant(client).call("create_try_on", **WISH)).try_on.reused
            way.goes_on.set()
            os.kill(program_of(asleep.pid), signal.SIGCONT)
            said = (await anyio.to_thread.run_sync(hear, asleep.stdout, 2))["result"]
    assert said["isError"] == is_marked
    assert ("No task was created." in said["content"][0]["text"]) == is_marked
    assert kling.tasks_created == (1 if is_marked else 2), "without the mark the one who wakes up pays again"
