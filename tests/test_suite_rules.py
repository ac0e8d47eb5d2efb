"""No test depends on how fast the machine is, or on another test file, and no file is long: seen in the source."""

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.support.clockless import faults_of
from tests.support.commands import HANG_SECONDS
from tests.support.package import MODULES, tree_with

TESTS = Path(__file__).parent
SOURCES = {
    path.relative_to(TESTS): path.read_text("utf-8") for path in TESTS.rglob("*.py") if "node_modules" not in path.parts
}
NO_TEST = {
    "fuzz/found.py": "the fuzzers give each input a budget of real time; that is what they are for",
    "soak": "real servers against a real clock, for minutes",
    "service_soak": "the same, over HTTP",
    "deploy": "a real nginx, which takes what it takes",
    "hosts": "programs of others, which take what they take",
}
TEST_FILE = re.compile(r"(?<!def )\btest_")
MAX_LINES, MAX_PRODUCT_LINES = 300, 250


def imported_test_files(text: str) -> Iterator[str]:
    """Which test files a source imports, from the whole file: also inside functions."""
    for node in ast.walk(tree_with(text, TEST_FILE)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(one.name for one in node.names)]
        yield from (name for name in names if name.rpartition(".")[2].startswith("test_"))


def test_no_test_sleeps_measures_time_or_has_a_short_real_limit() -> None:
    tests = {path: text for path, text in SOURCES.items() if not any(path.is_relative_to(other) for other in NO_TEST)}
    assert len(tests) > 120
    faults = [f"{path}, {fault}" for path, text in tests.items() for fault in faults_of(text)]
    assert not faults, "\n".join(faults)


def longer(sources: Mapping[Any, str], lines: int) -> dict[str, int]:
    """Which sources have more lines, and how many."""
    lengths = {str(path): text.count("\n") for path, text in sources.items()}
    return {path: length for path, length in lengths.items() if length > lines}


def test_no_file_is_longer_than_a_reader_takes_in_at_once() -> None:
    assert longer({"a.py": "\n" * 251, "b.py": "\n" * 250}, MAX_PRODUCT_LINES) == {"a.py": 251}
    assert longer(SOURCES, MAX_LINES) == {}
    assert longer({module: text for module, (text, _) in MODULES.items()}, MAX_PRODUCT_LINES) == {}


def test_no_test_file_needs_another_one() -> None:
    assert [f"{path} imports {name}" for path, text in SOURCES.items() for name in imported_test_files(text)] == []


@pytest.mark.parametrize(
    "line",
    [
        "from tests.images.test_images_fetch import BODY",
        "from tests.images import test_images_fetch",
        "from . import test_images_fetch as fetch",
        "from .test_images_fetch import BODY",
        "import tests.images.test_images_fetch",
    ],
)
def test_the_import_of_a_test_file_is_seen_and_that_of_a_helper_is_not(line: str) -> None:
    [name] = imported_test_files(line)
    assert name.endswith("test_images_fetch")
    assert list(imported_test_files(line.replace("test_images_fetch", "support"))) == []


@pytest.mark.parametrize(
    "line",
    [
        "time.sleep(0.1)",
        "await anyio.sleep(SHORT)",
        "await asyncio.sleep(1)",
        "assert time.monotonic() - began < 5",
        "took = time.perf_counter() - began; assert took < 5",
        "spent = time.time(); more = spent - 1; ok = more < 2",
        "with anyio.fail_after(5): pass",
        "with anyio.move_on_after(SHORT): pass",
        "await asyncio.wait_for(task, 3)",
        "async with asyncio.timeout(2): pass",
        "process.wait(10)",
        "process.communicate(timeout=20)",
        "subprocess.run(['x'], timeout=5)",
        "thread.join(1)",
        "calls.get(timeout=5)",
        "kling.wait_for_request(first, timeout=10)",
        "@pytest.mark.timeout(30)\ndef test_x(): pass",
        "monkeypatch.setattr('kolors_mcp.kling.try_on.MAX_CREATE_SECONDS', 0.3)",
        "monkeypatch.setattr(bodies, '_SECONDS', 0.01)",
        "await anyio.wait_all_tasks_blocked()",
        "@settings(deadline=500)\ndef test_x(): pass",
    ],
)
def test_what_depends_on_the_machine_is_seen(line: str) -> None:
    assert faults_of(f"SHORT = 0.2\n{line}\n"), line


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("import time\n\n\n@marked(\n    1,\n)\n@again\ndef f():\n    time.sleep(1)\n", 9),
        ("try:\n    f()\nexcept OSError:\n    pass\nelse:\n    time.sleep(1)\n", 6),
        ('TEXT = """\nx = 1\n"""\n# Why.\nasync def f():\n    await anyio.sleep(1)\n', 6),
        ('f(\n    """\ndef g():\n""",\n    time.sleep(1),\n)\n', 5),
    ],
)
def test_it_is_seen_wherever_it_stands(source: str, line: int) -> None:
    assert faults_of(source) == [f"line {line}: sleeps in real time; wait for an event, or use still_time.until"]


@pytest.mark.parametrize(
    "line",
    [
        "await asyncio.sleep(0)",
        "await clock.sleep(30)",
        "clock.advance(0.5)",
        "turn(3)",
        "began = time.thread_time(); assert time.thread_time() - began < 9",
        "now = time.time(); clock = SandboxClock(wall=lambda: now)",
        "process.wait(HANG_SECONDS)",
        "calls.get(timeout=100)",
        "clock.wait_for_sleepers(1, timeout=0)",
        "with anyio.move_on_after(LONG): pass",
        "settings.get('a', 'b')",
        "monkeypatch.setattr('kolors_mcp.kling.try_on.MAX_CREATE_SECONDS', 0)",
        "monkeypatch.setattr(png, 'MOST_CHUNKS', 0.5)",
        "@settings(deadline=None)\ndef test_x(): pass",
    ],
)
def test_what_runs_alike_on_any_machine_is_left_alone(line: str) -> None:
    assert faults_of(f"LONG = 400.0\n{line}\n") == []


def test_one_generous_limit_finds_what_hangs() -> None:
    options = tomllib.loads((TESTS.parent / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"]["ini_options"]
    assert options["faulthandler_exit_on_timeout"]
    assert options["faulthandler_timeout"] >= 120
    assert options["faulthandler_timeout"] > HANG_SECONDS, "a process that hangs is named before the test is"
    assert settings.default is not None
    assert settings.default.deadline is None, "an example may take as long as it takes"
