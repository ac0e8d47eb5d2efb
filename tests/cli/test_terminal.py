"""What the command line does when nobody reads it, when a terminal knows few letters, and when somebody interrupts."""

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kolors_mcp.cli import terminal
from kolors_mcp.sandbox.kling import SandboxKling
from tests.support.commands import HANG_SECONDS, account_of, environment, kolors, python, ran
from tests.support.making import jpeg

COMMANDS = ((), ("serve",), ("demo",), ("demo", "--app"), ("doctor",), ("sandbox",))
posix = pytest.mark.skipif(os.name != "posix", reason="Windows interrupts consoles, not processes")


@contextmanager
def unread(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """Let standard output be a pipe whose reader has gone."""
    ours, theirs = os.pipe()
    os.close(ours)
    with os.fdopen(theirs, "w", encoding="ascii") as stream, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        yield
        terminal.flush()


def test_once_nobody_reads_the_work_goes_on_in_silence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with unread(monkeypatch):
        terminal.print_line("first")
        terminal.print_line("second")
    assert capsys.readouterr() == ("", "")


def test_a_plain_print_into_such_a_pipe_does_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    with unread(monkeypatch), pytest.raises(BrokenPipeError):
        print("first", flush=True)  # noqa: T201  (shows what is avoided)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_output_that_cannot_be_written_is_said_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        terminal.print_line("first")
        terminal.print_line("second")
    assert capsys.readouterr().err == "Standard output takes nothing any more (No space left on device).\n"


def test_text_that_a_terminal_cannot_show_is_written_another_way(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    terminal.print_line("caf\u00e9 \udcff")
    stream.seek(0)
    assert stream.read() == "caf\\xe9 \\udcff\n"


def test_a_standard_stream_that_was_closed_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    terminal.print_line("nothing")
    terminal.flush()
    assert not terminal.is_terminal(None)


@posix
def test_an_interrupt_during_the_imports_ends_every_command_without_a_word(tmp_path: Path) -> None:
    # The first import of this library interrupts the process, as an impatient person does.
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal, sys\n"
        "class Impatient:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'pydantic':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Impatient())\n"
    )
    env = environment(tmp_path, PYTHONPATH=os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH")))))
    for command in COMMANDS:
        done = kolors(*command, env=env, cwd=tmp_path, really=True)
        assert (done.returncode, done.stdout, done.stderr) == (130, "", ""), command
    # So ends a program that does nothing about it.
    other = ran("-c", "import pydantic", env=env, cwd=tmp_path, really=True)
    assert "KeyboardInterrupt" in other.stderr


@posix
def test_on_a_terminal_the_server_says_what_it_is_for_and_one_interrupt_ends_it(tmp_path: Path) -> None:
    import pty  # noqa: PLC0415  (not there on Windows)

    ours, theirs = pty.openpty()
    server = subprocess.Popen(
        [python(really=True), "-m", "kolors_mcp"],
        env=environment(tmp_path),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    # Asked by hand, so that it is certain that the server listens.
    os.write(ours, b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n')
    written = b""
    while b'"id":1,"' not in written.replace(b'"id":1,"method"', b""):
        written += os.read(ours, 4096)
    for words in (
        b"kolors-mcp is a server that assistants talk to",
        b"kolors-mcp demo",
        b"kolors-mcp doctor",
        b"README",
    ):
        assert words in written
    server.send_signal(signal.SIGINT)
    assert server.wait(HANG_SECONDS) == 130
    os.close(ours)


@posix
def test_an_interrupt_ends_the_server_within_a_call_while_its_input_stays_open(
    kling: SandboxKling, tmp_path: Path
) -> None:
    kling.rules.finished_seconds = 10_000
    (tmp_path / "a.jpg").write_bytes(jpeg())
    (tmp_path / "b.jpg").write_bytes(jpeg(colour="gold"))
    env = environment(tmp_path, **account_of(kling), KOLORS_IMAGE_DIRS=str(tmp_path))
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "by hand", "version": "1"}}
    arguments = {"human_image": str(tmp_path / "a.jpg"), "cloth_image": str(tmp_path / "b.jpg"), "wait_seconds": 300}
    messages = (
        {"id": 1, "method": "initialize", "params": hello},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": {"name": "create_try_on", "arguments": arguments}},
    )
    with subprocess.Popen(
        [python(), "-m", "kolors_mcp"],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        assert server.stderr is not None
        for message in messages:
            server.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        server.stdin.flush()
        kling.wait_for_request(lambda request: request.method == "GET", timeout=HANG_SECONDS)
        server.send_signal(signal.SIGINT)
        assert server.wait(HANG_SECONDS) == 130
        assert server.stderr.read() == b"", "a host reads nothing that is meant for people"
        lines = server.stdout.read().splitlines()
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in lines)
    assert kling.tasks_created == 1
