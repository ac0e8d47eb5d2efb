"""The line of an account: who waits, who is let in, what a call is told, and what is left when a replica dies."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from kolors_mcp import errors
from kolors_mcp.jobs.call import Call
from kolors_mcp.ledger.job import LineFullError
from kolors_mcp.ledger.slots import Terms
from tests.support.asking import ON_EACH_DATABASE, ON_EACH_WITH_SEVERAL_PROCESSES, WITH_SEVERAL_PROCESSES
from tests.support.creates_kling import Fate
from tests.support.line_process import Replica, RestingMachine, Service
from tests.support.still_time import until

pytestmark = pytest.mark.anyio

ONE_SLOT = Terms(1, 100, 600.0)


@pytest.fixture
async def service(url: str, tmp_path: Path) -> AsyncGenerator[Service]:
    machine = RestingMachine(url)
    yield Service(machine, tmp_path / "shelf", ONE_SLOT)
    for process in list(machine.processes):
        process.wake()
        await process.jobs.aclose()


def parcels(service: Service) -> list[Path]:
    return [path for path in service.folder.rglob("*") if path.is_file()]


async def state(replica: Replica, user: str, name: str) -> str:
    job = await replica.jobs.find(user, name)
    return "unknown" if job is None else job.state


async def in_line(service: Service, replica: Replica, user: str = "bob", wish: str = "blue") -> str:
    """Bring a wish into the line behind one that has the only slot; return its name."""
    await service.ask(replica, "ann", "red")
    seen = await service.ask(replica, user, wish)
    assert seen.task.message is not None
    assert seen.task.message.startswith("in line")
    return seen.task.id


async def test_a_wish_with_a_free_slot_is_sent_at_once_and_never_touches_the_shelf(service: Service) -> None:
    seen = await service.ask(service.replica(), "ann", "red")
    assert seen.task.id == service.machine.kling.tasks[0].id
    assert not list(service.folder.iterdir())


@ON_EACH_DATABASE
async def test_who_finds_no_slot_is_told_the_place_and_has_the_task_later_by_the_same_name(service: Service) -> None:
    replica = service.replica()
    await service.ask(replica, "ann", "red")
    seen = await service.ask(replica, "bob", "blue", callback_url="https://shop.example/hook")
    assert (seen.task.status, seen.task.message) == ("submitted", "in line, next")
    assert seen.job is not None
    assert seen.task.id == seen.job.reference
    then = await service.ask(replica, "bob", "green")
    assert then.task.message == "in line, 1 before you, about 60 seconds"
    assert len(parcels(service)) == 2
    await service.machine.pass_by(60)
    [made] = service.standing("blue")
    assert (made.reference, service.standing("green")) == (seen.task.id, [])
    assert service.machine.kling.bodies[1]["callback_url"] == "https://shop.example/hook"
    assert await state(replica, "bob", seen.task.id) == "created"
    assert len(parcels(service)) == 1, "only the other's pictures are left"
    await service.machine.pass_by(120)
    assert len(service.standing("green")) == 1
    assert parcels(service) == []
    assert service.machine.kling.most_running == 1


async def test_a_patient_call_is_told_its_place_again_and_again_and_then_has_its_task(service: Service) -> None:
    replica, told = service.replica(), list[str]()
    await service.ask(replica, "ann", "red")
    seen = await service.ask(replica, "bob", "blue", wait=200.0, told=told)
    assert seen.task.status == "succeed"
    assert told.count("in line, next") >= 5
    assert told[-1].startswith("Kling says")


async def test_a_waiting_wish_is_looked_at_by_its_reference_and_joined_by_the_same_request(service: Service) -> None:
    replica = service.replica()
    name = await in_line(service, replica)
    again = await service.ask(replica, "bob", "blue")
    assert (again.task.id, again.is_new) == (name, False)
    job = await replica.jobs.find("bob", name)
    looked = await replica.jobs.look(name, job, Call("bob", replica.clock.deadline(60.0)), replica.clock.deadline(0.0))
    assert looked.task.message == "in line, next"
    await service.machine.pass_by(100)
    assert len(service.standing("blue")) == 1


async def test_a_call_that_leaves_takes_nothing_out_of_the_line(service: Service) -> None:
    replica = service.replica()
    await service.ask(replica, "ann", "red")
    leaves = service.ask(replica, "bob", "blue", wait=200.0)
    await until(lambda: bool(parcels(service)))
    leaves.cancel()
    await service.machine.pass_by(60)
    assert len(service.standing("blue")) == 1


@WITH_SEVERAL_PROCESSES
async def test_what_waits_on_the_shelf_outlives_its_replica(service: Service) -> None:
    dies, lives = service.replica(), service.replica()
    name = await in_line(service, dies)
    await dies.kill()
    await service.machine.pass_by(60)
    assert [task.reference for task in service.standing("blue")] == [name]
    assert await state(lives, "bob", name) == "created"


@ON_EACH_WITH_SEVERAL_PROCESSES
async def test_a_frozen_replica_that_wakes_up_after_its_lease_lets_nothing_leave(service: Service) -> None:
    freezes = service.replica()
    name = await in_line(service, freezes)
    freezes.fates = [Fate(stop="before the mark")]
    await service.machine.pass_by(45)
    assert freezes.stopped.is_set()
    service.replica()
    await service.machine.pass_by(30)
    [made] = service.standing("blue")
    freezes.wake()
    await service.machine.pass_by(30)
    assert service.standing("blue") == [made]
    assert await state(freezes, "bob", name) == "created"
    assert service.machine.kling.most_running == 1


@WITH_SEVERAL_PROCESSES
async def test_a_replica_that_dies_after_the_mark_leaves_a_doubt_that_is_not_sent_again(service: Service) -> None:
    dies = service.replica()
    name = await in_line(service, dies)
    dies.fates = [Fate(stop="under way", for_good=True)]
    await service.machine.pass_by(45)
    lives = service.replica()
    await service.machine.pass_by(30)
    assert service.standing("blue") == []
    assert await state(lives, "bob", name) == "unconfirmed"


async def test_a_busy_account_in_spite_of_a_slot_sends_the_wish_back_to_its_place(service: Service) -> None:
    service.terms, service.machine.kling.slots = Terms(3, 100, 600.0), 1
    replica = service.replica()
    await service.ask(replica, "ann", "red")
    seen = await service.ask(replica, "bob", "blue")
    assert seen.task.message == "in line, next"
    assert len(parcels(service)) == 1
    counts = await replica.line.counts()
    assert (counts.waiting, counts.busy, counts.slots) == (1, 1, 1)
    await service.machine.pass_by(200)
    assert [task.reference for task in service.standing("blue")] == [seen.task.id]


async def test_what_a_busy_account_made_all_the_same_is_found_and_not_sent_again(service: Service) -> None:
    service.terms = Terms(3, 100, 600.0)
    replica = service.replica()
    replica.fates = [Fate((429, 1303))]
    seen = await service.ask(replica, "bob", "blue")
    await service.machine.pass_by(90)
    [made] = service.standing("blue")
    job = await replica.jobs.find("bob", seen.task.id)
    assert job is not None
    assert (job.state, job.task_id) == ("created", made.id)


@pytest.mark.parametrize(("code", "at_least", "at_most"), [(1302, 6, 15), (1303, 60, 90)])
async def test_a_line_rests_a_minute_without_slots_and_a_moment_where_too_much_was_asked_at_once(
    service: Service, code: int, at_least: float, at_most: float
) -> None:
    service.terms = Terms(3, 100, 600.0)
    replica = service.replica()
    replica.fates = [Fate((429, code), made=False)]
    await service.ask(replica, "bob", "blue")
    other = await service.ask(replica, "ann", "red")
    assert other.task.message is not None
    assert other.task.message.startswith("in line")
    await service.machine.pass_by(at_least - 1)
    assert service.machine.kling.tasks == []
    await service.machine.pass_by(at_most - at_least + 1)
    assert service.machine.kling.tasks


@pytest.mark.parametrize("kind", ["gone", "changed"])
async def test_pictures_that_are_not_what_was_put_aside_are_not_sent(service: Service, kind: str) -> None:
    replica = service.replica()
    name = await in_line(service, replica)
    [parcel] = parcels(service)
    parcel.write_bytes(b"another picture") if kind == "changed" else parcel.unlink()
    await service.machine.pass_by(60)
    assert service.standing("blue") == []
    job = await replica.jobs.find("bob", name)
    with pytest.raises(errors.UnreachableError, match=r"not on the shelf any more.*No task was created"):
        await replica.jobs.look(name, job, Call("bob", replica.clock.deadline(60.0)), replica.clock.deadline(0.0))


async def test_without_the_shelf_what_must_wait_is_refused_and_what_has_a_slot_goes_on(service: Service) -> None:
    replica = service.replica()
    service.folder.rmdir()
    service.folder.write_text("no folder any more")
    await service.ask(replica, "ann", "red")
    with pytest.raises(errors.UnreachableError, match=r"pictures cannot wait.*No task was created"):
        await service.ask(replica, "bob", "blue")
    await service.machine.pass_by(60)
    assert service.standing("blue") == []
    assert (await service.ask(replica, "bob", "green")).task.id == service.standing("green")[0].id


async def test_a_line_that_is_too_long_says_so_and_writes_nothing_down(service: Service) -> None:
    service.terms = Terms(1, 1, 600.0)
    replica = service.replica()
    await in_line(service, replica)
    with pytest.raises(LineFullError, match="No task was created"):
        await service.ask(replica, "bob", "green")
    assert len(await replica.jobs.recent("bob", 9)) == 1
