"""A create in doubt holds a slot only until Kling was seen to have nothing of it; the doubt itself stays."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from kolors_mcp.jobs import background, reconcile
from kolors_mcp.jobs.search import SHOWN_AFTER_SECONDS
from kolors_mcp.ledger.slots import DOUBT_HOLDS_SECONDS, Terms
from tests.support.asking import ON_EACH_DATABASE, WITH_SEVERAL_PROCESSES
from tests.support.creates_kling import FINISHED_AFTER_SECONDS, Fate
from tests.support.line_process import Replica, RestingMachine, Service
from tests.support.still_time import idle, turn, until

pytestmark = pytest.mark.anyio

NOT_MADE = Fate(made=False, lost=True)
MADE = Fate(lost=True)
LONGEST_PAUSE = 4000.0


@pytest.fixture
async def service(url: str, tmp_path: Path) -> AsyncGenerator[Service]:
    machine = RestingMachine(url)
    yield Service(machine, tmp_path / "shelf", Terms(2, 100, 1e9))
    for process in list(machine.processes):
        process.wake()
        await process.jobs.aclose()


async def pass_by(service: Service, seconds: float) -> None:
    """Let time pass, also for what looks for doubts."""
    for _ in range(int(seconds)):
        await service.machine.pass_by(1)
        turn(LONGEST_PAUSE)
        await idle()


async def in_doubt(service: Service, replica: Replica, fate: Fate) -> list[str]:
    """Let as many wishes of Ann's as there are slots be in doubt; return their names."""
    replica.fates = [fate] * service.terms.slots
    calls = [service.ask(replica, "ann", f"wish {number}") for number in range(service.terms.slots)]
    names = [f"k-{number + 1:024x}" for number in range(service.terms.slots)]
    await until(lambda: all(service.machine.kling.whole[name] for name in names))
    for call in calls:
        call.cancel()
    await service.machine.rest()
    return names


async def held_up(service: Service, replica: Replica) -> float:
    """Let all slots be held by doubts of which Kling has nothing; return for how long another's wish is not sent."""
    began = service.machine.now
    await in_doubt(service, replica, NOT_MADE)
    await service.ask(replica, "bob", "blue")
    while not service.standing("blue"):
        await pass_by(service, 1)
    return service.standing("blue")[0].made_at - began


async def states(replica: Replica, names: list[str]) -> list[str]:
    jobs = [await replica.jobs.known("ann", name) for name in names]
    return ["unknown" if job is None else job.state for job in jobs]


@ON_EACH_DATABASE
async def test_doubts_that_kling_knows_nothing_of_hold_the_line_up_for_seconds_not_for_minutes(
    service: Service,
) -> None:
    replica = service.replica()
    assert SHOWN_AFTER_SECONDS <= await held_up(service, replica) <= 5 * SHOWN_AFTER_SECONDS
    names = [f"k-{number + 1:024x}" for number in range(2)]
    assert await states(replica, names) == ["unconfirmed"] * 2
    assert [service.machine.kling.whole[name] for name in names] == [1, 1], "none is sent again"


async def test_if_no_look_lent_a_slot_doubts_would_hold_the_line_up_for_two_minutes(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> bool:
        return False

    monkeypatch.setattr(reconcile, "lends_slot", never)
    monkeypatch.setattr(background, "lends_slot", never)
    assert await held_up(service, service.replica()) >= DOUBT_HOLDS_SECONDS - 1


@WITH_SEVERAL_PROCESSES
async def test_a_doubt_whose_sender_died_is_looked_for_though_nobody_calls_and_lends_its_slot(
    service: Service,
) -> None:
    service.terms = Terms(1, 100, 1e9)
    dies, lives = service.replica(), service.replica()
    dies.fates = [Fate(stop="under way", for_good=True)]
    call = service.ask(dies, "ann", "red")
    await until(lambda: dies.is_dead)
    call.cancel()
    await service.ask(lives, "bob", "blue")
    await pass_by(service, 45)
    assert len(service.standing("blue")) == 1


async def test_while_kling_cannot_be_asked_a_doubt_holds_its_slot_for_two_minutes(service: Service) -> None:
    replica = service.replica()
    service.machine.kling.away = True
    await in_doubt(service, replica, NOT_MADE)
    await service.ask(replica, "bob", "blue")
    await pass_by(service, 3 * SHOWN_AFTER_SECONDS)
    counts = await replica.line.counts()
    assert (counts.busy, counts.waiting) == (2, 1)
    await pass_by(service, DOUBT_HOLDS_SECONDS)
    assert len(service.standing("blue")) == 1


async def test_a_slot_that_was_lent_wrongly_costs_a_refusal_and_nothing_is_paid_twice(service: Service) -> None:
    service.machine.kling.slots, service.machine.kling.lag = 2, 3 * FINISHED_AFTER_SECONDS
    replica = service.replica()
    names = await in_doubt(service, replica, MADE)
    blue = (await service.ask(replica, "bob", "blue")).task.id
    await pass_by(service, 5 * SHOWN_AFTER_SECONDS)
    assert 1 <= service.machine.kling.denied[blue] <= len(names), "Kling had the doubts all the same"
    assert service.standing("blue") == []
    await pass_by(service, 10 * FINISHED_AFTER_SECONDS)
    assert await states(replica, names) == ["created"] * 2
    assert [task.reference for task in service.standing("blue")] == [blue]
    assert service.machine.kling.most_running == 2
