"""Killed, restarted, closed, and two at once: real server processes over stdio that share one ledger."""

import base64
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from mcp import Client

from kolors_mcp.sandbox import faults
from kolors_mcp.sandbox.kling import SandboxKling
from tests.support.commands import HANG_SECONDS
from tests.support.making import jpeg
from tests.support.over_stdio import begin, by_hand, kill, server, server_environment
from tests.support.wishing import PERSON, Assistant, Said, garment

WISHES = 50
WISH = {"human_image": PERSON, "cloth_image": garment("crimson"), "wait_seconds": 300}


def a_minute_passes(tmp_path: Path) -> list[str]:
    """Age the ledger by a minute; return its references, the oldest first."""
    with closing(sqlite3.connect(tmp_path / "state" / "kolors-mcp" / "ledger.sqlite3")) as ledger, ledger:
        ledger.execute("UPDATE kolors_try_ons SET created_at = created_at - 61, lease_until = lease_until - 61")
        return [row[0] for row in ledger.execute("SELECT reference FROM kolors_try_ons ORDER BY id")]


def when_it_has_left(kling: SandboxKling, _stdout: Any) -> None:
    kling.clock.wait_for_sleepers(1)


def before_the_answer(kling: SandboxKling, _stdout: Any) -> None:
    kling.clock.wait_for_sleepers(2)


def while_it_waits(kling: SandboxKling, _stdout: Any) -> None:
    kling.wait_for_request(lambda request: request.method == "GET")


def while_it_backs_off(_kling: SandboxKling, stdout: Any) -> None:
    while b"Trying again" not in stdout.readline():
        pass


MOMENTS: dict[str, tuple[faults.Fault | None, Callable[[SandboxKling, Any], None], bool]] = {
    "navy": (faults.Slow(1e6), when_it_has_left, False),
    "gold": (faults.Slow(1e6, when="after_acceptance"), before_the_answer, True),
    "pink": (None, while_it_waits, True),
    "plum": (faults.Refuse(1303, retry_after="30"), while_it_backs_off, False),
}
"""By the garment that is wished for: what goes wrong, when the process is killed, and whether a task is there then."""


@pytest.mark.process
@pytest.mark.anyio
async def test_a_server_that_is_killed_at_any_step_loses_no_task_and_pays_none_twice(
    kling: SandboxKling, tmp_path: Path
) -> None:
    kling.rules.finished_seconds = 10_000
    env = server_environment(kling, tmp_path, KLING_API_KEY=kling.api_key)
    for colour, (fault, moment, _made) in MOMENTS.items():
        if fault is not None:
            kling.faults.next_create(fault)
        with by_hand(env) as process:
            begin(process, {"human_image": PERSON, "cloth_image": garment(colour), "wait_seconds": 300})
            await anyio.to_thread.run_sync(moment, kling, process.stdout)
            kill(process)
    made = iter(list(kling.tasks.all))
    references = a_minute_passes(tmp_path)
    said: dict[str, list[Said]] = {}

    async def look(assistant: Assistant, colour: str, reference: str) -> None:
        said[colour] = [await assistant.get(reference), await assistant.create(colour)]

    async with Client(server(env)) as client, anyio.create_task_group() as group:
        for colour, reference in zip(MOMENTS, references, strict=True):
            group.start_soon(look, Assistant(client), colour, reference)
    for (colour, (_fault, _moment, exists)), reference in zip(MOMENTS.items(), references, strict=True):
        if not exists:
            assert all(one.in_doubt and one.reference == reference for one in said[colour]), said[colour]
            continue
        assert {one.try_on.task_id for one in said[colour]} == {next(made).id}, colour
        assert {one.try_on.reference for one in said[colour]} == {reference}, colour
        assert said[colour][1].try_on.reused
    assert kling.tasks_created == 2


@pytest.mark.process
@pytest.mark.anyio
async def test_standard_input_that_closes_during_the_post_ends_the_process_in_time_and_loses_nothing(
    kling: SandboxKling, tmp_path: Path
) -> None:
    kling.faults.next_create(faults.Slow(1e6))
    env = server_environment(kling, tmp_path, KLING_API_KEY=kling.api_key)
    with by_hand(env) as process:
        begin(process, WISH)
        kling.clock.wait_for_sleepers()
        _output, log = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == 0
    assert b"Traceback" not in log
    # The work at Kling goes on although the caller has left.
    kling.clock.advance(2e6)
    async with Client(server(env)) as client:
        repeated = (await Assistant(client).create()).try_on
    assert repeated.reused
    assert [repeated.task_id] == [task.id for task in kling.tasks.all]


@pytest.mark.process
@pytest.mark.anyio
async def test_two_servers_on_one_ledger_make_each_of_fifty_wishes_once(kling: SandboxKling, tmp_path: Path) -> None:
    env = server_environment(kling, tmp_path, KLING_API_KEY=kling.api_key)
    said: list[tuple[int, Said]] = []
    cloths = [base64.b64encode(jpeg(colour=f"#{5 * number:02x}6699")).decode() for number in range(WISHES)]

    async def wish(client: Client, number: int) -> None:
        said.append(
            (number, await Assistant(client).call("create_try_on", human_image=PERSON, cloth_image=cloths[number]))
        )

    async with Client(server(env)) as one, Client(server(env)) as other, anyio.create_task_group() as group:
        for number in range(WISHES):
            group.start_soon(wish, one, number)
            group.start_soon(wish, other, number)
    assert kling.tasks_created == WISHES
    assert {(number, answer.try_on.task_id) for number, answer in said} == {
        (number, answer.try_on.task_id) for number, answer in said if not answer.try_on.reused
    }
    assert sum(answer.try_on.reused for _, answer in said) == WISHES
