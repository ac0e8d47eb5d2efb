"""A wish that is let in by its own process before that process has its pictures in hand."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from kolors_mcp.clock import Deadline
from kolors_mcp.kling.wire import CreateRequest
from kolors_mcp.ledger.job import Job
from kolors_mcp.ledger.leases import LEASE_SECONDS
from kolors_mcp.ledger.slots import Terms
from tests.support.creates_kling import FINISHED_AFTER_SECONDS
from tests.support.line_process import RestingMachine, Service

pytestmark = pytest.mark.anyio

ONE_SLOT = Terms(1, 100, 600.0)


@pytest.fixture
async def service(url: str, tmp_path: Path) -> AsyncGenerator[Service]:
    machine = RestingMachine(url)
    yield Service(machine, tmp_path / "shelf", ONE_SLOT)
    for process in list(machine.processes):
        await process.jobs.aclose()


async def test_a_wish_whose_turn_comes_as_soon_as_it_is_written_down_is_sent(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = service.replica()
    await service.ask(replica, "ann", "red")
    await service.machine.pass_by(FINISHED_AFTER_SECONDS - 1)
    enter = replica.line.enter

    async def enter_late(job: Job, request: CreateRequest, deadline: Deadline) -> None:
        # Meanwhile the slot becomes free, and a round of the same process lets in what it has written down.
        await service.machine.pass_by(LEASE_SECONDS - 2)
        await enter(job, request, deadline)

    monkeypatch.setattr(replica.line, "enter", enter_late)
    seen = await service.ask(replica, "bob", "blue")
    await service.machine.pass_by(60)
    [made] = service.standing("blue")
    assert made.reference == (seen.job.reference if seen.job else None)
    assert not [path for path in service.folder.rglob("*") if path.is_file()]
