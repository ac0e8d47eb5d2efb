"""What lies on the shelf and waits for nothing is gone within minutes, and nothing else is."""

import os
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import pytest

from kolors_mcp.errors import LedgerError
from kolors_mcp.jobs import clearing
from kolors_mcp.jobs.clearing import (
    CLEARED_EVERY_SECONDS,
    STALE_EVERY_SECONDS,
    STALE_SECONDS,
    SWEPT_EVERY_SECONDS,
    Clearing,
)
from kolors_mcp.jobs.line_parts import LineParts
from kolors_mcp.jobs.parcel import FOLDER
from kolors_mcp.ledger.line import LedgerLine
from kolors_mcp.ledger.slots import Terms
from kolors_mcp.shelf.shelf import Shelf
from tests.support.asking import ON_EACH_WITH_SEVERAL_PROCESSES
from tests.support.line_process import Replica, RestingMachine, Service
from tests.support.still_time import until

pytestmark = pytest.mark.anyio


@pytest.fixture
async def service(url: str, tmp_path: Path) -> AsyncGenerator[Service]:
    machine = RestingMachine(url)
    yield Service(machine, tmp_path / "shelf", Terms(1, 100, 1e9))
    for process in list(machine.processes):
        process.wake()
        await process.jobs.aclose()


def parcels(service: Service) -> set[Path]:
    return {path for path in service.folder.rglob("*") if path.is_file()}


async def sweeps_pass(service: Service, times: int) -> None:
    for _ in range(times):
        service.machine.now += SWEPT_EVERY_SECONDS
        await service.machine.pass_by(2 * CLEARED_EVERY_SECONDS)


async def orphan(service: Service, replica: Replica, monkeypatch: pytest.MonkeyPatch, wish: str = "green") -> Path:
    """Kill a replica when the pictures of a waiting wish lie there and nobody has been told; return where they lie."""
    before = parcels(service)

    async def dies(*_: object) -> bool:
        await replica.kill()
        raise LedgerError("its process is dead")

    with monkeypatch.context() as patch:
        patch.setattr(LedgerLine, "shelve", dies)
        call = service.ask(replica, "cid", wish)
        await until(lambda: replica.is_dead)
        call.cancel()
        await service.machine.rest()
    [left] = parcels(service) - before
    return left


@ON_EACH_WITH_SEVERAL_PROCESSES
async def test_what_a_killed_replica_did_not_write_down_is_cleared_within_ten_minutes_and_what_waits_stays(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    dies, lives = service.replica(), service.replica()
    await service.ask(lives, "ann", "red")
    service.machine.kling.tasks[0].ends_at += 4 * SWEPT_EVERY_SECONDS
    await service.ask(lives, "bob", "blue")
    [waits] = parcels(service)
    left = await orphan(service, dies, monkeypatch)
    await sweeps_pass(service, 2)
    assert not service.standing("blue")
    assert left not in parcels(service)
    assert waits in parcels(service)


async def beside_another_ledger(service: Service, tmp_path: Path) -> tuple[Path, bool]:
    """Return where pictures of another ledger lie on the same shelf, and whether they do after some sweeps."""
    other = Service(RestingMachine(f"sqlite:///{tmp_path}/other.sqlite3"), service.folder, service.terms)
    theirs = other.replica()
    await other.ask(theirs, "ann", "red")
    await other.ask(theirs, "bob", "blue")
    [waits] = parcels(service)
    service.replica()
    await sweeps_pass(service, 3)
    await theirs.jobs.aclose()
    return waits, waits.exists()


async def test_what_another_ledger_has_laid_on_the_same_shelf_is_left_to_it_for_a_day(
    service: Service, tmp_path: Path
) -> None:
    waits, is_there = await beside_another_ledger(service, tmp_path)
    assert is_there
    os.utime(waits, (0, waits.stat().st_mtime - STALE_SECONDS - 60))
    service.machine.now += STALE_EVERY_SECONDS
    await sweeps_pass(service, 1)
    assert not parcels(service)


async def test_a_folder_for_all_ledgers_would_lose_the_pictures_of_another_one(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def for_all(*_: object) -> str:
        return FOLDER

    monkeypatch.setattr(LineParts, "folder_of", for_all)
    _waits, is_there = await beside_another_ledger(service, tmp_path)
    assert not is_there


async def test_what_lies_there_and_is_written_down_only_after_a_sweep_is_not_taken_for_left_behind(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = service.replica()
    await service.ask(replica, "ann", "red")
    service.machine.kling.tasks[0].ends_at += 4 * SWEPT_EVERY_SECONDS
    shelve, other = LedgerLine.shelve, Clearing(replica.line.parts, replica.clock)

    async def late(line: LedgerLine, reference: str, turn: int, name: str) -> bool:
        await other.round()
        return await shelve(line, reference, turn, name)

    monkeypatch.setattr(LedgerLine, "shelve", late)
    await service.ask(replica, "bob", "blue")
    service.machine.now += SWEPT_EVERY_SECONDS
    await other.round()
    assert len(parcels(service)) == 1


async def test_one_round_removes_only_so_much_and_the_next_ones_the_rest(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clearing, "SWEPT_AT_ONCE", 2)
    replica = service.replica()
    await service.machine.rest()
    folder = replica.line.parts.folder_of(await replica.line.parts.line())
    for _ in range(5):
        await service.shelf.put(folder, b"parcel")
    left: list[int] = []
    for _ in range(4):
        await sweeps_pass(service, 1)
        left.append(len(parcels(service)))
    assert left == [5, 3, 1, 0]


async def test_a_shelf_that_hangs_holds_up_no_look_and_no_wish(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = service.replica()
    hanging: list[Sequence[str]] = []

    async def hang(_shelf: Shelf, names: Sequence[str]) -> None:
        if names:
            hanging.append(names)
            await replica.clock.tick(1e9)

    monkeypatch.setattr(Shelf, "delete", hang)
    await service.ask(replica, "ann", "red")
    for user in ("bob", "cid"):
        await service.ask(replica, user, user)
    await service.machine.pass_by(200)
    assert hanging
    assert [len(service.standing(user)) for user in ("bob", "cid")] == [1, 1]
