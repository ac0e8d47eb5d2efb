"""What a busy account may have taken although it said no is not looked for before it would show, whoever asks."""

from dataclasses import dataclass
from typing import Any

import pytest

from kolors_mcp.jobs import send
from kolors_mcp.jobs.call import MIN_STEP_SECONDS
from kolors_mcp.jobs.send import DOUBT_SECONDS, Send
from kolors_mcp.sandbox import faults
from kolors_mcp.sandbox.answers import Outcome
from kolors_mcp.server import service
from kolors_mcp.server.request import MAX_SILENT_CALL_SECONDS
from tests.support.busy_but_taken import LAG_SECONDS, TAKEN, shown_in_list_only, the_task
from tests.support.wishing import World

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class LongSilence(faults.Fault):
    """Take the create, and say no, only when its sender can hardly wait any more."""

    world: World

    async def play(self, exchange: faults.Exchange) -> Outcome:
        await exchange.read_body()
        self.world.time.now += MAX_SILENT_CALL_SECONDS - MIN_STEP_SECONDS - LAG_SECONDS
        return await TAKEN.play(exchange)


async def hastily(_send: Send, _seconds: float) -> None:
    """Look at once, as a sender does that has no time left for anything else."""


async def test_what_a_sender_could_not_wait_for_is_waited_for_before_the_same_is_paid_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown_in_list_only(world, lag=LAG_SECONDS)
    world.kling.faults.next_create(TAKEN)
    monkeypatch.setattr(Send, "_pause", hastily)
    async with world.server() as assistant:
        assert (await assistant.create()).nothing_created
        assert (await assistant.create()).try_on.task_id == the_task(world)[0]
    assert world.posts == 1


@pytest.mark.parametrize("by_reference", [True, False], ids=["by reference", "again"])
async def test_what_was_refused_after_a_long_silence_is_looked_for_as_long_after_the_refusal(
    world: World, *, by_reference: bool
) -> None:
    shown_in_list_only(world, lag=LAG_SECONDS)
    world.kling.faults.next_create(LongSilence(world))
    async with world.server() as assistant:
        said = await assistant.create()
        assert said.in_doubt
        task_id, reference = the_task(world)
        found = await (assistant.get(reference) if by_reference else assistant.create())
        assert found.try_on.task_id == task_id
    assert world.posts == 1


async def test_who_cannot_wait_for_it_is_told_of_a_doubt_unless_they_want_it_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown_in_list_only(world, lag=LAG_SECONDS)
    world.kling.faults.next_create(TAKEN)
    monkeypatch.setattr(Send, "_pause", hastily)
    monkeypatch.setattr(send, "DOUBT_SECONDS", MAX_SILENT_CALL_SECONDS + 1)
    async with world.server() as assistant:
        assert (await assistant.create()).in_doubt
        said = await assistant.create()
        assert said.in_doubt
        assert "too early to ask Kling" in said.text
        assert world.posts == 1
        assert not (await assistant.create(new_render=True)).try_on.reused
    assert world.posts == 2


@pytest.mark.parametrize("by_reference", [True, False], ids=["by reference", "again"])
async def test_who_is_refused_too_near_the_deadline_for_a_look_is_told_of_a_doubt(
    world: World, monkeypatch: pytest.MonkeyPatch, *, by_reference: bool
) -> None:
    shown_in_list_only(world, lag=LAG_SECONDS)
    world.kling.faults.next_create(TAKEN)
    load = service._load_types  # pyright: ignore[reportPrivateUsage]

    def slowly() -> Any:
        world.time.now += MAX_SILENT_CALL_SECONDS - DOUBT_SECONDS - LAG_SECONDS
        return load()

    monkeypatch.setattr(service, "_load_types", slowly)
    async with world.server() as assistant:
        said = await assistant.create()
        assert said.in_doubt
        assert "too early to ask Kling" in said.text
        task_id, reference = the_task(world)
        assert said.reference == reference
        found = await (assistant.get(reference) if by_reference else assistant.create())
        assert found.try_on.task_id == task_id
    assert world.posts == 1
