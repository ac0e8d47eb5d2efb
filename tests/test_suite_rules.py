"""No test depends on how fast the machine is: what sleeps, measures or hurries is found in the source."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.clockless import faults_of
from tests.support.commands import HANG_SECONDS

TESTS = Path(__file__).parent
NO_TEST = {
    "fuzz/found.py": "the fuzzers give each input a budget of real time; that is what they are for",
    "soak": "real servers against a real clock, for minutes",
    "hosts": "programs of others, which take what they take",
}


def test_no_test_sleeps_measures_time_or_has_a_short_real_limit() -> None:
    skipped = [TESTS / name for name in NO_TEST]
    sources = [path for path in TESTS.rglob("*.py") if not any(path.is_relative_to(other) for other in skipped)]
    assert len(sources) > 120
    faults = [f"{path.relative_to(TESTS)}, {fault}" for path in sources for fault in faults_of(path.read_text("utf-8"))]
    assert not faults, "\n".join(faults)


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
    assert options["timeout"] >= 120
    assert options["timeout"] > HANG_SECONDS, "a process that hangs is named before the test is"
    assert settings.default is not None
    assert settings.default.deadline is None, "an example may take as long as it takes"
