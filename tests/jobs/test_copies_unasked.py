"""Copies of results that nobody has come for yet: Kling's links end after 30 days, and a user may come later."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from kolors_mcp.errors import PictureRefusedError
from kolors_mcp.jobs.call import Call
from kolors_mcp.jobs.saving import RETRIED_AFTER_SECONDS, UNASKED_AT_ONCE
from kolors_mcp.ledger.slots import RUNNING_SECONDS, Terms
from kolors_mcp.ledger.uncopied import AGAIN_AFTER_SECONDS, FIRST_AFTER_SECONDS
from tests.support.asking import ON_EACH_WITH_SEVERAL_PROCESSES
from tests.support.line_process import Replica, RestingMachine, Service
from tests.support.still_time import until

pytestmark = pytest.mark.anyio

WISHES = ("red", "blue", "green", "black", "white")


class Finished:
    """What Kling has made, as far as it can be had."""

    def __init__(self) -> None:
        self.is_there = True
        self.open = asyncio.Event()
        self.open.set()
        self.asked: list[str] = []
        self.under_way = self.most = 0

    async def download(self, url: str) -> bytes:
        self.asked.append(url)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self.open.wait()
        finally:
            self.under_way -= 1
        if not self.is_there:
            raise PictureRefusedError("The finished picture cannot be had.")
        return f"bytes of {url}".encode()


class Pictures:
    def __init__(self) -> None:
        self.finished = Finished()

    async def aclose(self) -> None:
        """Hold nothing."""


@pytest.fixture
def finished() -> Finished:
    return Finished()


@pytest.fixture
async def service(url: str, tmp_path: Path, finished: Finished) -> AsyncGenerator[Service]:
    pictures = Pictures()
    pictures.finished = finished
    machine = RestingMachine(url)
    yield Service(machine, tmp_path / "shelf", Terms(5, 100, 600.0), pictures=pictures, keeps_results=True)
    for process in list(machine.processes):
        await process.jobs.aclose()


def copies_in(service: Service) -> list[bytes]:
    return sorted(file.read_bytes() for file in service.folder.glob("results/*/*/*.jpg"))


async def saved_of(replica: Replica, user: str) -> list[dict[int, str]]:
    return [job.saved for job in await replica.jobs.recent(user, 9)]


async def looked_at(replica: Replica, user: str, task_id: str) -> None:
    job = await replica.jobs.find(user, task_id)
    await replica.jobs.look(task_id, job, Call(user, replica.clock.deadline(60.0)), replica.clock.deadline(0.0))


async def test_a_result_that_no_call_has_seen_is_copied(service: Service, finished: Finished) -> None:
    replica = service.replica()
    await service.ask(replica, "ann", "red")
    await service.machine.pass_by(90)
    await until(lambda: len(copies_in(service)) == 1)
    [task] = service.standing("red")
    assert copies_in(service) == [f"bytes of https://cdn.example/{task.id}.png".encode()]
    await until(lambda: not finished.under_way)
    # Every later look knows of it.
    await looked_at(replica, "ann", task.id)
    [saved] = await saved_of(replica, "ann")
    assert list(saved) == [0]
    assert len(finished.asked) == 1


async def test_without_the_setting_nothing_is_fetched(service: Service, finished: Finished) -> None:
    service.keeps_results = False
    replica = service.replica()
    await service.ask(replica, "ann", "red")
    await service.machine.pass_by(90)
    [job] = await replica.jobs.recent("ann", 9)
    assert (job.status, finished.asked, copies_in(service)) == ("succeed", [], [])


async def test_looks_and_slots_do_not_wait_for_copies_of_which_few_are_made_at_once(
    service: Service, finished: Finished
) -> None:
    finished.open.clear()
    replica = service.replica()
    for wish in WISHES:
        await service.ask(replica, "ann", wish)
    await service.machine.pass_by(120)
    assert {job.status for job in await replica.jobs.recent("ann", 9)} == {"succeed"}
    assert len(finished.asked) == UNASKED_AT_ONCE
    await service.ask(replica, "bob", "grey")
    assert len(service.standing("grey")) == 1, "the slots are free"
    finished.open.set()
    await until(lambda: len(copies_in(service)) == len(WISHES))
    assert finished.most == UNASKED_AT_ONCE


async def test_a_copy_that_failed_is_made_later_though_nobody_comes(service: Service, finished: Finished) -> None:
    finished.is_there = False
    replica = service.replica()
    await service.ask(replica, "ann", "red")
    await service.machine.pass_by(90)
    await until(lambda: bool(finished.asked) and not finished.under_way)
    await service.machine.pass_by(RETRIED_AFTER_SECONDS[0] - 40)
    tried = len(finished.asked)
    assert copies_in(service) == []
    finished.is_there = True
    await service.machine.pass_by(RETRIED_AFTER_SECONDS[1])
    await until(lambda: len(copies_in(service)) == 1)
    assert len(finished.asked) == tried + 1
    [saved] = await saved_of(replica, "ann")
    assert list(saved) == [0]


@ON_EACH_WITH_SEVERAL_PROCESSES
async def test_what_a_process_has_left_uncopied_is_copied_by_another_and_looked_at_once_an_hour_by_one_of_them(
    service: Service, finished: Finished
) -> None:
    finished.is_there = False
    first = service.replica()
    await service.ask(first, "ann", "red")
    await service.machine.pass_by(90)
    await until(lambda: bool(finished.asked) and not finished.under_way)
    await first.kill()
    kling = service.machine.kling

    async def later(seconds: float) -> list[str]:
        """What is asked for by two processes that begin so much later."""
        finished.asked.clear()
        service.machine.now += seconds
        for _ in range(2):
            service.replica()
        await service.machine.rest()
        await until(lambda: not finished.under_way)
        return finished.asked

    assert await later(FIRST_AFTER_SECONDS - 100) == []
    assert len(await later(100)) == 1
    assert await later(AGAIN_AFTER_SECONDS - 1) == []
    finished.is_there = True
    assert len(await later(1)) == 1
    await until(lambda: len(copies_in(service)) == 1)
    [saved] = await saved_of(service.replica(), "ann")
    assert list(saved) == [0]
    reads = len(kling.reads)
    assert (await later(AGAIN_AFTER_SECONDS), len(kling.reads)) == ([], reads)


@ON_EACH_WITH_SEVERAL_PROCESSES
async def test_what_ended_while_every_process_was_away_is_looked_at_once_and_copied(
    service: Service, finished: Finished
) -> None:
    first = service.replica()
    for wish in ("red", "lost"):
        await service.ask(first, "ann", wish)
    await first.kill()
    kling = service.machine.kling
    [lost] = service.standing("lost")
    kling.tasks.remove(lost)
    reads = len(kling.reads)
    for _ in range(2):
        service.machine.now += 5 * RUNNING_SECONDS
        service.replica()
        await service.machine.rest()
        await until(lambda: not finished.under_way)
    assert len(finished.asked) == 1
    assert len(kling.reads) == reads + 2


async def test_a_copy_that_failed_is_made_when_a_call_looks(service: Service, finished: Finished) -> None:
    finished.is_there = False
    replica = service.replica()
    await service.ask(replica, "ann", "red")
    await service.machine.pass_by(90)
    await until(lambda: bool(finished.asked) and not finished.under_way)
    [task] = service.standing("red")
    assert (await saved_of(replica, "ann"), copies_in(service)) == ([{}], [])
    finished.is_there = True
    await looked_at(replica, "ann", task.id)
    await until(lambda: len(copies_in(service)) == 1)
