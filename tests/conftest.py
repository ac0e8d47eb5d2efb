"""What many tests need: one event loop, a simulated Kling on loopback, and who speaks with it."""

import gc

# While all this and the tests are loaded there is no garbage, and looking for it takes a tenth of the time.
gc.disable()

import importlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from kolors_mcp.sandbox.clock import SandboxClock
from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.sandbox.running import running
from tests.support import forked_workers
from tests.support.commands import end_fork_server, share_fork_server
from tests.support.made_once import made_once
from tests.support.making import Era, TurnedClock
from tests.support.memory_folder import keep_tests_in_memory
from tests.support.same_loop import asked_in_the_same_loop
from tests.support.still_time import StillLoop
from tests.support.wishing import World

pytest_plugins = ["tests.support.asking", "tests.support.fewer_reports", "tests.support.postgres"]
# How long an example takes is the machine's affair, and how long it takes to think of one.
without_a_clock = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("without a clock", settings.default, **without_a_clock)
settings.register_profile("long", settings.default, **without_a_clock, max_examples=10_000)
settings.load_profile("without a clock")


WAITING = {
    "processes",
    "cli",
    "http",
    "test_examples.py",
    "test_soak.py",
    "test_fork_server.py",
    "test_forked_decoders.py",
    "test_ledger_stopped.py",
}
"""Folders and files of tests that mostly wait for processes."""
WAITING_WORKERS = 3
"""As many begin with these: fewer finish them late, more leave too few that keep the cores busy meanwhile."""
LOADED_TESTS = pytest.StashKey[forked_workers.LoadedTests | None]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin what all workers share before they are started, and let programs be interrupted wherever these tests run.

    Shells let what they start in the background ignore interrupts, and so would all that is started from there.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    keep_tests_in_memory()
    if not hasattr(config, "workerinput") and config.getoption("dist", "no") != "no":
        # Before there is anything else to inherit.
        config.stash[LOADED_TESTS] = forked_workers.begin(config)
        share_fork_server()
        # Pytest looks for garbage when it ends, also here, where no test has run.
        gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config, specs: list[Any]) -> None:
    if (loaded := config.stash[LOADED_TESTS]) is not None:
        loaded.fork(specs)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave no program behind."""
    if (loaded := config.stash.get(LOADED_TESTS, None)) is not None:
        loaded.end()
    end_fork_server()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """More workers than there are cores: many tests wait for processes. Each loads all tests first."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return min(cores + WAITING_WORKERS, 8)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the tests that wait for processes on some of the workers, and with the others on the rest.

    Each worker gets one part of the list first, and takes over from others when it has none left.
    """
    workers: int = getattr(config, "workerinput", {}).get("workercount", 1)
    if workers == 1:
        return
    waiting = [item for item in items if WAITING & {item.path.name, item.path.parent.name}]
    others = [item for item in items if not WAITING & {item.path.name, item.path.parent.name}]
    size = -(-len(items) // workers)
    computing = max(1, workers - WAITING_WORKERS)
    items.clear()
    for number in range(workers):
        first = waiting[number - computing :: workers - computing] if number >= computing else []
        rest = size - len(first)
        items += [*first, *others[:rest]]
        del others[:rest]


def pytest_sessionstart(session: pytest.Session) -> None:
    """Let each of several workers compile its share of the tests before it loads the others, which some other has."""
    worker: dict[str, Any] | None = getattr(session.config, "workerinput", None)
    if worker is None or sys.dont_write_bytecode:
        return
    folder = Path(__file__).parent
    files = sorted(folder.rglob("test_*.py"))
    for file in files[int(worker["workerid"].removeprefix("gw")) :: worker["workercount"]]:
        try:
            importlib.import_module(".".join(file.relative_to(folder.parent).with_suffix("").parts))
        except Exception as error:  # noqa: BLE001  (any: collecting comes upon it again and tells of it)
            print(f"{file.name} cannot be loaded: {error!r}", file=sys.stderr)  # noqa: T201


def pytest_collection_finish() -> None:
    """Keep the collector from looking through all tests, which stay, again and again."""
    # Without collecting first, in each of several workers: what little garbage there is may stay too.
    gc.freeze()
    # Looked for seldom: what a test leaves in circles is little, and what it still uses is looked through each time.
    gc.set_threshold(10_000)
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def what_is_alike() -> Iterator[None]:
    """Let what is always alike be made once, see `made_once`."""
    with made_once():
        yield


@pytest.fixture
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """The loop that async tests run in: its time stands still, see `still_time`."""
    # The SDK's client of a process looks every few milliseconds whether it has ended.
    return "asyncio", {} if request.node.get_closest_marker("process") else {"loop_factory": StillLoop}


@pytest.fixture
def kling() -> Iterator[SandboxKling]:
    """A simulated Kling that listens on a free port; its `origin` says where. Its clock goes when it is turned."""
    # Not from now on: shortly before midnight, what is counted by the day would come to two days.
    began = TurnedClock().now
    sandbox = SandboxKling(clock=SandboxClock(wall=lambda: began))
    with running(sandbox):
        yield sandbox


@pytest.fixture
def kling_today() -> Iterator[SandboxKling]:
    """A simulated Kling in real time, for what looks at the machine's clock."""
    sandbox = SandboxKling()
    with running(sandbox):
        yield sandbox


@pytest.fixture
def fast_kling(kling_today: SandboxKling) -> SandboxKling:
    """A simulated Kling for real processes: in real time, and finished before anybody asks what became of a try-on."""
    kling_today.rules.speed = 1_000_000
    return kling_today


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """One person's assistants, pictures and ledger, and a simulated Kling that listens."""
    made = World(tmp_path)
    with running(made.kling), asked_in_the_same_loop(made.kling):
        yield made


@pytest.fixture(params=["auto", "legacy"])
def era(request: pytest.FixtureRequest) -> Era:
    return request.param
