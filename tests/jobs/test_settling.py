"""What settles a create of which nobody knows what became of it: its own task, its own refusal, and nothing else."""

import json
import sqlite3
from contextlib import closing
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from kolors_mcp import errors
from kolors_mcp.jobs.search import Search
from kolors_mcp.kling.client import KlingClient
from kolors_mcp.kling.references import References
from kolors_mcp.kling.refusals import Verdict
from kolors_mcp.sandbox import faults
from kolors_mcp.settings import Credentials
from tests.support.making import TurnedClock
from tests.support.wishing import MINUTE, World

pytestmark = pytest.mark.anyio

OURS = "k-" + "0a" * 12
OTHERS = "k-" + "0b" * 12


def answering(task: dict[str, Any]) -> KlingClient:
    """A client of a Kling that answers each read with this task."""
    body = json.dumps({"code": 0, "data": {"task_status": "submitted", **task}}).encode()
    return KlingClient(
        "https://kling.example",
        lambda: Credentials(api_key=SecretStr("key")),
        clock=TurnedClock().clock(),
        transport=httpx.MockTransport(lambda _: httpx.Response(200, content=body)),
    )


@pytest.mark.parametrize(
    ("task", "found"),
    [
        ({"task_id": "842"}, True),
        ({"task_id": "842", "task_info": {"external_task_id": OURS}}, True),
        ({"task_id": "842", "task_info": {"external_task_id": OTHERS}}, False),
        # It only says what it was asked.
        ({"task_id": OURS}, False),
        ({"task_id": OURS, "task_info": {"external_task_id": OURS}}, False),
        ({"task_id": OURS, "task_info": {"external_task_id": OTHERS}}, False),
    ],
)
async def test_an_answer_about_another_task_or_an_echo_settles_nothing(task: dict[str, Any], found: bool) -> None:
    kling = answering(task)
    answer = await Search(kling, TurnedClock().clock()).by_reference(OURS)
    assert (OURS in answer.tasks) == found
    await kling.aclose()


@pytest.mark.parametrize(
    ("asked", "task"),
    [
        ("842", {"task_id": "843"}),
        ("842", {"task_id": "843", "task_info": {"external_task_id": OURS}}),
        (OURS, {"task_id": "842", "task_info": {"external_task_id": OTHERS}}),
    ],
)
async def test_a_task_that_was_not_asked_for_is_no_answer(asked: str, task: dict[str, Any]) -> None:
    kling = answering(task)
    with pytest.raises(errors.UnexpectedAnswerError, match="another try-on than was asked for"):
        await kling.read(asked)
    assert (await kling.read(task["task_id"])).id == task["task_id"]
    await kling.aclose()


async def test_a_create_that_was_refused_came_to_nothing_also_for_who_asks_by_its_reference(world: World) -> None:
    async with world.server() as assistant:
        world.kling.faults.next_create(faults.Refuse(1301))
        assert (await assistant.create()).nothing_created
        with closing(sqlite3.connect(world.ledger.removeprefix("sqlite:///"))) as written:
            [(reference,)] = written.execute("SELECT reference FROM kolors_try_ons")
        said = await assistant.get(reference)
    assert said.nothing_created
    assert f'The create with the reference "{reference}" came to nothing' in said.text
    assert "Nothing was billed" in said.text
    assert world.posts == 1


@pytest.mark.parametrize("message", [f"external_task_id {OURS} already exists", "external_task_id 已存在"])
async def test_words_for_taken_are_a_doubt_without_a_question(message: str) -> None:
    async def never(*_: object) -> Any:
        raise AssertionError

    references = References(never, lambda: "account", TurnedClock().clock())
    with pytest.raises(errors.ConnectionLostError, match="may mean that it has it already"):
        await references.require_certain(Verdict(1201, message, None), OURS, again=False)
    assert not await references.are_unknown()


async def test_a_paid_task_that_kling_denies_is_believed_for_an_hour_and_no_longer(world: World) -> None:
    async with world.server() as assistant:
        made = (await assistant.create()).try_on
        world.kling.faults.next_read(faults.Refuse(1203), times=None)
        world.time.now += 3590
        denied = (await assistant.get(made.task_id)).try_on
        assert "Kling does not show this try-on just now" in (denied.status_message or "")
        world.time.now += 20
        assert (await assistant.get(made.task_id)).is_error


async def test_what_a_busy_account_took_although_it_said_no_is_found_before_anybody_pays_again(world: World) -> None:
    async with world.server() as assistant:
        world.kling.faults.next_create(faults.Refuse(1303, accepted=True))
        said = await assistant.create()
        assert said.try_on.task_id == (await assistant.create()).try_on.task_id
    assert world.posts == 1


async def test_a_lost_answer_is_looked_for_for_some_seconds_so_that_a_task_that_shows_late_is_no_doubt(
    world: World,
) -> None:
    world.kling.rules.not_found_reads = 3
    world.kling.rules.list_lag_seconds = 60
    world.kling.faults.next_create(faults.Disconnect("after_acceptance"))
    async with world.server() as assistant:
        made = (await assistant.create()).try_on
    assert [made.task_id] == [task.id for task in world.kling.tasks.all]


@pytest.mark.parametrize("kling", ["agrees", "differs", "is away"])
async def test_a_clock_days_after_the_last_create_is_believed_once_kling_agrees_which_is_asked_first(
    world: World, kling: str
) -> None:
    is_right = kling == "agrees"
    async with world.server() as assistant:
        first = (await assistant.create(wait_seconds=60)).try_on
        assert first.status == "succeed"
    world.time.now += 2880 * MINUTE
    if kling == "differs":
        world.kling.clock.advance(-2880 * MINUTE)
    if kling == "is away":
        world.kling.faults.next_list(faults.Disconnect(), times=None)
    async with world.server() as assistant:
        before = len(world.kling.requests)
        second = (await assistant.create()).try_on
        assert second.reused is not is_right
        asked, *_ = list(world.kling.requests)[before:]
        assert (asked.method, asked.raw_query) == ("GET", "pageNum=1&pageSize=1")
        before = len(world.kling.requests)
        assert not (await assistant.create("navy")).try_on.reused
        assert [seen.method for seen in list(world.kling.requests)[before:]] == ["POST"], "it is asked but once"
    assert world.posts == 2 + is_right


async def test_what_kling_gave_an_id_is_read_by_that_id_whatever_it_is_asked_for_by(world: World) -> None:
    async with world.server() as assistant:
        made = (await assistant.create()).try_on
        before = len(world.kling.requests)
        assert (await assistant.get(made.reference or "")).try_on.task_id == made.task_id
        [read] = list(world.kling.requests)[before:]
        assert read.path.endswith(f"/{made.task_id}")
