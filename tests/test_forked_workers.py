"""Workers fork from a process that has loaded all tests; what it cannot load, and who goes without it."""

import sys
import warnings
from pathlib import Path

import pytest
from execnet import XSpec

from tests.support import forked_workers
from tests.support.forked_workers import WORKER, LoadedTests, load


def test_what_cannot_be_loaded_is_told_and_left_for_the_workers_to_come_upon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(forked_workers, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    programs = {
        "test_loaded_well": "",
        "test_loaded_badly": "raise RuntimeError('by a mistake')",
        "test_loaded_with_a_warning": "import warnings; warnings.warn('old', DeprecationWarning)",
        "test_loaded_not_here": "import pytest; pytest.skip('not here', allow_module_level=True)",
    }
    for name, program in programs.items():
        (tmp_path / f"{name}.py").write_text(program, encoding="utf-8")
        monkeypatch.delitem(sys.modules, name, raising=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        load([tmp_path / f"{name}.py" for name in programs])
    assert [name for name in programs if name in sys.modules] == ["test_loaded_well"]
    told = capsys.readouterr().err.splitlines()
    assert [line.split(" ", 1)[0] for line in told] == [f"{name}.py" for name in programs if "well" not in name]
    assert "by a mistake" in told[0]


def test_only_workers_without_an_interpreter_of_their_own_are_forked() -> None:
    usual, chosen, elsewhere = XSpec("popen"), XSpec("popen//python=python3.99"), XSpec("ssh=shop.example")
    LoadedTests(0, 0, Path("/tmp/a command")).fork([usual, chosen, elsewhere])
    assert (usual.python, chosen.python, elsewhere.python) == (f"'/tmp/a command' {WORKER}", "python3.99", None)


def test_where_coverage_is_measured_workers_are_interpreters_of_their_own(
    pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COVERAGE_PROCESS_CONFIG", "a file")
    assert forked_workers.begin(pytestconfig) is None
