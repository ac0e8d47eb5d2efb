"""`make mutants`: what it changes, what it leaves alone, and how it tells what a test notices from what none does."""

import ast
import importlib.util
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import kolors_mcp

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "scripts" / "mutants.py"
PACKAGE = Path(kolors_mcp.__file__).parent
RULE = "rules/limit"
FEW = ("server/loopback/guard", "kling/auth", "ledger/failures", "cli/state_folder")
"""Small files of those that the script knows."""
SOURCE = '''"""Says who may pay; 3 > 2."""
from math import inf

MOST: "int" = 5
def may_pay(units: int, *, owed: bool = False) -> bool:
    """Whether 1 > 0 units will do."""
    label = "größer"; enough = units > 0 and not owed
    if units > inf:
        raise ValueError(f"{units + 1} is no number")
    elif enough:
        for unit in range(units):
            if unit == MOST:
                break
        return True
    return bool(label) and False
'''
SHORT = "MOST = 5\ndef may_pay(units: int) -> bool:\n    return units > 0\n"
TEST = f"from kolors_mcp.{RULE.replace('/', '.')} import may_pay\ndef test_it(): assert may_pay(1) and not may_pay(0)\n"
HANGING = """import socket, subprocess, sys, time
from kolors_mcp.rules.limit import may_pay
def test_it_hangs():
    if not may_pay(1):
        held = socket.create_connection(("127.0.0.1", {port}))
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], pass_fds=[held.fileno()])
        held.sendall(b"hangs")
        child.wait()
"""


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mutants", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["mutants"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


