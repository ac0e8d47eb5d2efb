"""What can be wrong with the place of a ledger: each is an error in plain words, and none of them spoils anything."""

import sqlite3
import stat
import subprocess
import sys
import traceback
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import Connection, text

from kolors_mcp.cli.state_folder import default_url, state_folder
from kolors_mcp.errors import LedgerError
from kolors_mcp.ledger import opening
from kolors_mcp.ledger.job import NewJob
from kolors_mcp.ledger.schema import NEWEST, VERSION, facts_of, prepare
from kolors_mcp.ledger.upgrades import UPGRADES
from tests.support.ledger_places import MAX_WAIT_SECONDS, opened, refusal, wish

pytestmark = pytest.mark.anyio


def written(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


def content(file: Path) -> bytes:
    return file.read_bytes()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def moved(file: Path) -> None:
    file.rename(file.with_name("moved"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "kolors-mcp" / "ledger.sqlite3"


@pytest.fixture
def url(file: Path) -> str:
    return f"sqlite:///{file}"


async def test_a_connection_waits_for_the_disk_and_for_others_unless_it_is_told_otherwise(url: str) -> None:
    async with opened(url) as ledger:

        def pragmas(connection: Connection) -> list[object]:
            names = ("synchronous", "journal_mode", "busy_timeout")
            return [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

        full = 2
        assert await ledger.database.read(pragmas) == [full, "wal", MAX_WAIT_SECONDS * 1000]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
async def test_a_new_ledger_is_its_owners_alone(url: str, file: Path) -> None:
    async with opened(url) as ledger:
        await wish(ledger)
        modes = {path.name: stat.filemode(path.stat().st_mode) for path in (file.parent, *file.parent.iterdir())}
    assert modes == {
        "kolors-mcp": "drwx------",
        "ledger.sqlite3": "-rw-------",
        "ledger.sqlite3-wal": "-rw-------",
        "ledger.sqlite3-shm": "-rw-------",
    }


async def test_a_path_may_begin_with_the_home_and_hold_any_character(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in ("~/what? 100% #1 & ä=b.db", "beside.db"):
        async with opened(f"sqlite:///{name}"):
            pass
    assert names(tmp_path) == ["beside.db", "what? 100% #1 & ä=b.db"]


async def test_a_damaged_file_is_refused_and_left_as_it_was(url: str, file: Path) -> None:
    garbage = b"These are notes of mine, and no database at all.\n" * 200
    written(file, garbage)
    assert await refusal(url) == (
        f'The ledger "{file}" is damaged, or is no ledger; it was left as it is (SQLITE_NOTADB). '
        "Move the file away, or set KOLORS_LEDGER to another place."
    )
    assert content(file) == garbage
    assert names(file.parent) == [file.name]


async def test_a_file_that_is_damaged_inside_is_noticed(url: str, file: Path) -> None:
    async with opened(url) as ledger:
        for number in range(50):
            await wish(ledger, f"k-{number}")
    damaged = bytearray(content(file))
    page = 4096
    damaged[page:] = b"\xee" * (len(damaged) - page)
    written(file, bytes(damaged))
    assert "is damaged, or is no ledger" in await refusal(url)
    assert content(file)[page:] == damaged[page:]


async def test_a_place_that_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot be opened (IsADirectoryError)" in await refusal(f"sqlite:///{tmp_path}")
    assert "cannot be opened (FileExistsError)" in await refusal(f"sqlite:///{tmp_path / 'file' / 'ledger'}")


async def test_a_file_without_permission_says_so(url: str) -> None:
    async with opened(url) as ledger:
        # Root may write anywhere, so the database itself forbids it here.
        await ledger.database.read(lambda connection: connection.exec_driver_sql("PRAGMA query_only = ON"))
        with pytest.raises(LedgerError, match=r"may not be written by this program \(SQLITE_READONLY\)"):
            await wish(ledger)


async def test_a_full_disk_writes_nothing_and_is_reported(url: str) -> None:
    async with opened(url) as ledger:
        await wish(ledger)
        pages = await ledger.database.read(lambda connection: connection.exec_driver_sql("PRAGMA page_count").scalar())
        await ledger.database.read(lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}"))

        async def wishes() -> None:
            for number in range(2, 200):
                await wish(ledger, f"k-{number}")

        with pytest.raises(LedgerError, match=r"cannot grow: the disk is full \(SQLITE_FULL\)\. Make room"):
            await wishes()
        rows = len(await ledger.recent("local", 999))
        with pytest.raises(LedgerError):
            await wish(ledger, "k-again")
        assert len(await ledger.recent("local", 999)) == rows


async def test_a_file_that_another_program_holds_is_waited_for_and_then_reported(url: str, file: Path) -> None:
    async with opened(url) as ledger:
        await wish(ledger)
        other = sqlite3.connect(file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            with pytest.raises(LedgerError, match=r"is locked: another program .* \(SQLITE_BUSY\)\. Try again"):
                await wish(ledger, "k-2")
            assert len(await ledger.recent("local", 9)) == 1
            assert "is locked" in await refusal(url)
        finally:
            other.close()
        await wish(ledger, "k-2")


async def test_a_new_file_that_another_process_is_just_setting_up_is_waited_for(
    url: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(file, b"")
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")

    def other_is_done(_seconds: float) -> None:
        other.close()

    # SQLite itself does not wait here: the ledger does, and while it does the other one finishes.
    monkeypatch.setattr(opening, "time", SimpleNamespace(monotonic=lambda: 0.0, sleep=other_is_done))
    async with opened(url) as ledger:
        await wish(ledger)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        other.execute("ROLLBACK")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps an open file where it is")
async def test_a_file_that_was_replaced_while_in_use_is_written_to_no_more(url: str, file: Path) -> None:
    async with opened(url) as ledger:
        await wish(ledger)
        for replace in (lambda: moved(file), file.touch):
            replace()
            with pytest.raises(LedgerError, match=r"was replaced or removed while in use. Start this server again"):
                await wish(ledger, "k-2")


async def test_a_newer_ledger_is_refused_and_left_as_it_is(url: str, file: Path) -> None:
    async with opened(url):
        pass
    with sqlite3.connect(file) as other:
        other.execute("UPDATE kolors_ledger SET value = 9 WHERE name = 'schema_version'")
    other.close()
    assert await refusal(url) == (
        "The ledger's layout 9 is that of a newer kolors-mcp; this one knows 4. "
        "Install the newer one, or set KOLORS_LEDGER to another place."
    )


async def test_an_older_ledger_is_brought_up_to_date_once_and_keeps_its_rows(url: str) -> None:
    def add_a_column(connection: Connection) -> None:
        connection.execute(text("ALTER TABLE kolors_try_ons ADD COLUMN mood TEXT DEFAULT 'calm'"))

    async with opened(url) as ledger:
        await wish(ledger)

        def upgraded(connection: Connection) -> tuple[float, object]:
            for _ in range(2):
                prepare(connection, 0, (*UPGRADES, add_a_column))
            version = facts_of(connection, NEWEST + 1)[VERSION]
            return version, connection.execute(text("SELECT mood FROM kolors_try_ons")).scalar()

        assert await ledger.database.write(upgraded) == (NEWEST + 1, "calm")


async def test_a_database_with_a_foreign_table_of_the_same_name_is_refused(url: str, file: Path) -> None:
    file.parent.mkdir(parents=True)
    with sqlite3.connect(file) as other:
        other.execute("CREATE TABLE kolors_ledger (name TEXT, value REAL)")
    other.close()
    assert "has a table kolors_ledger that is not this program's" in await refusal(url)


async def test_an_error_tells_nothing_of_the_row(url: str) -> None:
    # Named here, since a traceback quotes the lines of the call.
    private = "quite-private"
    async with opened(url) as ledger:
        await wish(ledger)
        with pytest.raises(LedgerError) as failed:
            await ledger.reserve(NewJob("k-1", "ann", "other", None, (private, private)))
    assert private not in "".join(traceback.format_exception(failed.value))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://me:hush@shop.example/ledger", 'begins with "mysql"'),
        ("postgresql://me:hush@shop.example:port/ledger", "no URL that can be read"),
        ("postgresql+psycopg2://me:hush@shop.example/ledger", 'begins with "postgresql+psycopg2"'),
        ("sqlite:ledger.db", "no URL that can be read"),
        ("sqlite:///", "names no file"),
        ("", "no URL that can be read"),
    ],
)
async def test_a_url_of_another_kind_is_refused_without_showing_it(url: str, words: str) -> None:
    said = await refusal(url)
    assert words in said
    assert "KOLORS_LEDGER takes sqlite:///PATH or postgresql://USER:PASSWORD@HOST/DATABASE." in said


@pytest.mark.parametrize(
    ("platform", "environment", "folder"),
    [
        ("linux", {"HOME": "/home/ann"}, "/home/ann/.local/state/kolors-mcp"),
        ("linux", {"HOME": "/home/ann", "XDG_STATE_HOME": "/var/ann"}, "/var/ann/kolors-mcp"),
        ("linux", {"HOME": "/home/ann", "XDG_STATE_HOME": "not/absolute"}, "/home/ann/.local/state/kolors-mcp"),
        ("linux", {"HOME": "/home/ann", "XDG_STATE_HOME": ""}, "/home/ann/.local/state/kolors-mcp"),
        ("darwin", {"HOME": "/Users/ann"}, "/Users/ann/Library/Application Support/kolors-mcp"),
        ("win32", {"LOCALAPPDATA": "C:/Users/ann/AppData/Local"}, "C:/Users/ann/AppData/Local/kolors-mcp"),
        ("win32", {"USERPROFILE": "C:/Users/ann"}, "C:/Users/ann/AppData/Local/kolors-mcp"),
    ],
)
def test_the_ledger_lies_where_the_platform_keeps_such_things(
    platform: str, environment: dict[str, str], folder: str
) -> None:
    assert state_folder(environment, platform).as_posix() == folder
    assert default_url(environment, platform).replace("\\", "/") == f"sqlite:///{folder}/ledger.sqlite3"


def test_without_a_home_the_remedy_is_named() -> None:
    with pytest.raises(LedgerError, match=r"HOME is not set. Set KOLORS_LEDGER"):
        default_url({}, "linux")


def test_what_the_server_knows_of_the_ledger_does_not_load_the_database() -> None:
    program = "import sys, kolors_mcp.ledger.job, kolors_mcp.cli.state_folder; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
