"""What an operator hears of the line: how long it is, how many slots are taken, how long wishes were in it."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from kolors_mcp.jobs.jobs import Jobs
from kolors_mcp.jobs.line_parts import LineSettings
from kolors_mcp.ledger.slots import Terms
from kolors_mcp.ledger.wakes import Wakes
from kolors_mcp.observer import Observer, Outcome
from kolors_mcp.shelf.shelf import Shelf
from tests.support.creates_process import Machine, NoPictures
from tests.support.line_process import Replica, Service

if TYPE_CHECKING:
    from kolors_mcp.images.pictures import Pictures

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


class Observed(Replica):
    """A process of a service, to which somebody listens."""

    def __init__(self, service: Service, heard: Heard) -> None:
        self.heard = heard
        super().__init__(service)

    def new_jobs(self) -> Jobs:
        line = LineSettings(self.service.terms, Shelf.at(str(self.service.folder)), Wakes(self.machine.url, self.clock))
        pictures = cast("Pictures", NoPictures())
        return Jobs(self.client, pictures, self.opened, clock=self.clock, line=line, observer=self.heard)


@pytest.fixture
async def service(url: str, tmp_path: Path) -> AsyncGenerator[Service]:
    machine = Machine(url)
    yield Service(machine, tmp_path / "shelf", Terms(1, 1, 600.0))
    for process in list(machine.processes):
        await process.jobs.aclose()


async def test_the_length_of_the_line_the_slots_and_the_time_in_it_are_told(service: Service) -> None:
    heard = Heard()
    replica = Observed(service, heard)
    await service.ask(replica, "ann", "red")
    await service.ask(replica, "bob", "blue")
    await service.machine.sleep(5)
    await service.rest()
    assert heard.lines[-1] == (1, 1)
    assert heard.waits == [0.0]
    assert heard.outcomes == [("created", None)]
    await service.machine.sleep(60)
    await service.rest()
    await service.machine.sleep(5)
    await service.rest()
    [at_once, later] = heard.waits
    assert at_once == 0.0
    assert 5 < later < 70
    assert heard.outcomes == [("created", None)] * 2
    assert heard.lines[-1][0] == 0


async def test_a_wish_that_finds_the_line_full_is_told_as_limited(service: Service) -> None:
    heard = Heard()
    replica = Observed(service, heard)
    await service.ask(replica, "ann", "red")
    await service.ask(replica, "bob", "blue")
    with pytest.raises(Exception, match="as many as one user may have"):
        await service.ask(replica, "bob", "green")
    assert heard.outcomes == [("created", None), ("limited", None)]
