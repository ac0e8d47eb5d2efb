"""A wish that is let in by its own process before that process has its pictures in hand."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from kolors_mcp.clock import Deadline
from kolors_mcp.kling.wire import CreateRequest
from kolors_mcp.ledger.job import Job, NewJob, Reservation
from kolors_mcp.ledger.leases import LEASE_SECONDS
from kolors_mcp.ledger.ledger import Ledger
from kolors_mcp.ledger.slots import Terms
from tests.support.asking import ON_EACH_DATABASE, WITH_SEVERAL_PROCESSES
from tests.support.creates_kling import FINISHED_AFTER_SECONDS
from tests.support.line_process import RestingMachine, Service
from tests.support.still_time import idle

pytestmark = pytest.mark.anyio

ONE_SLOT = Terms(1, 100, 600.0)


@pytest.fixture
async def service(url: str, tmp_path: Path) -> AsyncGenerator[Service]:
    machine = RestingMachine(url)
    yield Service(machine, tmp_path / "shelf", ONE_SLOT)
    for process in list(machine.processes):
        await process.jobs.aclose()


@pytest.mark.parametrize("slots", [1, 2])
async def test_who_joined_a_wish_whose_caller_left_while_it_was_written_down_has_it_and_it_is_paid_once(
    service: Service, monkeypatch: pytest.MonkeyPatch, slots: int
) -> None:
    """It waits in line, or would be sent at once."""
    service.terms = Terms(slots, 100, 600.0)
    replica = service.replica()
    await service.ask(replica, "ann", "red")
    reserve, written, go_on = Ledger.reserve, asyncio.Event(), asyncio.Event()

    async def reserve_slowly(ledger: Ledger, new: NewJob, **more: Any) -> Reservation:
        made = await reserve(ledger, new, **more)
        if made.is_new:
            written.set()
            await go_on.wait()
        return made

    monkeypatch.setattr(Ledger, "reserve", reserve_slowly)
    leaves = service.ask(replica, "bob", "blue")
    await written.wait()
    joined = service.ask(replica, "bob", "blue")
    await idle()
    leaves.cancel()
    await idle()
    go_on.set()
    seen = await joined
    await service.machine.pass_by(60)
    [made] = service.standing("blue")
    assert seen.job is not None
    assert (seen.job.reference, seen.is_new) == (made.reference, False)


@WITH_SEVERAL_PROCESSES
async def test_what_is_left_while_it_is_written_down_and_the_replica_stops_is_sent_by_another(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    stops, _lives = service.replica(), service.replica()
    reserve, written, go_on = Ledger.reserve, asyncio.Event(), asyncio.Event()

    async def reserve_slowly(ledger: Ledger, new: NewJob, **more: Any) -> Reservation:
        made = await reserve(ledger, new, **more)
        written.set()
        await go_on.wait()
        return made

    monkeypatch.setattr(Ledger, "reserve", reserve_slowly)
    leaves = service.ask(stops, "bob", "blue")
    await written.wait()
    leaves.cancel()
    await idle()
    service.machine.processes.remove(stops)
    closing = asyncio.create_task(stops.jobs.aclose())
    await idle()
    go_on.set()
    await closing
    await service.machine.pass_by(60)
    assert len(service.standing("blue")) == 1


@ON_EACH_DATABASE
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
