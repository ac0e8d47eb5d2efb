"""Runs `python -m kolors_mcp` and other programs as real processes, with an environment that a test chooses."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from kolors_mcp.sandbox.kling import SandboxKling
from tests.support.forked_decoders import DECODERS, decoder_server, end_decoder_server

HERE = Path(__file__).parent
FORKS = "TESTS_FORKING_PYTHON"
"""The variable that tells the workers of one run the command of the fork server that they share."""
HANG_SECONDS = 100
"""What is not there after so long will not come: below pytest's own limit, above what any machine needs."""


def environment(home: Path, **variables: str) -> dict[str, str]:
    """This process's environment without anybody's settings, with a home of its own, and the given variables."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("KLING_", "KOLORS_"))}
    kept = {"HOME": str(home), "USERPROFILE": str(home), "XDG_STATE_HOME": str(home / "state")}
    return {**inherited, **kept, **variables}


def account_of(kling: SandboxKling) -> dict[str, str]:
    """The variables that make a server use this simulated Kling."""
    return {
        "KLING_API_BASE": kling.origin,
        "KLING_API_KEY": kling.api_key,
        "KOLORS_ALLOWED_HOSTS": urlsplit(kling.origin).netloc,
    }


def python(*, really: bool = False) -> str:
    """What runs a Python program (or `-m module`); where its start is not what is tested, a fork has its imports."""
    # A script names its interpreter in one word.
    if really or sys.platform != "linux" or " " in sys.executable:
        return sys.executable
    return os.environ.get(FORKS) or str(_fork_server()[1])


def program_of(number: int) -> int:
    """The number of the process that really runs what was started as this one, which may only stand in for a fork.

    SIGSTOP, which no process can pass on, has to be sent there.
    """
    note = Path(python()).with_name(f"program-of-{number}")
    return int(note.read_text()) if note.exists() else number


def share_fork_server() -> None:
    """Begin it for all workers that are started from here on; it loads while they do."""
    if sys.platform == "linux" and " " not in sys.executable:
        os.environ[FORKS] = str(_fork_server()[1])
        os.environ[DECODERS] = decoder_server() or ""


def ran(
    *command: str | Path, env: Mapping[str, str], cwd: Path, really: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a Python program (or `-m module`) to its end, without a terminal."""
    return subprocess.run(
        [python(really=really), *command],
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )


def kolors(
    *arguments: str | Path, env: Mapping[str, str], cwd: Path, really: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run the command `kolors-mcp`."""
    return ran("-m", "kolors_mcp", *arguments, env=env, cwd=cwd, really=really)


@contextmanager
def started(
    *arguments: str | Path, env: Mapping[str, str], cwd: Path, really: bool = False
) -> Generator[subprocess.Popen[str]]:
    """The command `kolors-mcp`, which goes on while the test does, in a process group of its own."""
    with subprocess.Popen(
        [python(really=really), "-m", "kolors_mcp", *arguments],
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def stand_in() -> tuple[socket.socket, Path]:
    """Make a command that takes the place of `python`, and the socket at which it asks for a fork."""
    # The path of a socket has about 100 characters.
    folder = Path(tempfile.mkdtemp(prefix="kolors-fork-", dir="/tmp"))
    command = folder / "python"
    command.write_text(f"#!{sys.executable} -IS\n{(HERE / 'forked.py').read_text('utf-8')}", encoding="utf-8")
    command.chmod(0o700)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "socket"))
    listener.listen()
    return listener, command


@cache
def _fork_server() -> tuple[subprocess.Popen[bytes], Path]:
    """The process that forks programs, and the command that takes the place of `python`; begun when first needed."""
    listener, command = stand_in()
    with listener:
        process = subprocess.Popen(
            [sys.executable, HERE / "fork_server.py", str(listener.fileno()), command],
            stdin=subprocess.PIPE,
            # The streams of programs are made like its own: not a terminal's.
            stdout=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
            env={**os.environ, DECODERS: decoder_server() or ""},
            # An interrupt from the keyboard ends the tests, and with them this process; nothing else does.
            start_new_session=True,
        )
    return process, command


def end_fork_server() -> None:
    """End it, and every program that it still runs, if this process has started it; and what forks their decoders."""
    if _fork_server.cache_info().currsize:
        os.environ.pop(FORKS, None)
        os.environ.pop(DECODERS, None)
        process, _ = _fork_server()
        process.communicate()
        _fork_server.cache_clear()
    end_decoder_server()
