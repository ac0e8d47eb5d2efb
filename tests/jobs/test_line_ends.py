"""How a replica is stopped, woken and asked whether it is ready; and what would happen without the line's guards."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kolors_mcp import errors
from kolors_mcp.ledger import claims
from kolors_mcp.ledger.ledger import Ledger
from kolors_mcp.ledger.slots import Counts, Terms, standing
from kolors_mcp.shelf.shelf import ShelfError
from tests.support.asking import ON_EACH_DATABASE, ON_EACH_WITH_SEVERAL_PROCESSES, WITH_SEVERAL_PROCESSES
from tests.support.creates_kling import Fate
from tests.support.line_process import Replica, RestingMachine, Service
from tests.support.still_time import until

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


@ON_EACH_WITH_SEVERAL_PROCESSES
async def test_a_replica_that_is_stopped_claims_nothing_more_and_leaves_the_rest_to_others(service: Service) -> None:
    ends, goes_on = service.replica(), service.replica()
    await service.ask(ends, "ann", "red")
    name = (await service.ask(ends, "bob", "blue")).task.id
    service.machine.processes.remove(ends)
    await ends.jobs.aclose()
    assert [await state(goes_on, user, name) for user in ("ann", "bob")] == ["unknown", "waiting"]
    await service.machine.pass_by(60)
    assert [task.reference for task in service.standing("blue")] == [name]


@ON_EACH_WITH_SEVERAL_PROCESSES
async def test_what_is_being_sent_when_its_replica_is_stopped_goes_back_to_its_place(service: Service) -> None:
    ends, goes_on = service.replica(), service.replica()
    ends.fates = [Fate(stop="before the mark")]
    call = service.ask(ends, "ann", "red")
    await until(ends.stopped.is_set)
    service.machine.processes.remove(ends)
    closing = asyncio.create_task(ends.jobs.aclose())
    await until(ends.line.parts.closing.is_set)
    ends.wake()
    await closing
    seen = await call
    await service.machine.pass_by(20)
    [made] = service.standing("red")
    assert seen.task.reference == made.reference
    # Where the database tells the other replica at once, that may have made it by now.
    assert seen.task.id in (made.reference, made.id), "it goes on without this replica"
    assert await state(goes_on, "ann", made.reference) == "created"


@ON_EACH_WITH_SEVERAL_PROCESSES
async def test_a_callback_makes_the_next_look_come_sooner_and_many_make_one_look(service: Service) -> None:
    replica, other = service.replica(), service.replica()
    seen = await service.ask(replica, "ann", "red")
    await service.machine.pass_by(30)
    reads = service.machine.kling.reads
    reads.clear()
    for _ in range(20):
        await replica.line.wake(seen.task.id)
        await other.line.wake("k-" + "0" * 24)
        await other.line.wake(seen.task.id)
        await service.machine.pass_by(0.1)
    assert 1 <= len(reads) <= 2
    assert {name for _, name in reads} == {seen.task.id}


@ON_EACH_DATABASE
async def test_a_task_that_has_ended_lets_the_next_one_in_without_waiting_for_a_poll(service: Service) -> None:
    replica = service.replica()
    first = await service.ask(replica, "ann", "red")
    await service.ask(replica, "bob", "blue")
    service.machine.now += 40
    ledger = replica.ledger
    assert ledger is not None
    await ledger.seen(first.task.id, "succeed")
    await until(lambda: len(service.standing("blue")) == 1)


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
async def test_a_wait_at_another_replica_is_woken_by_the_server(service: Service) -> None:
    sends, waits = service.replica(), service.replica()
    await until(waits.line.wakes.is_listening.is_set)
    first = await service.ask(sends, "ann", "red")
    with waits.line.moves_of(first.task.id) as moved:
        assert sends.ledger is not None
        await sends.ledger.seen(first.task.id, "succeed")
        await moved.wait()


async def test_ready_says_what_does_not_answer(service: Service) -> None:
    replica = service.replica()
    await replica.line.ready()
    service.folder.rmdir()
    service.folder.write_text("no folder any more")
    with pytest.raises(ShelfError):
        await replica.line.ready()
    service.folder.unlink()
    service.folder.mkdir()
    await replica.line.ready()
    await replica.kill()
    with pytest.raises(errors.LedgerError):
        await replica.line.ready()


async def frozen_twice(service: Service) -> int:
    """Freeze a replica before the mark, for longer than its lease; return how many tasks there are in the end."""
    freezes = service.replica()
    await service.ask(freezes, "ann", "red")
    await service.ask(freezes, "bob", "blue")
    freezes.fates = [Fate(stop="before the mark")]
    await service.machine.pass_by(45)
    service.replica()
    await service.machine.pass_by(30)
    freezes.wake()
    await service.machine.pass_by(30)
    return len(service.standing("blue"))


@WITH_SEVERAL_PROCESSES
async def test_a_mark_that_asks_for_no_turn_would_pay_twice(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.machine.kling.repeated = "makes a second"

    async def always(_ledger: Ledger, _reference: str, _turn: int) -> bool:
        return True

    monkeypatch.setattr(Ledger, "mark_posting", always)
    assert await frozen_twice(service) == 2


async def test_a_claim_that_counts_no_slots_would_overrun_the_account(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_busy(*asked: Any) -> Counts:
        return replace(standing(*asked), busy=0)

    monkeypatch.setattr(claims, "standing", none_busy)
    replica = service.replica()
    for number in range(3):
        await service.ask(replica, "ann", f"wish {number}")
    await service.machine.pass_by(5)
    assert service.machine.kling.most_running > 1
