"""A refusal of the token (1003, 1004) made nothing; with a new one the same create is sent once more, in a new turn."""

import asyncio
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from kolors_mcp.ledger.leases import LEASE_SECONDS
from kolors_mcp.ledger.ledger import Ledger
from kolors_mcp.sandbox import faults
from tests.support.making import key_pair
from tests.support.wishing import World

pytestmark = pytest.mark.anyio
NOT_YET, EXPIRED = 1003, 1004
CODES = pytest.mark.parametrize("code", [NOT_YET, EXPIRED])


@pytest.fixture(autouse=True)
def signing(world: World) -> None:
    """Servers that sign with a pair of keys."""
    world.keys = key_pair(world.kling)


def written(world: World) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(world.ledger.removeprefix("sqlite:///"))) as ledger:
        return ledger.execute("SELECT state, turn, code FROM kolors_try_ons ORDER BY id").fetchall()


@CODES
async def test_a_create_whose_token_was_refused_is_made_once_in_its_next_turn(world: World, code: int) -> None:
    world.kling.faults.next_create(faults.Refuse(code))
    async with world.server() as assistant:
        made = (await assistant.create()).try_on
        assert (await assistant.create()).try_on.task_id == made.task_id
    assert (world.posts, world.kling.tasks_created) == (2, 1)
    assert written(world) == [("created", 2, None)]
    first, second = (seen for seen in world.kling.requests if seen.method == "POST")
    assert first.body == second.body, "the same create, with the same reference"


@CODES
async def test_what_is_refused_with_the_new_token_too_came_to_nothing_and_blocks_nothing(
    world: World, code: int
) -> None:
    world.kling.faults.next_create(faults.Refuse(code), times=2)
    async with world.server(daily_limit=1) as assistant:
        said = await assistant.create()
        assert said.nothing_created
        assert "Set this machine's clock" in said.text
        assert world.posts == 2
        assert not (await assistant.create()).try_on.reused
    assert [state for state, _turn, _code in written(world)] == ["refused", "created"]
    assert world.kling.tasks_created == 1


@CODES
async def test_a_key_that_cannot_be_signed_anew_is_not_tried_again(world: World, code: int) -> None:
    world.keys = None
    world.kling.faults.next_create(faults.Refuse(code))
    async with world.server() as assistant:
        assert (await assistant.create()).nothing_created
    assert world.posts == 1


@CODES
@pytest.mark.parametrize("shown", [True, False])
async def test_a_code_of_the_token_with_the_status_of_a_failure_is_a_doubt_and_nothing_is_sent_again(
    world: World, code: int, shown: bool
) -> None:
    world.kling.rules.external_ids = "make_second"
    if not shown:
        world.kling.rules.not_found_reads, world.kling.rules.list_lag_seconds = 10**9, 1e6
    world.kling.faults.next_create(faults.Refuse(code, status=500, accepted=True))
    async with world.server() as assistant:
        said = [await assistant.create(), await assistant.create()]
    assert [one.in_doubt for one in said] == [not shown] * 2
    assert (world.posts, world.kling.tasks_created) == (1, 1)


@CODES
async def test_an_answer_lost_after_the_new_token_leaves_one_doubt_about_one_task(world: World, code: int) -> None:
    world.kling.rules.external_ids = "make_second"
    world.kling.faults.next_create(faults.Refuse(code))
    world.kling.faults.next_create(faults.Disconnect("after_acceptance"))
    async with world.server() as assistant:
        made = (await assistant.create()).try_on
    assert [task.id for task in world.kling.tasks.all] == [made.task_id]
    assert world.posts == 2


@CODES
async def test_a_busy_account_and_then_a_dead_token_make_one_task_of_one_reference(world: World, code: int) -> None:
    world.kling.faults.next_create(faults.Refuse(1303))
    world.kling.faults.next_create(faults.Refuse(code))
    async with world.server() as assistant:
        made = (await assistant.create(wait_seconds=30)).try_on
    [task] = world.kling.tasks.all
    assert (task.id, task.request.external_task_id) == (made.task_id, made.reference)
    assert written(world) == [("created", 3, None)]


@pytest.mark.parametrize("has_turns", [True, False])
async def test_a_process_that_has_lost_its_turn_meanwhile_sends_nothing_with_the_new_token(
    world: World, monkeypatch: pytest.MonkeyPatch, has_turns: bool
) -> None:
    """It is stopped between the two while another writes down that it is dead; without turns it sends all the same."""
    stopped, goes_on = asyncio.Event(), asyncio.Event()
    begin, mark = Ledger.begin_next_turn, Ledger.mark_posting

    async def held(ledger: Ledger, reference: str, turn: int) -> bool:
        stopped.set()
        await goes_on.wait()
        return await begin(ledger, reference, turn) or not has_turns

    async def marked(ledger: Ledger, reference: str, turn: int) -> bool:
        return await mark(ledger, reference, turn) or not has_turns

    monkeypatch.setattr(Ledger, "begin_next_turn", held)
    monkeypatch.setattr(Ledger, "mark_posting", marked)
    world.kling.faults.next_create(faults.Refuse(NOT_YET))
    async with world.server() as one, world.server() as another:
        first = asyncio.create_task(one.create())
        await stopped.wait()
        world.time.now += LEASE_SECONDS
        second = await another.create()
        goes_on.set()
        said = await first
    assert second.in_doubt, "it left whole once"
    assert said.nothing_created == has_turns
    assert world.kling.tasks_created == (0 if has_turns else 1)


async def test_keys_of_another_account_that_come_meanwhile_do_not_sign_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = Ledger.mark_posting

    async def rotated(ledger: Ledger, reference: str, turn: int) -> bool:
        world.keys = None  # then its servers use the key that is no pair
        return await mark(ledger, reference, turn)

    monkeypatch.setattr(Ledger, "mark_posting", rotated)
    world.kling.faults.next_create(faults.Refuse(NOT_YET))
    async with world.server() as assistant:
        assert (await assistant.create()).nothing_created
    assert world.posts == 1
