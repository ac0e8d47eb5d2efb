"""Whether a function's time grows in proportion to its input: hostile input of any size, and a judge who compares.

What is compared is CPU time at one size and at 64 times it, never seconds: a slow machine is slow at both. The sizes
lie so far apart because copying is quick: where each step copies the rest, a few kilobytes more are hardly felt.
"""

import asyncio
import gc
import inspect
import io
import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from math import ceil
from typing import Any

from kolors_mcp.bounds import Growth
from kolors_mcp.errors import KolorsError
from kolors_mcp.images.formats.content import MemoryContent
from kolors_mcp.images.formats.structure import BrokenError
from kolors_mcp.images.refusal import RefusalError

FACTOR = 64
DUBIOUS = 1.5 * FACTOR
"""From this ratio on it is measured again, larger and more often: what is dear only by chance is not dear twice."""
GUILTY = 3 * FACTOR
BEYOND_DOUBT = FACTOR * FACTOR / 2
"""Time that grows as the square comes to `FACTOR` times `FACTOR`; where it is copying, it hides behind the rest."""
_FLOOR_SECONDS = 0.00005
"""Noise of the clock; at the sizes used a real fault costs a hundred times it."""
_QUICK_SECONDS = 0.003
"""What takes no longer for a megabyte is not judged: caches and pages decide more there than the program."""
_LEAST_SECONDS = _FLOOR_SECONDS / 8
"""What the smaller input counts at least; below it, the clock itself is measured."""
_SMALL_TRIES = 12
"""How many times the smaller input is measured: it costs nothing beside the larger, and what disturbs the machine for
as long as it takes would make the larger one seem cheap."""
_FARTHER, _FARTHER_GUILTY, _FARTHER_INNOCENT = 4, 8, 6
"""At so many times the larger input, time that is in proportion comes to as much, and the square's to 16 times. Where
it is less than 6 times, no square can have made it dubious before: that one would come to 8 times and more."""
_STEP_MOST, _STEP_SPARE = 4, 1.25
"""Near its end the size grows at most so many times at once, and by so much more than seems to be needed."""
AGAIN = ((1, 2), (4, 3), (2, 2), (1, 5))
"""How much larger, and how many times, it is measured again; what is beyond doubt at no larger sizes. The last time
many are measured: where other programs take the processor's caches, the best of two may still be dear."""
LIMIT_SECONDS = 30.0
"""CPU seconds after which something hangs. Nothing that is in order comes near."""

Form = Callable[[int], Any]
"""From a size to an input of about that size; 0 gives the least there is."""


class HangError(BaseException):
    """Not an `Exception`, so that no reader can take it for a damaged picture."""


