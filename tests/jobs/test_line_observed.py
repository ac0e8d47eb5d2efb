"""What an operator hears of the line: how long it is, how many slots are taken, how long wishes were in it."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from kolors_mcp.ledger.job import LineFullError
from kolors_mcp.ledger.slots import Terms
from kolors_mcp.observer import Observer, Outcome
from tests.support.line_process import RestingMachine, Service

pytestmark = pytest.mark.anyio


class Heard(Observer):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, int]] = []
        self.waits: list[float] = []
        self.outcomes: list[tuple[Outcome, int | None]] = []

    def create_ended(self, outcome: Outcome, code: int | None = None) -> None:
        self.outcomes.append((outcome, code))

    def line_seen(self, waiting: int, busy: int) -> None:
        self.lines.append((waiting, busy))

    def waited_in_line(self, seconds: float) -> None:
        self.waits.append(seconds)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
async def service(url: str, tmp_path: Path, heard: Heard) -> AsyncGenerator[Service]:
    machine = RestingMachine(url)
    yield Service(machine, tmp_path / "shelf", Terms(1, 1, 600.0), heard)
    for process in list(machine.processes):
        await process.jobs.aclose()


async def test_the_length_of_the_line_the_slots_and_the_time_in_it_are_told(service: Service, heard: Heard) -> None:
    replica = service.replica()
    await service.ask(replica, "ann", "red")
    await service.ask(replica, "bob", "blue")
    await service.machine.pass_by(6)
    assert heard.lines[-1] == (1, 1)
    assert (heard.waits, heard.outcomes) == ([0.0], [("created", None)])
    await service.machine.pass_by(60)
    [at_once, later] = heard.waits
    assert at_once == 0.0
    assert 6 < later < 66
    assert heard.outcomes == [("created", None)] * 2
    assert heard.lines[-1][0] == 0


async def test_a_wish_that_finds_the_line_full_is_told_as_limited(service: Service, heard: Heard) -> None:
    replica = service.replica()
    await service.ask(replica, "ann", "red")
    await service.ask(replica, "bob", "blue")
    with pytest.raises(LineFullError):
        await service.ask(replica, "bob", "green")
    assert heard.outcomes == [("created", None), ("limited", None)]
