"""Lets the workers of one run fork from a process that has loaded all tests, so that they are not loaded in each.

That process is itself a fork of the one that was started, which has loaded the product and the plugins. Why, and what
is left to the workers, stands in docs/decisions/0011-programs-of-tests-are-forked.md.
"""

import gc
import importlib
import os
import shlex
import sys
import traceback
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisSideeffectWarning

from tests.support.commands import stand_in
from tests.support.fork_server import ForkServer, become, run

ROOT = Path(__file__).parents[2]
WORKER = Path(__file__).with_name("worker.py")


@dataclass(frozen=True)
class LoadedTests:
    """The process that has loaded the tests, until it is ended."""

    number: int
    alive: int
    """A pipe whose end is also the process's."""
    command: Path

    def fork(self, specs: Iterable[Any]) -> None:
        """Let the workers that xdist is about to start be forks."""
        for spec in specs:
            if spec.popen and not spec.python:
                spec.python = shlex.join([str(self.command), str(WORKER)])

    def end(self) -> None:
        os.close(self.alive)
        os.waitpid(self.number, 0)


def begin(config: pytest.Config) -> LoadedTests | None:
    """Load the tests that are asked for, in a process from which workers can be forked.

    None where forks are not safe, and where the start of each interpreter is what measures coverage.
    """
    if sys.platform != "linux" or " " in sys.executable or any(name.startswith("COVERAGE_") for name in os.environ):
        return None
    files = sorted({file for argument in config.args for file in _tests_in(Path(argument.split("::")[0]))})
    listener, command = stand_in()
    theirs, alive = os.pipe()
    number = os.fork()
    if number:
        os.close(theirs)
        listener.close()
        return LoadedTests(number, alive, command)
    code = 1
    try:
        os.close(alive)
        os.dup2(theirs, 0)
        os.close(theirs)
        # As of the fork server: an interrupt from the keyboard ends the tests, and with them this process.
        os.setsid()
        load(files)
        # What little garbage there is may stay.
        gc.freeze()
        with warnings.catch_warnings():
            # That it is slow at this time: as slow as it would be in each worker.
            warnings.simplefilter("ignore", HypothesisSideeffectWarning)
            draw()
        gc.freeze()
        order = ForkServer(listener, command.parent).serve()
        become(order, sys.executable)
        run(order.arguments)
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001  (whatever it is, this process never goes on as the one that it is a fork of)
        traceback.print_exc()
    finally:
        _leave(code)


def load(files: Sequence[Path]) -> None:
    """Import the tests. A warning is an error here, as it is where pytest does it."""
    for file in files:
        name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                importlib.import_module(name)
        except (Exception, pytest.skip.Exception) as error:  # noqa: BLE001  (collecting comes upon it again and tells)
            print(f"{file.name} cannot be loaded: {error!r}", file=sys.stderr)  # noqa: T201


@settings(
    max_examples=50,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.text(), st.integers(), st.binary())
def draw(text: str, number: int, data: bytes) -> None:
    """Let Hypothesis find what it draws from: what characters there are, and every constant of the package.

    It keeps that, and each worker took some tenths of a second for it, in a new checkout two seconds.
    """
    del text, number, data


def _tests_in(place: Path) -> Iterable[Path]:
    place = place.resolve()
    return place.rglob("test_*.py") if place.is_dir() else [place] if place.is_relative_to(ROOT) else []


def _leave(code: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
