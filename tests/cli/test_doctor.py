"""`kolors-mcp doctor`: what it finds, good and bad, and that it never shows a secret."""

import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from kolors_mcp.cli import doctor
from kolors_mcp.clock import Clock
from kolors_mcp.sandbox import faults
from kolors_mcp.sandbox.kling import SandboxKling
from tests.support.commands import environment, kolors
from tests.support.making import TurnedClock

WRONG = "wr0ng-key-77d1"
SETTINGS = (
    "KLING_API_KEY",
    "KLING_ACCESS_KEY",
    "KLING_SECRET_KEY",
    "KLING_API_BASE",
    "KOLORS_SANDBOX",
    "KOLORS_MODEL",
    "KOLORS_ALLOWED_HOSTS",
    "KOLORS_SAVE_DIR",
    "KOLORS_DAILY_LIMIT",
    "KOLORS_LOG_LEVEL",
)

Examine = Callable[..., tuple[int, str]]


@pytest.fixture
def examine(
    kling_today: SandboxKling, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Examine:
    """Runs the doctor with these variables; by default everything is in order."""

    def examined(clock: Clock | None = None, **variables: str) -> tuple[int, str]:
        healthy = {"KLING_API_BASE": kling_today.origin, "KLING_API_KEY": kling_today.api_key}
        for name in SETTINGS:
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("KOLORS_IMAGE_DIRS", str(tmp_path))
        monkeypatch.setenv("KOLORS_LEDGER", f"sqlite:///{tmp_path}/ledger.db")
        for name, value in (healthy | variables).items():
            monkeypatch.setenv(name, value)
        code = doctor.run(clock)
        shown = capsys.readouterr()
        assert shown.err == ""
        for secret in (kling_today.api_key, *kling_today.key_pair, WRONG):
            assert secret not in shown.out
        return code, shown.out

    return examined


def line(output: str, check: str) -> str:
    """The finding of one check, with its remedy."""
    found = re.search(rf"^(ok|warn|FAIL) +{check}  .*(\n +-> .*)?", output, re.MULTILINE)
    assert found is not None, output
    return found[0]


def test_a_sound_installation_passes_every_check(examine: Examine, kling_today: SandboxKling, tmp_path: Path) -> None:
    code, output = examine(KOLORS_SAVE_DIR=str(tmp_path / "not" / "yet" / "there"))
    assert code == 0
    assert {found.split()[0] for found in output.splitlines()[:-2]} == {"ok"}
    assert output.endswith("\nEverything is in order.\n")
    assert "an API key" in line(output, "credentials")
    assert kling_today.origin in line(output, "region")
    assert '1000 in "Kolors Virtual Try-On"' in line(output, "units")
    assert not (tmp_path / "not").exists()


def test_a_pair_of_keys_is_told_apart_from_an_api_key(examine: Examine, kling_today: SandboxKling) -> None:
    access, secret = kling_today.key_pair
    code, output = examine(KLING_API_KEY="", KLING_ACCESS_KEY=access, KLING_SECRET_KEY=secret)
    assert code == 0
    assert "AccessKey and SecretKey pair" in line(output, "credentials")
    assert line(output, "account").startswith("ok")


def test_without_credentials_the_variables_are_named(examine: Examine) -> None:
    code, output = examine(KLING_API_KEY=" ")
    assert code == 1
    finding = line(output, "credentials")
    assert finding.startswith("FAIL")
    for name in ("KLING_API_KEY", "KLING_ACCESS_KEY", "KLING_SECRET_KEY", "KOLORS_SANDBOX=1"):
        assert name in finding
    assert "region" not in output
    assert "save folder" in output


def test_half_a_pair_is_named(examine: Examine) -> None:
    code, output = examine(KLING_API_KEY="", KLING_SECRET_KEY=WRONG)
    assert code == 1
    assert "FAIL  credentials       KLING_ACCESS_KEY is not set, but its other half is" in output


@pytest.mark.parametrize(
    "keys",
    [
        {"KLING_API_KEY": WRONG},
        {"KLING_API_KEY": "", "KLING_ACCESS_KEY": WRONG, "KLING_SECRET_KEY": WRONG},
    ],
)
def test_wrong_keys_are_reported_with_klings_code_and_where_to_look(examine: Examine, keys: dict[str, str]) -> None:
    code, output = examine(**keys)
    assert code == 1
    finding = line(output, "account")
    assert finding.startswith("FAIL")
    assert "(code 1002)" in finding
    assert "KLING_API_BASE is the region" in finding
    assert line(output, "region").startswith("ok")
    assert output.endswith("\n1 failure, 0 warnings.\n")


def test_a_region_that_cannot_be_reached_is_a_failure(examine: Examine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nobody = f"http://127.0.0.1:{listener.getsockname()[1]}"
    code, output = examine(TurnedClock().clock(), KLING_API_BASE=nobody)
    assert code == 1
    finding = line(output, "region")
    assert finding.startswith("FAIL")
    assert "cannot be reached (ConnectError). Check the network and KLING_API_BASE" in finding
    assert "account" not in output


def test_a_server_that_is_not_kling_is_a_failure(examine: Examine, kling_today: SandboxKling) -> None:
    kling_today.faults.next_list(faults.Raw(status=200, body="<html>Welcome</html>"), times=None)
    code, output = examine(TurnedClock().clock())
    assert code == 1
    assert "something that is not JSON" in line(output, "region")


@pytest.mark.parametrize(("turned", "words"), [(-600, "ahead of"), (600, "behind")])
def test_a_clock_ten_minutes_off_is_a_warning_and_the_pair_works_all_the_same(
    examine: Examine, kling_today: SandboxKling, turned: int, words: str
) -> None:
    kling_today.clock.advance(turned)
    access, secret = kling_today.key_pair
    code, output = examine(KLING_API_KEY="", KLING_ACCESS_KEY=access, KLING_SECRET_KEY=secret)
    assert code == 0
    finding = line(output, "clock")
    assert re.search(rf"^warn .* (59\d|60\d) s {words} Kling's\n +-> set this machine's clock", finding)
    assert line(output, "account").startswith("ok")


def test_an_empty_pack_is_a_warning_with_the_remedy(examine: Examine, kling_today: SandboxKling) -> None:
    kling_today.rules.units = 0
    code, output = examine()
    assert code == 0
    finding = line(output, "units")
    assert finding.startswith("warn")
    assert "none left in any pack" in finding
    assert "-> the account owner must buy units" in finding
    assert output.endswith("\n0 failures, 1 warning.\n")


def test_units_that_kling_does_not_tell_are_a_warning(examine: Examine, kling_today: SandboxKling) -> None:
    kling_today.faults.next_costs(faults.Refuse(1103))
    code, output = examine()
    assert code == 0
    assert "not told: This account has no permission" in line(output, "units")


def test_a_blocked_account_is_a_failure_and_maintenance_is_not(examine: Examine, kling_today: SandboxKling) -> None:
    kling_today.faults.next_list(faults.Refuse(1101))
    code, output = examine()
    assert code == 1
    assert "This account is in arrears (code 1101)" in line(output, "account")

    kling_today.faults.next_list(faults.Refuse(5001), times=None)
    code, output = examine(TurnedClock().clock())
    assert code == 0
    assert re.match(r"warn .* under maintenance \(code 5001", line(output, "account"))


def test_a_folder_that_cannot_be_written_is_a_failure(examine: Examine, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"in the way")
    code, output = examine(KOLORS_SAVE_DIR=str(tmp_path / "file" / "below"))
    assert code == 1
    finding = line(output, "save folder")
    assert finding.startswith("FAIL")
    assert "cannot be written" in finding
    assert "-> set KOLORS_SAVE_DIR to another" in finding


def test_the_ledger_is_opened_and_its_place_shown(examine: Examine, tmp_path: Path) -> None:
    _code, output = examine()
    assert line(output, "ledger").rstrip() == f"ok    ledger            {tmp_path}/ledger.db"
    assert (tmp_path / "ledger.db").is_file()


@pytest.mark.parametrize("url", ["sqlite:////dev/null/ledger.db", f"mysql://kolors:{WRONG}@db.example/kolors"])
def test_a_ledger_that_cannot_be_opened_is_a_failure(examine: Examine, url: str) -> None:
    code, output = examine(KOLORS_LEDGER=url)
    assert code == 1
    finding = line(output, "ledger")
    assert finding.startswith("FAIL")
    assert "no try-on can be created: " in finding
    assert "KOLORS_LEDGER" in finding


def test_folders_that_cannot_be_read_are_a_warning(examine: Examine, tmp_path: Path) -> None:
    code, output = examine(KOLORS_IMAGE_DIRS=str(tmp_path / "missing"))
    assert code == 0
    assert re.match(r"warn .* none can be read.*\n +-> set KOLORS_IMAGE_DIRS", line(output, "picture folders"))


def test_a_setting_that_cannot_be_used_is_the_only_finding(examine: Examine) -> None:
    code, output = examine(KOLORS_MODEL="kolors-virtual-try-on-v1.5")
    assert code == 1
    assert output.startswith('FAIL  settings          KOLORS_MODEL is "kolors-virtual-try-on-v1.5"; it takes')
    assert output.endswith("\n1 failure, 0 warnings.\n")


def test_the_sandbox_needs_no_account_as_a_real_process(tmp_path: Path) -> None:
    done = kolors("doctor", env=environment(tmp_path, KOLORS_SANDBOX="1", KLING_API_KEY=WRONG), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "none needed: KOLORS_SANDBOX is set" in line(done.stdout, "credentials")
    assert "http://127.0.0.1:" in line(done.stdout, "region")
    assert WRONG not in done.stdout


def test_the_exit_code_of_the_real_process_tells_a_failure(tmp_path: Path) -> None:
    done = kolors("doctor", env=environment(tmp_path, KLING_ACCESS_KEY=WRONG), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert "KLING_SECRET_KEY is not set" in done.stdout
    assert WRONG not in done.stdout
