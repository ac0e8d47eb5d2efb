"""When the host closes standard input the process ends, whatever holds up the ledger; what was not settled stays so."""

import base64
import socket
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kolors_mcp.sandbox import faults
from kolors_mcp.sandbox.kling import SandboxKling
from tests.support.commands import HANG_SECONDS
from tests.support.making import jpeg
from tests.support.over_stdio import HELLO, by_hand, hear, say, server_environment

HOUR = 3600


def begin(process: subprocess.Popen[bytes]) -> None:
    say(process.stdin, {"id": 1, "method": "initialize", "params": HELLO})
    hear(process.stdout, 1)
    say(process.stdin, {"method": "notifications/initialized"})


def create(process: subprocess.Popen[bytes], number: int, colour: str) -> None:
    person, garment = (base64.b64encode(data).decode() for data in (jpeg(), jpeg(colour=colour)))
    call = {"name": "create_try_on", "arguments": {"human_image": person, "cloth_image": garment}}
    say(process.stdin, {"id": number, "method": "tools/call", "params": call})


def is_post(seen: Any) -> bool:
    return seen.method == "POST"


# What ends a server that does not end by itself is put off beyond the tests' own limit.
UNTIMED = "from kolors_mcp.cli import main, serve\nserve.MAX_CLOSING_SECONDS = 3600.0\nmain([])\n"


@pytest.mark.parametrize("called", [False, True])
def test_a_server_that_has_nothing_under_way_ends_by_itself(kling: SandboxKling, tmp_path: Path, called: bool) -> None:
    (tmp_path / "untimed.py").write_text(UNTIMED, encoding="utf-8")
    with by_hand(server_environment(kling, tmp_path, KLING_API_KEY=kling.api_key), "untimed", cwd=tmp_path) as process:
        begin(process)
        if called:
            create(process, 2, "navy")
            hear(process.stdout, 2)
        _output, log = process.communicate(timeout=HANG_SECONDS)
    assert (process.returncode, log) == (0, b"")


def test_a_ledger_that_never_answers_does_not_hold_up_the_end(kling: SandboxKling, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(HANG_SECONDS)
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        # Within an hour nothing but the end of the process ends this wait.
        ledger = f"postgresql://nobody@{place}/none?connect_timeout={HOUR}&sslmode=disable"
        env = server_environment(kling, tmp_path, KLING_API_KEY=kling.api_key, KOLORS_LEDGER=ledger)
        with by_hand(env) as process:
            begin(process)
            create(process, 2, "navy")
            waiting, _ = silent.accept()
            with waiting:
                _output, log = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == 0
    assert b"Traceback" not in log
    assert not kling.requests


def test_a_locked_ledger_and_an_unanswered_create_are_left_as_they_are_and_nothing_is_lost(
    kling: SandboxKling, tmp_path: Path
) -> None:
    kling.faults.next_create(faults.Slow(HOUR, "after_acceptance"))
    file = tmp_path / "ledger.sqlite3"
    env = server_environment(kling, tmp_path, KLING_API_KEY=kling.api_key, KOLORS_LEDGER=f"sqlite:///{file}")
    with by_hand(env) as process:
        begin(process)
        create(process, 2, "navy")
        # It is whole and accepted, and only its answer is kept back.
        kling.clock.wait_for_sleepers(1)
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            create(process, 3, "gold")
            process.communicate(timeout=HANG_SECONDS)
            other.execute("ROLLBACK")
    assert process.returncode == 0
    with closing(sqlite3.connect(file, isolation_level=None)) as written:
        [(reference, state), *_] = written.execute("SELECT reference, state FROM kolors_try_ons ORDER BY id").fetchall()
        # As it is fifteen seconds later: the lease, which nobody renews any more, is over.
        written.execute("UPDATE kolors_try_ons SET lease_until = 1 WHERE lease_until IS NOT NULL")
    assert state in ("posting", "unconfirmed")
    with by_hand(env) as process:
        begin(process)
        create(process, 2, "navy")
        answer = hear(process.stdout, 2)["result"]
    # It was accepted, so it is found, by its reference and not by a second payment.
    assert answer["structuredContent"]["reference"] == reference
    assert answer["structuredContent"]["reused"]
    assert sum(map(is_post, kling.requests)) == kling.tasks_created == 1