@contextmanager
def ended_after(seconds: float) -> Generator[None]:
    """End what runs inside after some CPU seconds, where the system can; elsewhere the limit of the suite does."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_: object) -> None:
        raise HangError

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def forms_of(growth: Growth) -> dict[str, Callable[[int], bytes]]:
    """Every way in which a mark's fragments are repeated: each alone, in turns, and one kind after the other.

    A fuzzer may use them too: whatever size it asks for, the input is hostile in the way that the reader named.
    """
    opening, closing = growth.opening, growth.closing
    fragments = [fragment for fragment in growth.fragments if fragment]

    def repeated(fragment: bytes) -> Callable[[int], bytes]:
        return lambda size: opening + fragment * (size // len(fragment)) + closing

    def in_blocks(size: int) -> bytes:
        share = size // len(fragments)
        return opening + b"".join(fragment * (share // len(fragment)) for fragment in fragments) + closing

    forms = {repr(fragment[:40]): repeated(fragment) for fragment in fragments}
    if len(fragments) > 1:
        forms["all in turns"] = repeated(b"".join(fragments))
        forms["one kind after the other"] = in_blocks
    return forms


def argument_of(function: Callable[..., Any], growth: Growth) -> dict[str, Form]:
    """The forms of a mark as what the function's first parameter takes."""
    annotation = _first_annotation(function)
    if "[bytes]" in annotation:
        return {
            repr(fragment[:40]): lambda size, fragment=fragment: [fragment] * (size // (len(fragment) + 1))
            for fragment in growth.fragments
        }
    adapt = next((adapt for name, adapt in _ADAPTERS.items() if name in annotation), None)
    if adapt is None:
        return {}
    return {
        label: lambda size, form=form, adapt=adapt: adapt(form(size))
        for label, form in forms_of(growth).items()
        if adapt is not json.loads or _is_json(form(64))
    }


def _first_annotation(function: Callable[..., Any]) -> str:
    parameters = [name for name in inspect.signature(function).parameters if name not in ("self", "cls")]
    found = inspect.signature(function).parameters[parameters[0]].annotation if parameters else ""
    return found if isinstance(found, str) else getattr(found, "__name__", "") if inspect.isclass(found) else str(found)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


# The first name that the annotation contains decides.
_ADAPTERS: dict[str, Callable[[bytes], Any]] = {
    "Content": MemoryContent,
    "bytes": bytes,
    "bytearray": bytearray,
    "memoryview": memoryview,
    "IO": io.BytesIO,
    "str": _text,
    # What JSON became: the fragments are its text, the opening and closing make it whole.
    "Any": json.loads,
    "object": json.loads,
    "list": json.loads,
    "dict": json.loads,
    "Mapping": json.loads,
}


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except ValueError:
        return False
    return True


_OTHERS = {"str": "k-0", "bytes": b"", "int": 1, "bool": False}
"""What a function gets besides its first argument, where it asks for more."""


def caller_of(function: Callable[..., Any], *, like: Callable[..., Any] | None = None) -> Callable[[Any], None] | None:
    """A call that lets pass what the function may raise: a refusal of the house, or what its docstring names.

    None if it asks for more than can be made up. With `like`, the docstring is that one's.
    """
    words = inspect.getdoc(like or function) or ""
    parameters = list(inspect.signature(function).parameters.values())[1:]
    asked = [one for one in parameters if one.default is one.empty and one.kind.name.endswith(("ONLY", "KEYWORD"))]
    named = {one.name: getattr(one.annotation, "__name__", str(one.annotation)) for one in asked}
    if not set(named.values()) <= set(_OTHERS):
        return None
    given = [_OTHERS[named[one.name]] for one in asked if one.kind is not one.KEYWORD_ONLY]
    by_name = {one.name: _OTHERS[named[one.name]] for one in asked if one.kind is one.KEYWORD_ONLY}

    def call(argument: Any) -> None:
        try:
            found = function(argument, *given, **by_name)
            if inspect.iscoroutine(found):
                asyncio.run(found)
            elif inspect.isgenerator(found):
                for _ in found:
                    pass
        except (RefusalError, BrokenError, KolorsError):
            pass
        except Exception as error:
            if not any(kind.__name__ in words for kind in type(error).__mro__ if kind is not Exception):
                raise

    return call


def fault_of(
    call: Callable[[Any], object],
    form: Form,
    *,
    size: int = 512,
    enough_seconds: float = 0.002,
    largest: int = (1 << 20) // FACTOR,
    limit_seconds: float = LIMIT_SECONDS,
    again: Sequence[tuple[int, int]] = AGAIN,
    clock: Callable[[], float] = time.thread_time,
) -> str | None:
    """Say in what way the time of `call` grows out of proportion; none if it does not.

    Args:
        call: What is judged.
        form: Makes its input.
        size: The size that is begun with.
        enough_seconds: The size grows until `FACTOR` times it takes so long, or
        largest: until it is this; what is quick even then is not judged any further.
        limit_seconds: CPU seconds after which it hangs.
        again: How what seems out of proportion is measured again before it is.
        clock: CPU seconds of this thread; those of the process jump by milliseconds while the timer above runs.
    """

    def best(size: int, tries: int, enough: float = 0) -> float:
        return _best(call, form(size), tries, clock, enough)

    try:
        with ended_after(limit_seconds):
            least = best(0, _SMALL_TRIES)
            while True:
                large = best(FACTOR * size, 1) - least
                # What a call costs by itself must not hide what it costs for each byte.
                wanted = max(enough_seconds, FACTOR * least)
                if large >= wanted or size >= largest or not enough_seconds:
                    break
                needed = ceil(_STEP_SPARE * wanted / max(large, _FLOOR_SECONDS))
                size = min(largest, size * (8 if large < enough_seconds / 10 else max(2, min(_STEP_MOST, needed))))
            # Some are innocent however little the smaller input takes.
            if (size >= largest and large < _QUICK_SECONDS) or large <= _most(0, least):
                return None
            ratio, tries = _ratio(best(size, _SMALL_TRIES) - least, large, least), 1
            for number, (larger, tries) in enumerate(again):
                if ratio <= DUBIOUS:
                    return None
                size *= larger if ratio <= 4 * GUILTY else 1
                small = best(size, _SMALL_TRIES) - least
                large = best(FACTOR * size, tries, _most(small, least) + least) - least
                ratio = _ratio(small, large, least)
                dubious = DUBIOUS < ratio <= GUILTY and number == 0
                if dubious and _is_cheap_farther(best, FACTOR * size, tries, least, _FARTHER_INNOCENT):
                    return None
            # What is dear beyond a size, as new memory is, grows in proportion from there on.
            doubtful = GUILTY < ratio <= BEYOND_DOUBT
            if doubtful and _is_cheap_farther(best, FACTOR * size, tries, least, _FARTHER_GUILTY):
                return None
    except HangError:
        return f"did not end within {limit_seconds:g} CPU seconds at a size of {FACTOR * size}"
    return (
        None
        if ratio <= GUILTY
        else f"took {ratio:.0f} times as long for {FACTOR} times the input, {size} and {FACTOR * size}"
    )


def _is_cheap_farther(
    best: Callable[[int, int, float], float], size: int, tries: int, least: float, most: float
) -> bool:
    """Whether it is less than so many times as dear at a still larger size."""
    # Both are measured now: one that was disturbed before would make the other seem cheap.
    near = max(best(size, tries + 1, 0) - least, _LEAST_SECONDS)
    return best(_FARTHER * size, tries, most * near + least) - least < most * near


def _ratio(small: float, large: float, least: float) -> float:
    return (large - _FLOOR_SECONDS) / _counted(small, least)


def _most(small: float, least: float) -> float:
    """What the larger input may take and not be dubious."""
    return DUBIOUS * _counted(small, least) + _FLOOR_SECONDS


def _counted(small: float, least: float) -> float:
    # On a busy machine the cost of the call itself varies by half: a difference smaller than that says nothing.
    return max(small, least / 2, _LEAST_SECONDS)


def _best(
    call: Callable[[Any], object], argument: Any, tries: int, clock: Callable[[], float], enough: float = 0
) -> float:
    """The least CPU time of several calls, which are as many as it takes to come below `enough`."""
    best = float("inf")
    collecting, watched = gc.isenabled(), sys.gettrace()
    gc.disable()
    # Coverage looks at each line, which would cost more than most lines do.
    sys.settrace(None)
    try:
        for _ in range(tries):
            began = clock()
            call(argument)
            best = min(best, clock() - began)
            if best < enough:  # any other could only take less
                break
    finally:
        sys.settrace(watched)
        if collecting:
            gc.enable()
    return best
