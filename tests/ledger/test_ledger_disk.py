"""What a power cut can take from a ledger on SQLite: nothing that has left whole, and nothing that Kling has said."""

import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, event

from kolors_mcp.ledger.doubt import Look
from kolors_mcp.ledger.leases import LEASE_SECONDS
from tests.support.asking import DAY, MINUTE, Asking, Hand, opened

LATER, AT_ONCE = 1, 2
"""What SQLite calls NORMAL and FULL: a commit waits for the disk, or only the next one does that has to."""
Deed = Callable[[], Awaitable[object]]

pytestmark = pytest.mark.anyio


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite3"


def log_of(file: Path) -> bytes:
    return Path(f"{file}-wal").read_bytes()


def cut_power(file: Path, on_disk: int, after: Path) -> None:
    """Leave of a ledger in use what is on the disk for certain: the file, and the log as far as was waited for."""
    after.parent.mkdir()
    shutil.copy(file, after)
    Path(f"{after}-wal").write_bytes(log_of(file)[:on_disk])


async def waits_of(asking: Asking) -> dict[str, set[int]]:
    """For what the transactions of each deed wait."""
    ledger, waits = asking.ledger, set[int]()

    @event.listens_for(ledger.database.engine, "commit")
    def note(connection: Connection) -> None:  # pyright: ignore[reportUnusedFunction] (SQLAlchemy calls it)
        driver = connection.connection.dbapi_connection
        assert driver is not None
        cursor = driver.cursor()
        cursor.execute("PRAGMA synchronous")
        waits.update(cursor.fetchone() or ())

    deeds: dict[str, Deed] = {
        "reserve": lambda: asking.wish(reference="k-1", fingerprint="f-1"),
        "reserve another": lambda: asking.wish(reference="k-2", fingerprint="f-2"),
        "sign of life": lambda: ledger.renew(["k-1", "k-2"]),
        "mark": lambda: ledger.mark_posting("k-1", 1),
        "next turn": lambda: ledger.begin_next_turn("k-1", 1),
        "mark again": lambda: ledger.mark_posting("k-1", 2),
        "doubt": lambda: ledger.unconfirmed("k-1"),
        "look": lambda: ledger.looked({"k-1": Look(())}),
        "created": lambda: ledger.created("k-1", "8812", "submitted"),
        "refused": lambda: ledger.refused("k-2", 1201),
        "seen": lambda: ledger.seen("8812", "succeed"),
        "saved": lambda: ledger.saved("8812", 0, "/pictures/0.png"),
    }
    found: dict[str, set[int]] = {}
    for name, deed in deeds.items():
        waits.clear()
        await deed()
        found[name] = set(waits)
    waits.clear()
    asking.hand.now += 36 * DAY
    await ledger.prune()
    return {**found, "removal": set(waits)}


async def test_a_transaction_waits_for_the_disk_only_where_its_loss_could_be_paid_for(file: Path) -> None:
    async with opened(f"sqlite:///{file}", Hand()) as asking:
        found = await waits_of(asking)
    at_once = {name for name, waits in found.items() if waits == {AT_ONCE}}
    assert at_once == {"mark", "mark again", "doubt", "created", "refused", "saved"}
    assert all(waits == {LATER} for name, waits in found.items() if name not in at_once), found


async def test_without_a_write_ahead_log_each_transaction_waits_for_the_disk(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def enable_none(_file: Path, _max_wait_seconds: float) -> None:
        pass

    monkeypatch.setattr("kolors_mcp.ledger.opening._enable_wal", enable_none)
    async with opened(f"sqlite:///{file}", Hand()) as asking:
        found = await waits_of(asking)
    assert all(waits == {AT_ONCE} for waits in found.values()), found


@pytest.mark.parametrize("is_marked", [False, True], ids=["before the mark", "after it"])
async def test_a_power_cut_before_the_mark_takes_what_never_left_and_after_it_leaves_a_doubt(
    file: Path, tmp_path: Path, is_marked: bool
) -> None:
    after = tmp_path / "after" / "ledger.sqlite3"
    async with opened(f"sqlite:///{file}", Hand()) as asking:
        on_disk = len(log_of(file))
        await asking.reserved(reference="k-1")
        assert len(log_of(file)) > on_disk
        if is_marked:
            assert await asking.ledger.mark_posting("k-1", 1)
            on_disk = len(log_of(file))
        cut_power(file, on_disk, after)
    async with opened(f"sqlite:///{after}", Hand()) as asking:
        asking.hand.now += max(LEASE_SECONDS, MINUTE)
        if is_marked:
            assert await asking.joined(reference="k-2") == "k-1"
            assert (await asking.job("k-1")).state == "unconfirmed"
        else:
            assert await asking.reserved(reference="k-2") == "k-2"
            assert await asking.ledger.find("local", "k-1") is None
