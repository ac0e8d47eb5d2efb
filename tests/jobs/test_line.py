"""The line of an account: who waits, who is let in, what a call is told, and what is left when a replica dies."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from kolors_mcp.ledger.slots import Terms
from tests.support.creates_process import Machine
from tests.support.line_process import Service

pytestmark = pytest.mark.anyio


@pytest.fixture
async def service(url: str, tmp_path: Path) -> AsyncGenerator[Service]:
    machine = Machine(url)
    service = Service(machine, tmp_path / "shelf")
    yield service
    for process in list(machine.processes):
        await process.jobs.aclose()


def parcels(service: Service) -> list[Path]:
    return [path for path in service.folder.rglob("*") if path.is_file()]


async def test_a_wish_with_a_free_slot_is_sent_at_once_and_never_touches_the_shelf(service: Service) -> None:
    replica = service.replica()
    seen = await service.ask(replica, "ann", "red")
    assert seen.task.id == service.machine.kling.tasks[0].id
    assert not service.folder.exists() or not list(service.folder.iterdir())


async def test_who_finds_no_slot_is_told_the_place_in_line_and_gets_the_task_later_by_the_same_name(
    service: Service,
) -> None:
    service.terms = Terms(1, 100, 600.0)
    replica = service.replica()
    await service.ask(replica, "ann", "red")
    seen = await service.ask(replica, "bob", "blue")
    assert (seen.task.status, seen.task.message) == ("submitted", "in line, next")
    assert seen.job is not None
    assert seen.task.id == seen.job.reference
    assert len(parcels(service)) == 1
    then = await service.ask(replica, "bob", "green")
    assert then.task.message == "in line, 1 before you, about 60 seconds"
    await service.machine.sleep(60)
    await service.rest()
    await service.machine.sleep(5)
    await service.rest()
    job = await replica.jobs.find("bob", seen.task.id)
    assert job is not None
    assert [task.reference for task in service.machine.kling.tasks][1] == seen.task.id
    assert job.state == "created"
    assert len(parcels(service)) == 1