mutants: Any = _load()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one rule and one test, in the folders that the script copies."""
    # The plugins of this suite take longer to load than those tests to run.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    root = tmp_path / "project"
    for name, text in {
        f"kolors_mcp/{RULE}.py": SHORT,
        "kolors_mcp/__init__.py": "",
        "kolors_mcp/rules/__init__.py": "",
        "tests/deep/test_limit.py": TEST,
        "pyproject.toml": "",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def _files(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def _copy(project: Path, test: str = "test_limit.py") -> Any:
    return mutants.Copy(project.parent / "copy", root=project, tests={RULE: (test,)})


def _of(text: str) -> list[Any]:
    return list(mutants.mutants_of(RULE, text))


def _assert_other_code(before: str, made: list[Any]) -> None:
    for one in made:
        compile(one.text, one.file, "exec")
        # All of a file is rather much to read and write down for each change.
        [(start, end)] = [
            (node.lineno - 1, node.end_lineno or 0)
            for node in _parsed(before).body
            if node.lineno <= one.line <= (node.end_lineno or 0)
        ]
        old, new = before.splitlines(), one.text.splitlines()
        assert new[:start] == old[:start]
        assert new[len(new) - len(old) + end :] == old[end:]
        changed = "\n".join(new[start : len(new) - len(old) + end])
        assert _dumped(changed) != _dumped("\n".join(old[start:end])), one


_parsed = cache(ast.parse)


@cache
def _dumped(text: str) -> str:
    return ast.dump(ast.parse(text))


def test_every_change_is_code_and_other_code() -> None:
    _assert_other_code(SOURCE, _of(SOURCE))
    for file in FEW:
        text = (PACKAGE / f"{file}.py").read_text("utf-8")
        _assert_other_code(text, list(mutants.mutants_of(file, text)))


def test_every_kind_of_change_is_made_and_nothing_is_changed_that_decides_nothing() -> None:
    made = _of(SOURCE)
    assert {(one.what, one.line) for one in made} == {
        ("one more", 4),
        ("nothing", 4),
        ("the other truth", 5),
        ("another comparison", 7),
        ("one more", 7),
        ("and for or, or or for and", 7),
        ("a condition left out", 7),
        ("without not", 7),
        ("another comparison", 8),
        ("always true", 8),
        ("always false", 8),
        ("a statement left out", 9),
        ("always true", 10),
        ("always false", 10),
        ("another comparison", 12),
        ("always true", 12),
        ("always false", 12),
        ("a statement left out", 13),
        ("the other truth", 14),
        ("and for or, or or for and", 15),
        ("a condition left out", 15),
        ("the other truth", 15),
    }
    assert all("größer" in one.text for one in made), "the tree counts bytes, a text letters"
    assert _of('"""1 > 0"""\nimport os as two\nSAID = f"{1 + 2}"\ndef f(a: "1 > 0") -> "3": ...\n') == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = a < b\n", {"x = (a <= b)\n"}),
        ("x = a is not b\n", {"x = (a is b)\n"}),
        ("x = not a\n", {"x = (a)\n"}),
        ("x = 0\n", {"x = (1)\n"}),
        ("x = a and b\n", {"x = (a or b)\n", "x = (a)\n", "x = (b)\n"}),
        ("if a:\n    f()\n", {"if True:\n    f()\n", "if False:\n    f()\n", "if a:\n    pass\n"}),
    ],
)
def test_what_stands_for_what(before: str, after: set[str]) -> None:
    assert {one.text.rstrip() + "\n" for one in _of(before)} == after


def test_the_difference_shows_the_lines_that_change() -> None:
    shown = {one.what: one.difference for one in _of("y = 1\nx = not a\n")}
    assert shown["without not"] == "    -x = not a\n    +x = (a)"


def test_a_seed_draws_the_same_sample_again_and_all_files_have_their_turn() -> None:
    few = {file: mutants.TESTS[file] for file in FEW}
    first = mutants.sampled(7, 4, "", root=PACKAGE.parent, tests=few)
    assert mutants.sampled(7, 4, "", root=PACKAGE.parent, tests=few) == first
    assert mutants.sampled(8, 4, "", root=PACKAGE.parent, tests=few) != first
    assert {one.file for one in first} == set(few)
    assert {one.file for one in mutants.sampled(7, 5, "cli/state_folder", root=PACKAGE.parent)} == {"cli/state_folder"}


def test_every_file_and_every_test_that_is_named_is_there(project: Path) -> None:
    assert [file for file in mutants.TESTS if not (PACKAGE / f"{file}.py").is_file()] == []
    assert set(mutants.found_in(ROOT, mutants.TESTS)) == set(mutants.TESTS)
    with pytest.raises(FileNotFoundError, match=r"no test file test_gone\.py"):
        _copy(project, "test_gone.py")


def test_what_a_test_notices_is_told_from_what_none_does_and_the_project_stays_as_it_is(project: Path) -> None:
    said: list[str] = []
    before = _files(project)
    # Of its four changes the seed draws one that the test is about, and one of the most, which nobody asks for.
    given = ["--seed", "7", "--number", "2"]
    assert mutants.main(given, said.append, root=project, tests={RULE: ("test_limit.py",)}) == 1
    assert said == [
        "Seed 7: 2 changes in 1 files.",
        f"SURVIVED kolors_mcp/{RULE}.py:1 (one more)\n    -MOST = 5\n    +MOST = (6)",
        '1 noticed, 1 survived. Again: make mutants ARGS="--seed 7 --number 2"',
    ]
    assert _files(project) == before


def test_tests_that_fail_without_any_change_say_nothing(project: Path) -> None:
    (project / "tests/deep/test_limit.py").write_text("def test_it(): assert False\n", encoding="utf-8")
    said: list[str] = []
    assert mutants.main(["--number", "1"], said.append, root=project, tests={RULE: ("test_limit.py",)}) == 2
    assert "fail without any change" in said[-1]


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


@pytest.mark.skipif(sys.platform == "win32", reason="what a test has started is ended by its group of processes")
def test_a_change_that_keeps_the_tests_from_being_read_is_noticed_and_one_that_hangs_is_ended_with_all_it_started(
    project: Path, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = HANGING.replace("{port}", str(listener.getsockname()[1]))
    (project / "tests/deep/test_limit.py").write_text(hanging, encoding="utf-8")
    (project / "tests/conftest.py").write_text(f"import kolors_mcp.{RULE.replace('/', '.')}\n", encoding="utf-8")
    made = _copy(project)
    assert made.noticed(RULE, "raise ValueError\n")
    assert not made.noticed(RULE, SHORT), "the copy is as it was"
    held: list[socket.socket] = []

    def hangs(process: subprocess.Popen[bytes], seconds: float) -> bool:
        assert seconds >= 60
        held.append(listener.accept()[0])
        assert held[0].recv(5) == b"hangs"
        return process.poll() is not None

    monkeypatch.setattr(mutants, "_ended_within", hangs)
    assert made.noticed(RULE, SHORT.replace("units > 0", "units > 1"))
    # Both ends of the line that they held are closed: the test's process, and the one that it had started.
    with held[0]:
        assert held[0].recv(1) == b""
