"""A ledger of an older version is brought up to date with nothing lost; one of a newer version is left alone."""

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import anyio
import pytest
from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.exc import IntegrityError

from kolors_mcp.errors import LedgerError
from kolors_mcp.ledger.job import Job
from kolors_mcp.ledger.schema import METADATA, NEWEST, VERSION, note
from tests.support.asking import LEDGERS, NOON, Asking, Hand, opened
from tests.support.ledger_processes import at_once

pytestmark = pytest.mark.anyio

LAST_WRITE = NOON + 365


def job(number: int, fingerprint: str, state: Any, at: float, **differing: Any) -> Job:
    values: dict[str, Any] = {
        "reference": f"k-{number}",
        "user": "local",
        "fingerprint": fingerprint,
        "model_name": None,
        "state": state,
        "task_id": None,
        "status": None,
        "created_at": NOON + at,
        "updated_at": NOON + at,
        "labels": ("me.jpg", "shop.example"),
        "notes": (),
        "saved": {},
        "code": None,
        "account": "an-account",
        "endpoint": "kolors-virtual-try-on",
    }
    return Job(**{**values, **differing})


FIRST = job(
    *(1, "f-1", "created", 60),
    model_name="kolors-virtual-try-on-v1-5",
    task_id="8811",
    status="succeed",
    updated_at=NOON + 65,
    final_at=NOON + 65,
    notes=("human_image: shrunk",),
    saved={0: "/pictures/0.png"},
)
ROWS = [
    # It was being sent: whether a task exists is for nobody to know but who sent it.
    job(6, "f-6", "unconfirmed", 365),
    job(4, "f-4", "unconfirmed", 245),
    job(3, "f-3", "refused", 185, code=1303),
    job(2, "f-2", "created", 125, task_id="8812", status="processing"),
    FIRST,
]
HERS = job(5, "f-1", "created", 305, user="ann", task_id="8815", status="failed", final_at=NOON + 305)


