"""The demo finds out that it cannot save before it makes anything; where it saves is nobody else's folder."""

import os
import stat
import sys
from pathlib import Path

import pytest

from kolors_mcp import cli
from kolors_mcp.cli import demo
from kolors_mcp.cli.folders import MAX_RESULT_BYTES, why_not_writable
from kolors_mcp.sandbox.kling import SandboxKling
from tests.support.commands import account_of, environment


def test_a_folder_that_can_be_made_is_found_good_and_not_left_behind(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for folder in (tmp_path / "there", tmp_path / "not" / "yet" / "there"):
        assert why_not_writable(folder, MAX_RESULT_BYTES) is None
    assert [path.name for path in tmp_path.rglob("*")] == ["there"]


@pytest.mark.parametrize("below", ["", "further", "further/down"])
def test_a_file_in_its_place_is_told(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert why_not_writable(tmp_path / "file" / below) == "a file is in its place"


def test_names_that_no_folder_can_have_and_links_to_nowhere_are_told(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for folder in (tmp_path / ("x" * 300), tmp_path / "a\0b", tmp_path / "link", Path("/dev/null/x")):
        assert why_not_writable(folder)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_a_place_without_room_for_a_picture_is_told(tmp_path: Path) -> None:
    import resource  # noqa: PLC0415  (not there on Windows)

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_RESULT_BYTES - 1, before[1]))
    try:
        assert why_not_writable(tmp_path / "new", MAX_RESULT_BYTES) == "File too large"
        assert why_not_writable(tmp_path / "new", MAX_RESULT_BYTES // 2) is None
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("real", [False, True])
def test_nothing_is_made_where_nothing_can_be_saved(
    real: bool,
    kling: SandboxKling,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in environment(tmp_path, **account_of(kling)).items():
        monkeypatch.setenv(name, value)
    (tmp_path / "file").write_bytes(b"")
    assert cli.main(["demo", *(["--real"] if real else []), "--save-dir", str(tmp_path / "file")]) == 1
    shown = capsys.readouterr()
    # Not even the price was told, and no server was started.
    assert shown.out == ""
    assert shown.err == (
        f'No picture can be saved in "{tmp_path / "file"}" (a file is in its place). Nothing was made. '
        "Name another folder with --save-dir.\n"
    )
    assert (kling.tasks_created, len(kling.requests)) == (0, 0)


@pytest.mark.skipif(os.name != "posix", reason="Windows says in another way who may write")
def test_where_anybody_may_write_the_folder_is_a_fresh_one_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with demo.saving(None) as usual:
        assert usual == tmp_path / "kolors-pictures"
    tmp_path.chmod(0o1777)
    with demo.saving(None) as first, demo.saving(None) as second:
        assert first != second
        assert tmp_path not in first.parents or first.name != "kolors-pictures"
        assert stat.S_IMODE(first.stat().st_mode) == 0o700
        (second / "picture.jpg").write_bytes(b"")
    assert not first.exists(), "an empty one is not left behind"
    assert second.exists()
    (second / "picture.jpg").unlink()
    second.rmdir()
    with demo.saving(Path("chosen")) as chosen:
        assert chosen == tmp_path / "chosen"


def test_options_that_demo_does_not_know_show_its_own_usage(capsys: pytest.CaptureFixture[str]) -> None:
    for command, option in (("demo", "--humans-photo"), ("sandbox", "--host"), ("doctor", "--fix")):
        with pytest.raises(SystemExit) as ended:
            cli.main([command, option])
        assert ended.value.code == 2
        complaint = capsys.readouterr().err
        assert complaint.startswith(f"usage: kolors-mcp {command} [-h]")
        assert complaint.endswith(f"kolors-mcp {command}: error: unrecognized arguments: {option}\n")
