"""When the service starts, and what it says when it does not: in one sentence that names what is missing."""

import signal
import socket
import sys
from pathlib import Path

import pytest

from tests.support.commands import environment, kolors, ran
from tests.support.in_process import Run, running_here
from tests.support.over_http import asked, serving

PUBLIC = {"KOLORS_PUBLIC_URL": "https://try-on.shop.example"}
TOKENS = {"KOLORS_TOKENS": "tokens"}

REFUSED: list[tuple[tuple[str, ...], dict[str, str], list[str], list[str]]] = [
    (("--host", "0.0.0.0"), {}, ["--host 0.0.0.0", "KOLORS_TOKENS or KOLORS_ISSUER", "KOLORS_PUBLIC_URL"], []),
    (("--host", "::"), {}, ["KOLORS_TOKENS or KOLORS_ISSUER", "KOLORS_PUBLIC_URL"], []),
    (("--host", "0.0.0.0"), PUBLIC, ["KOLORS_TOKENS or KOLORS_ISSUER"], ["KOLORS_PUBLIC_URL"]),
    (("--host", "0.0.0.0"), TOKENS, ["KOLORS_PUBLIC_URL"], ["KOLORS_ISSUER"]),
    (("--host", "try-on.shop.example"), {}, ["KOLORS_TOKENS or KOLORS_ISSUER"], []),
    (("--host", "no.host.invalid"), PUBLIC | TOKENS, ["no.host.invalid is no address of this machine"], []),
    (("--host", "203.0.113.7"), PUBLIC | TOKENS, ["this machine has no such address"], []),
    (("--port", "65536"), {}, ["--port is 65536", "0 to 65535"], []),
    (("--port", "-1"), {}, ["--port is -1"], []),
    ((), {"KOLORS_PUBLIC_URL": "shop"}, ["KOLORS_PUBLIC_URL is not an address"], []),
    ((), {"KOLORS_SLOTS": "0"}, ["KOLORS_SLOTS is"], []),
    ((), {"KOLORS_MODEL": "none"}, ["KOLORS_MODEL is"], []),
    ((), {"KOLORS_LEDGER": "/var/ledger"}, ["KOLORS_LEDGER is no URL", "sqlite:///PATH"], []),
    ((), {"KOLORS_LEDGER": "sqlite:///"}, ["KOLORS_LEDGER names no file"], []),
    ((), {"KOLORS_LEDGER": "sqlite://ledger"}, ['KOLORS_LEDGER begins with "sqlite"'], []),
    ((), {"KOLORS_LEDGER": "mysql://a:secret@b/c"}, ['KOLORS_LEDGER begins with "mysql"'], ["secret"]),
]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in this process: what may not start begins nothing."""
    return running_here(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize(("arguments", "variables", "named", "unnamed"), REFUSED)
def test_a_service_that_may_not_start_says_what_is_missing(
    arguments: tuple[str, ...],
    variables: dict[str, str],
    named: list[str],
    unnamed: list[str],
    here: Run,
    tmp_path: Path,
) -> None:
    ended = here("serve", "--http", *arguments, env=environment(tmp_path, **variables))
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1, ended.stderr
    assert [words for words in named if words not in ended.stderr] == [], ended.stderr
    assert [words for words in unnamed if words in ended.stderr] == [], ended.stderr


def test_a_port_that_another_program_has_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = kolors("serve", "--http", "--port", port, env=environment(tmp_path), cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert f"Port {port} of 127.0.0.1 cannot be used (another program has it)" in ended.stderr


@pytest.mark.parametrize("arguments", [("--host", "0.0.0.0"), ("--port", "8000")])
def test_an_address_without_http_is_refused(arguments: tuple[str, ...], tmp_path: Path) -> None:
    ended = kolors("serve", *arguments, env=environment(tmp_path), cwd=tmp_path)
    assert ended.returncode == 2
    assert "--http" in ended.stderr


def test_a_public_address_without_authentication_is_warned_of(tmp_path: Path) -> None:
    with serving(environment(tmp_path, KOLORS_SANDBOX="1", **PUBLIC), tmp_path) as service:
        service.send(signal.SIGINT)
        _, said = service.process.communicate()
    assert "KOLORS_PUBLIC_URL is an address for the world, but nobody has to say who they are" in said


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such bound")
def test_it_takes_as_many_connections_as_the_system_lets_it_have_files(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import resource; from kolors_mcp.server.http.serving import connections_at_most as most;"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, 2000)); print(most(1000), most(5000));"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    ended = ran(program, env=environment(tmp_path), cwd=tmp_path)
    assert ended.stdout.split() == ["1000", "1700", "2000"], ended.stderr


def test_on_loopback_it_starts_open_and_ends_by_a_signal(tmp_path: Path) -> None:
    with serving(environment(tmp_path, KOLORS_SANDBOX="1"), tmp_path) as service:
        assert asked(service, "GET", "/healthz").status == 200
        service.send(signal.SIGINT)
        assert service.process.wait() == 0
