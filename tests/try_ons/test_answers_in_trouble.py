"""What is answered while Kling is away, denies a task or has failed it: what goes on, what it cost, what to do."""

import json

import pytest

from kolors_mcp.sandbox import faults
from tests.support.answering import missing_in_text
from tests.support.wishing import World

pytestmark = pytest.mark.anyio

OUTAGES: dict[str, faults.Fault] = {
    "gateway": faults.Raw(503),
    "reset": faults.Disconnect(),
    "internal": faults.Refuse(5000),
    "too fast": faults.Refuse(1302),
}


@pytest.mark.parametrize("fault", OUTAGES.values(), ids=OUTAGES)
async def test_an_outage_keeps_the_task_and_says_that_it_goes_on(world: World, fault: faults.Fault) -> None:
    async with world.server() as assistant:
        made = (await assistant.create()).try_on
        world.kling.faults.next_read(fault, times=None)
        for name in (made.task_id, made.reference or ""):
            world.time.now += 3
            said = await assistant.get(name, wait_seconds=20)
            assert (said.try_on.task_id, said.try_on.status) == (made.task_id, "submitted")
            assert "the try-on goes on at Kling" in (said.try_on.status_message or "")
            assert "do not create it again" in (said.try_on.next_step or "")
            assert missing_in_text(said) == []
        world.kling.faults.clear()
        assert (await assistant.get(made.task_id, wait_seconds=30)).try_on.status == "succeed"
    assert world.kling.tasks_created == 1


@pytest.mark.parametrize("fault", [faults.Raw(503), faults.Refuse(1002), faults.Refuse(1102)])
async def test_where_only_an_error_is_left_it_names_the_task_and_says_that_it_goes_on(
    world: World, fault: faults.Fault
) -> None:
    async with world.server() as first:
        made = (await first.create(wait_seconds=30)).try_on
    world.ledger = f"sqlite:///{world.folder / 'another.sqlite3'}"
    world.kling.faults.next_read(fault, times=None)
    async with world.server() as second:
        for said in (await second.get(made.task_id), await second.view(made.task_id)):
            assert said.is_error
            assert f'goes on at Kling: call get_try_on with task_id "{made.task_id}" again later' in said.text
            assert "do not create it again" in said.text


async def test_a_finished_one_whose_link_cannot_be_read_is_no_empty_success(world: World) -> None:
    async with world.server() as assistant:
        made = (await assistant.create(wait_seconds=30)).try_on
        world.time.now += 3
        world.kling.faults.next_read(faults.Raw(503), times=None)
        said = await assistant.get(made.task_id)
        assert said.is_error
        assert made.task_id in said.text


async def test_an_id_that_kling_denies_is_not_said_to_go_on(world: World) -> None:
    async with world.server() as assistant:
        said = await assistant.get("123456789012345678")
    assert said.is_error
    assert "goes on" not in said.text


async def test_a_failed_one_says_what_is_known_about_its_cost(world: World) -> None:
    for sandbox, known in ((False, "Kling charges nothing for it"), (True, "nothing was billed")):
        world.kling.faults.next_create(faults.FailLate("Failure to pass the risk control system"))
        async with world.server(sandbox=sandbox, ledger="sqlite://") as assistant:
            said = await assistant.create(wait_seconds=30)
        assert said.try_on.status == "failed"
        assert known in (said.try_on.next_step or "")
        assert known in said.text


@pytest.mark.parametrize(("deduction", "known"), [("0", "it cost nothing"), ("1", "it cost 1 unit.")])
async def test_what_kling_says_about_the_cost_of_a_failed_one_is_told(world: World, deduction: str, known: str) -> None:
    async with world.server() as assistant:
        made = (await assistant.create()).try_on
        data = {"task_id": made.task_id, "task_status": "failed", "final_unit_deduction": deduction}
        world.kling.faults.next_read(faults.Raw(200, json.dumps({"code": 0, "data": data}), "application/json"))
        world.time.now += 3
        said = await assistant.get(made.task_id)
    assert known in (said.try_on.next_step or "")


async def test_what_a_finished_one_cost_is_told_in_every_answer_about_it(world: World) -> None:
    async with world.server(save_dir=world.folder / "saved") as assistant:
        made = await assistant.create(wait_seconds=60)
        again, joined = await assistant.get(made.try_on.task_id), await assistant.create()
    for said in (made, again, joined):
        assert "Kling says that it cost 1 unit." in (said.try_on.next_step or "")
        assert "Kling says that it cost 1 unit." in said.text
