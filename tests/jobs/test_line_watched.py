"""Who looks at a running task when the replica that sent it does not any more, and how soon."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from kolors_mcp.ledger.outcomes import Seen
from kolors_mcp.ledger.running import MIN_PAUSE_SECONDS
from kolors_mcp.ledger.slots import Terms
from tests.support.line_process import RestingMachine, Service

pytestmark = pytest.mark.anyio


@pytest.fixture
async def service(url: str, tmp_path: Path) -> AsyncGenerator[Service]:
    if url == "sqlite://":
        pytest.skip("what is in memory has one process")
    machine = RestingMachine(url)
    yield Service(machine, tmp_path / "shelf", Terms(1, 100, 600.0))
    for process in list(machine.processes):
        process.wake()
        await process.jobs.aclose()


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


async def test_a_task_whose_sender_was_killed_is_looked_at_by_another_when_the_first_look_is_due(
    service: Service,
) -> None:
    assert await seconds_until_another_looks(service) <= 2 * MIN_PAUSE_SECONDS


async def test_a_create_that_kept_the_lease_of_its_sender_would_not_be_looked_at_until_that_lapses(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = Seen.named.fget
    assert named is not None

    def with_lease(seen: Seen) -> dict[str, Any]:
        return {name: value for name, value in named(seen).items() if name != "lease_until"}

    monkeypatch.setattr(Seen, "named", property(with_lease))
    assert await seconds_until_another_looks(service) >= 15
