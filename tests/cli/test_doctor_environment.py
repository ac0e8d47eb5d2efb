"""Whatever the environment says, the doctor ends with a line about it, never with a traceback."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kolors_mcp.cli import doctor
from kolors_mcp.cli import main as kolors_mcp
from kolors_mcp.folders import default_folders
from kolors_mcp.settings import Settings

SECRET = "s3cret-of-the-proxy"


@pytest.fixture
def examined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Runs the doctor against nobody, in an environment that is sound but for these variables."""

    def examine(**variables: str | None) -> tuple[int, str]:
        names = ("KLING_ACCESS_KEY", "KLING_SECRET_KEY", "KOLORS_SANDBOX", "KOLORS_SAVE_DIR", "KOLORS_MODEL")
        sound: dict[str, str | None] = dict.fromkeys(names) | {
            "KLING_API_KEY": "key",
            "KLING_API_BASE": "http://127.0.0.1:1",
            "KOLORS_LEDGER": f"sqlite:///{tmp_path}/ledger.db",
        }
        for name, value in (sound | variables).items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        code = kolors_mcp(["doctor"])
        shown = capsys.readouterr()
        assert shown.err == ""
        assert "Traceback" not in shown.out
        assert SECRET not in shown.out
        return code, shown.out

    return examine


@pytest.mark.parametrize(
    "variables",
    [
        {"ALL_PROXY": f"socks5://user:{SECRET}@127.0.0.1:1"},
        {"ALL_PROXY": f"socks://user:{SECRET}@127.0.0.1:1"},
        {"ALL_PROXY": f"http://user:{SECRET}@127.0.0.1:port"},
        {"HTTP_PROXY": "nonsense://"},
        {"SSL_CERT_FILE": str(Path(__file__).parent), "KLING_API_BASE": "https://127.0.0.1:1"},
        {"KLING_API_BASE": "https://xn--\u00e9.test"},
        {"NO_PROXY": "[", "ALL_PROXY": "http://127.0.0.1:1"},
    ],
)
def test_a_network_that_cannot_be_used_is_a_failure_with_a_line(
    examined: Callable[..., tuple[int, str]], variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("all_proxy", "http_proxy", "https_proxy", "no_proxy", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    # Nobody listens at these addresses, and waiting for them is another test's affair.
    monkeypatch.setattr(doctor, "MAX_REQUEST_SECONDS", 0)
    code, output = examined(**variables)
    assert code == 1
    assert "FAIL" in output
    # The checks behind it are made all the same.
    assert "\nok    ledger " in output or output.startswith("FAIL  settings ")


def test_no_home_is_named_where_it_is_missed(examined: Callable[..., tuple[int, str]]) -> None:
    home = {"win32": "USERPROFILE"}.get(sys.platform, "HOME")
    code, output = examined(
        KLING_API_KEY=None, KOLORS_LEDGER=None, XDG_STATE_HOME=None, LOCALAPPDATA=None, **{home: None}
    )
    assert code == 1
    assert f"FAIL  ledger            no try-on can be created: The ledger has no place: {home} is not set." in output


def test_a_check_that_breaks_names_its_kind_and_the_others_go_on(
    examined: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(settings: Settings) -> doctor.Finding:
        raise RuntimeError(f"{settings.model} {SECRET}")

    monkeypatch.setattr(doctor, "_save_folder", broken)
    code, output = examined(KLING_API_KEY=None)
    assert code == 1
    assert "FAIL  folders           could not be checked (RuntimeError)" in output
    assert "\nok    ledger " in output


def test_a_user_without_a_home_still_has_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def homeless(_path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", homeless)
    monkeypatch.chdir(tmp_path)
    assert default_folders({})[0] == tmp_path
