"""What a user may create a day, where creates wait in line: each counts once, and not at all if it came to nothing."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from kolors_mcp.errors import DailyLimitError
from kolors_mcp.ledger.slots import Terms
from tests.support.asking import ON_EACH_DATABASE, WITH_SEVERAL_PROCESSES
from tests.support.creates_kling import Fate
from tests.support.line_process import RestingMachine, Service

pytestmark = pytest.mark.anyio


@pytest.fixture
async def service(url: str, tmp_path: Path) -> AsyncGenerator[Service]:
    machine = RestingMachine(url)
    yield Service(machine, tmp_path / "shelf", Terms(1, 100, 1e9))
    for process in list(machine.processes):
        process.wake()
        await process.jobs.aclose()


async def test_a_wish_in_line_counts_once_however_often_it_is_sent_back_or_asked_for_again(service: Service) -> None:
    replica = service.replica()
    await service.ask(replica, "ann", "red", daily_limit=2)
    replica.fates = [Fate((429, 1303), made=False)] * 2
    name = (await service.ask(replica, "ann", "blue", daily_limit=2)).task.id
    for _ in range(15):
        with pytest.raises(DailyLimitError):
            await service.ask(replica, "ann", "green", daily_limit=2)
        assert (await service.ask(replica, "ann", "blue", daily_limit=2)).is_new is False
        assert await replica.jobs.spent_today("ann") == 2
        await service.machine.pass_by(20)
    assert [task.reference for task in service.standing("blue")] == [name]
    assert service.machine.kling.denied[name] == 2
    assert (await service.ask(replica, "bob", "green", daily_limit=2)).is_new, "the limit is each user's own"


@ON_EACH_DATABASE
async def test_a_wish_that_came_to_nothing_in_line_is_given_back_to_its_user(service: Service) -> None:
    replica = service.replica()
    await service.ask(replica, "ann", "red", daily_limit=2)
    name = (await service.ask(replica, "ann", "blue", daily_limit=2)).task.id
    replica.fates = [Fate((400, 1301), made=False)]
    await service.machine.pass_by(60)
    job = await replica.jobs.find("ann", name)
    assert job is not None
    assert job.state == "refused"
    assert await replica.jobs.spent_today("ann") == 1
    assert (await service.ask(replica, "ann", "green", daily_limit=2)).is_new
    with pytest.raises(DailyLimitError):
        await service.ask(replica, "ann", "grey", daily_limit=2)


@WITH_SEVERAL_PROCESSES
async def test_what_a_killed_replica_had_in_memory_is_given_back_to_its_user_as_soon_as_it_is_missed(
    service: Service,
) -> None:
    dies, lives = service.replica(), service.replica()
    dies.fates = [Fate(stop="before the mark", for_good=True)]
    dead = service.ask(dies, "ann", "red", daily_limit=1)
    await asyncio.wait((dead,))
    dead.exception()  # nobody hears it
    with pytest.raises(DailyLimitError):
        await service.ask(lives, "ann", "green", daily_limit=1)
    await service.machine.pass_by(20)
    assert (await service.ask(lives, "ann", "green", daily_limit=1)).is_new