@pytest.fixture(params=["file", "postgres"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A ledger of the first layout, in use."""
    return laid_out(1, request, tmp_path)


@pytest.fixture(params=["file", "postgres"])
def second(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A ledger of the second layout, which the same rows have come to."""
    return laid_out(2, request, tmp_path)


def laid_out(layout: int, request: pytest.FixtureRequest, folder: Path) -> str:
    if request.param == "file":
        file = folder / "ledger.sqlite3"
        shutil.copy(LEDGERS / f"layout_{layout}.sqlite3", file)
        return f"sqlite:///{file}"
    url = request.getfixturevalue("postgres_url")
    engine = create_engine(driven(url))
    with engine.begin() as connection:
        connection.exec_driver_sql((LEDGERS / f"layout_{layout}.postgresql.sql").read_text())
    engine.dispose()
    return url


def driven(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://")


async def rows_of(asking: Asking) -> tuple[list[Job], list[Job]]:
    return await asking.ledger.recent("local", 99), await asking.ledger.recent("ann", 99)


async def test_an_older_ledger_keeps_every_row_and_goes_on(old: str) -> None:
    async with opened(old, Hand(LAST_WRITE + 1)) as asking:
        assert await rows_of(asking) == (ROWS, [HERS])
        assert await asking.ledger.find("local", "8811") == FIRST
        assert [(await asking.job(name)).state for name in ("k-6", "k-4")] == ["unconfirmed"] * 2
        for fingerprint, reference in (("f-6", "k-6"), ("f-4", "k-4"), ("f-2", "k-2")):
            assert await asking.joined(reference="k-7", fingerprint=fingerprint) == reference
        await asking.reserved(reference="k-7", fingerprint="f-3")
        with pytest.raises(LedgerError):
            await asking.wish(reference="k-1", fresh=True)


async def test_the_rows_of_an_older_ledger_go_to_the_account_that_opens_it_first(old: str) -> None:
    hand = Hand(LAST_WRITE, account=None)
    async with opened(old, hand) as asking:
        assert await rows_of(asking) == ([], []), "without keys nothing is anybody's"
    hand.account = "an-account"
    async with opened(old, hand) as asking:
        assert await rows_of(asking) == (ROWS, [HERS])
    hand.account = "another"
    async with opened(old, hand) as asking:
        assert await rows_of(asking) == ([], [])
        hand.account = "an-account"
        assert await rows_of(asking) == (ROWS, [HERS])


async def test_two_processes_that_open_an_older_ledger_at_once_lose_nothing(old: str) -> None:
    assert await anyio.to_thread.run_sync(at_once, "openings", [old], [old]) == [1, 1]
    async with opened(old, Hand(LAST_WRITE)) as asking:
        assert await rows_of(asking) == (ROWS, [HERS])


async def test_a_ledger_of_the_second_layout_keeps_every_row_and_learns_labels(second: str, tmp_path: Path) -> None:
    async with opened(second, Hand(LAST_WRITE + 1)) as asking:
        assert await rows_of(asking) == (ROWS, [HERS])
        assert await asking.joined(reference="k-7", fingerprint="f-2") == "k-2"
        await asking.reserved(reference="k-8", fingerprint="f-8", label="Look")
        assert [job.reference for job in await asking.ledger.labelled("local", "LOOK", 9)] == ["k-8"]
    await assert_layout_of_a_new_one(second, tmp_path)


async def test_a_ledger_that_was_brought_up_to_date_has_the_layout_of_a_new_one(old: str, tmp_path: Path) -> None:
    await assert_layout_of_a_new_one(old, tmp_path)


async def assert_layout_of_a_new_one(old: str, folder: Path) -> None:
    def conditions(options: dict[str, Any]) -> dict[str, str]:
        return {name: str(value) for name, value in options.items()}

    def layout(connection: Connection) -> tuple[Any, ...]:
        seen = inspect(connection)
        columns = [(c["name"], str(c["type"]), c["nullable"]) for c in seen.get_columns("kolors_try_ons")]
        indexes = [
            (index["name"], index["column_names"], conditions(index.get("dialect_options", {})))
            for index in seen.get_indexes("kolors_try_ons")
        ]
        return columns, sorted(indexes, key=str), seen.get_unique_constraints("kolors_try_ons")

    async with opened(old, Hand(LAST_WRITE)) as asking:
        upgraded = await asking.ledger.database.read(layout)
        if old.startswith("postgresql"):
            await asking.ledger.database.write(METADATA.drop_all)
            await asking.ledger.database.write(METADATA.create_all)
            assert await asking.ledger.database.read(layout) == upgraded
    if old.startswith("sqlite"):
        async with opened(f"sqlite:///{folder / 'new.sqlite3'}", Hand()) as asking:
            assert await asking.ledger.database.read(layout) == upgraded


@pytest.mark.parametrize("state", ["waiting", "posting", "lost"])
async def test_every_word_of_the_states_to_come_can_be_stored_and_no_other(old: str, state: str) -> None:
    async with opened(old, Hand(LAST_WRITE)) as asking:
        change = text("UPDATE kolors_try_ons SET state = :state WHERE reference = 'k-6'")

        def changing(connection: Connection) -> None:
            connection.execute(change, {"state": state})

        if state == "lost":
            with pytest.raises(LedgerError):
                await asking.ledger.database.write(changing)
        else:
            await asking.ledger.database.write(changing)


async def test_a_program_of_the_first_layout_that_has_it_open_can_add_nothing_and_end_what_it_sent(old: str) -> None:
    """It would send for whatever account, and count for none."""
    add = (
        "INSERT INTO kolors_try_ons (reference, owner, fingerprint, state, labels, notes, saved, "
        "created_at, updated_at) VALUES ('k-9', 'local', 'f-9', 'sending', '[]', '[]', '{}', 0, 0)"
    )
    end = "UPDATE kolors_try_ons SET state = 'created', task_id = '8816' WHERE reference = 'k-6'"
    engine = create_engine(driven(old))
    with engine.connect() as connection:
        connection.execute(text(add))  # as it could before
        connection.rollback()
    async with opened(old, Hand(LAST_WRITE)) as asking:
        with engine.connect() as connection:
            with pytest.raises(IntegrityError):
                connection.execute(text(add))
            connection.rollback()
            connection.execute(text(end))
            connection.commit()
        assert (await asking.job("k-6")).task_id == "8816"
    engine.dispose()


async def test_whoever_has_the_ledger_open_when_a_newer_version_changes_it_can_do_nothing_with_it(url: str) -> None:
    async with opened(url, Hand()) as asking:
        reference = await asking.reserved()
        await asking.ledger.database.write(lambda connection: note(connection, VERSION, NEWEST + 1))
        for deed in (
            asking.wish(fingerprint="f-2"),
            asking.ledger.created(reference, "8812", "submitted"),
            asking.ledger.find("local", reference),
            asking.ledger.prune(),
            # What says whether a replica of the service is ready.
            asking.ledger.now(),
        ):
            with pytest.raises(LedgerError, match="is that of a newer kolors-mcp"):
                await deed
        await asking.ledger.database.write(lambda connection: note(connection, VERSION, NEWEST))
        assert [(job.reference, job.state) for job in await asking.ledger.recent("local", 9)] == [
            (reference, "sending")
        ]


def test_the_old_ledger_is_one_that_the_first_layout_wrote(tmp_path: Path) -> None:
    connection = sqlite3.connect(shutil.copy(LEDGERS / "layout_1.sqlite3", tmp_path))
    assert connection.execute("SELECT value FROM kolors_ledger WHERE name = 'schema_version'").fetchone() == (1.0,)
    assert connection.execute("SELECT count(*) FROM kolors_try_ons").fetchone() == (6,)
    connection.close()
