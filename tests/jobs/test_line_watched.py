"""Who looks at a running task when the replica that sent it does not any more, and how soon."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from kolors_mcp.jobs.queue import MIN_BUSY_SECONDS
from kolors_mcp.ledger.outcomes import Seen
from kolors_mcp.ledger.running import MIN_PAUSE_SECONDS
from kolors_mcp.ledger.slots import Terms
from tests.support.asking import ON_EACH_WITH_SEVERAL_PROCESSES, WITH_SEVERAL_PROCESSES
from tests.support.creates_kling import Fate
from tests.support.line_process import Replica, RestingMachine, Service

pytestmark = pytest.mark.anyio


@pytest.fixture
async def service(url: str, tmp_path: Path) -> AsyncGenerator[Service]:
    machine = RestingMachine(url)
    yield Service(machine, tmp_path / "shelf", Terms(1, 100, 600.0))
    for process in list(machine.processes):
        process.wake()
        await process.jobs.aclose()


async def state(replica: Replica, user: str, name: str) -> str:
    job = await replica.jobs.find(user, name)
    return "unknown" if job is None else job.state


async def seconds_until_another_looks(service: Service) -> float:
    """Kill a replica right after it has created a task; return when another one looks at it."""
    dies, _lives = service.replica(), service.replica()
    await service.ask(dies, "ann", "red")
    sent_at = service.machine.now
    await dies.kill()
    reads = service.machine.kling.reads
    reads.clear()
    while not reads:
        await service.machine.pass_by(1)
    return reads[0][0] - sent_at


@WITH_SEVERAL_PROCESSES
async def test_a_task_whose_sender_was_killed_is_looked_at_by_another_when_the_first_look_is_due(
    service: Service,
) -> None:
    assert await seconds_until_another_looks(service) <= 2 * MIN_PAUSE_SECONDS


@WITH_SEVERAL_PROCESSES
async def test_a_create_that_kept_the_lease_of_its_sender_would_not_be_looked_at_until_that_lapses(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = Seen.named.fget
    assert named is not None

    def with_lease(seen: Seen) -> dict[str, Any]:
        return {name: value for name, value in named(seen).items() if name != "lease_until"}

    monkeypatch.setattr(Seen, "named", property(with_lease))
    assert await seconds_until_another_looks(service) >= 15


@ON_EACH_WITH_SEVERAL_PROCESSES
async def test_what_a_busy_account_made_although_it_said_no_is_found_before_its_next_turn(service: Service) -> None:
    replica, other = service.replica(), service.replica()
    replica.fates = [Fate((429, 1303))]
    seen = await service.ask(replica, "ann", "red")
    assert (await service.ask(other, "bob", "blue")).task.message == "in line, 1 before you, about 60 seconds"
    began = service.machine.now
    while await state(other, "ann", seen.task.id) == "waiting":
        await service.machine.pass_by(1)
    assert service.machine.now - began <= MIN_BUSY_SECONDS + 2 * MIN_PAUSE_SECONDS
    [made] = service.standing("red")
    assert made.reference == seen.task.id
    assert service.machine.kling.whole[made.reference] == 1


async def test_what_a_busy_account_did_not_make_is_looked_for_once_and_once_more_before_it_is_sent_again(
    service: Service,
) -> None:
    replica = service.replica()
    replica.fates = [Fate((429, 1303), made=False)]
    name = (await service.ask(replica, "ann", "red")).task.id
    service.machine.kling.reads.clear()
    await service.machine.pass_by(50)
    assert [read for _, read in service.machine.kling.reads] == [name]
    await service.machine.pass_by(40)
    assert [read for _, read in service.machine.kling.reads][:2] == [name] * 2
    assert [task.reference for task in service.standing("red")] == [name]
