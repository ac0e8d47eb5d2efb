"""What a kind of fuzzing consists of, and what is done with an input that gets past: made smaller, and told.

Each input has a budget of wall time and of memory, so that what only hangs or only swells is found as well.
"""

import faulthandler
import random
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

import anyio

INPUT_SECONDS = 30.0
"""Wall seconds that one input may take, with all that belongs to it; what is right takes ten where all else is busy."""
LAST_SECONDS = 120
"""After so many the program itself ends, with the stacks of all threads: something holds the interpreter."""
MOST_MB = 400
"""By how much the memory of this process may grow, whatever comes in."""
SMALLER_SECONDS = 30.0
"""How long an input is made smaller."""
SHOWN = 400
"""Characters of an input that are printed."""


@dataclass(frozen=True)
class Input:
    """What is fed in: bytes that can be made smaller, and how they are served."""

    data: bytes
    how: dict[str, Any] = field(default_factory=dict[str, Any])


Judge = Callable[[Input], Any]
"""Feeds an input and awaits one word for what became of it; raises whatever got past."""


@dataclass(frozen=True)
class Kind:
    """A door, what is fed to it, and who judges; the judge lives as long as its context."""

    name: str
    make: Callable[[random.Random], Input]
    judging: Callable[[], AbstractAsyncContextManager[Judge]]


@dataclass
class Finding:
    """An input that got past."""

    kind: str
    seed: int
    step: int
    what: str
    smallest: Input

    def __str__(self) -> str:
        """Say it with the smallest input, and how to feed it again."""
        shown = repr(self.smallest.data)
        cut = f"{shown[:SHOWN]}... ({len(self.smallest.data)} bytes)" if len(shown) > SHOWN else shown
        return (
            f"{self.kind}: {self.what}\n  smallest input: {cut}\n  served as: {self.smallest.how}\n"
            f'  again: make fuzz ARGS="--seed {self.seed} --only {self.kind} --step {self.step}"'
        )


@dataclass
class Tally:
    """What a run of one kind came to."""

    steps: int = 0
    words: Counter[str] = field(default_factory=Counter[str])
    findings: list[Finding] = field(default_factory=list[Finding])
    slowest: float = 0.0


class HungError(BaseException):
    """Not an `Exception`, so that nothing on the way can take it for a fault of the input."""


def chance_of(seed: int, step: int) -> random.Random:
    """Each step has its own seed, so that one can be repeated alone."""
    return random.Random(f"{seed}/{step}")  # noqa: S311  (chance, not secrets)


@contextmanager
def _watched() -> Generator[None]:
    """End what deafens the event loop: by a signal, and if not even that is heard, with the whole program."""

    def end(*_: object) -> None:
        raise HungError(f"nothing else was served for {2 * INPUT_SECONDS:g} seconds")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, 2 * INPUT_SECONDS)
    # Within the tests pytest watches by the same means, of which a process has one.
    alone = sys.stderr is sys.__stderr__
    if alone:
        faulthandler.dump_traceback_later(LAST_SECONDS, exit=True)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if alone:
            faulthandler.cancel_dump_traceback_later()


def peak_mb() -> float:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)


async def outcome(judge: Judge, given: Input) -> tuple[str | None, str]:
    """Feed one input; what is wrong, or none, and one word for what became of it."""
    before = peak_mb()
    try:
        with _watched(), anyio.fail_after(INPUT_SECONDS):
            word = await judge(given)
    except TimeoutError:
        return f"no answer within {INPUT_SECONDS:g} seconds", ""
    except HungError as error:
        return str(error), ""
    except Exception as error:  # noqa: BLE001  (finding these is what this program is for)
        inner: BaseException = error
        while isinstance(inner, BaseExceptionGroup):
            inner = cast("BaseExceptionGroup[BaseException]", inner).exceptions[0]
        return f"{type(inner).__name__}: {str(inner)[:SHOWN]}", ""
    grown = peak_mb() - before
    return (f"memory grew by {grown:.0f} MB" if grown > MOST_MB else None), word


async def run(kind: Kind, seed: int, *, steps: range | None = None, seconds: float | None = None) -> Tally:
    """Feed inputs for a number of steps or a time, whichever ends first; a finding is made smaller at once."""
    tally = Tally()
    until = None if seconds is None else time.monotonic() + seconds
    step = steps.start if steps else 0

    def more() -> bool:
        return (steps is None or step < steps.stop) and (until is None or time.monotonic() < until)

    while more():
        # What got past may have broken the door: then the next goes through a new one.
        async with kind.judging() as judge:
            wrong: str | None = None
            while wrong is None and more():
                given = kind.make(chance_of(seed, step))
                began = time.monotonic()
                wrong, word = await outcome(judge, given)
                tally.slowest = max(tally.slowest, time.monotonic() - began)
                tally.steps += 1
                if wrong is None:
                    tally.words[word] += 1
                else:
                    found = Finding(kind.name, seed, step, wrong, given)
                    tally.findings.append(found)
                step += 1
        if wrong is not None:
            tally.findings[-1].smallest = await smaller(kind, tally.findings[-1].smallest, wrong)
    return tally


async def smaller(kind: Kind, given: Input, wrong: str) -> Input:
    """Leave out of an input whatever is not needed for the same fault: halves first, then ever smaller pieces."""
    until = time.monotonic() + SMALLER_SECONDS
    piece = max(1, len(given.data) // 2)
    while piece and time.monotonic() < until:
        at, shorter = 0, False
        while at < len(given.data) and time.monotonic() < until:
            attempt = replace(given, data=given.data[:at] + given.data[at + piece :])
            async with kind.judging() as judge:
                still, _ = await outcome(judge, attempt)
            if still is not None and _sort(still) == _sort(wrong):
                given, shorter = attempt, True
            else:
                at += piece
        piece = piece if shorter and piece == 1 else piece // 2
    return given


def _sort(wrong: str) -> str:
    """What kind of fault it is; figures and quoted words differ from input to input."""
    return wrong.split(":", 1)[0][:40]
