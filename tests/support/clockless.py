"""Finds in a test's source what makes it depend on how fast the machine is: sleeps, wall time, short real limits."""

import ast
import re
from collections.abc import Iterator

from tests.support.package import tree_of, tree_with

LEAST_HANG_SECONDS = 60
"""A real limit that is shorter can be met by a slow machine; only what hangs may meet one."""
_SLEEPS = {"time.sleep", "anyio.sleep", "asyncio.sleep", "sleep"}
_NAMES = ("time.time", "time.monotonic", "time.perf_counter", "perf_counter", "monotonic")
_CLOCKS = {*_NAMES, *(f"{name}_ns" for name in _NAMES)}
_LIMITED = {"fail_after", "move_on_after", "wait_for", "timeout", "timeout_at", "join", "communicate", "wait"}
"""Calls whose first or second argument may be seconds."""
_LATENCY = {"wait_all_tasks_blocked": "anyio waits for it in steps of real time; use still_time.idle or until"}
_PATCHED = ("SECONDS", "WITHIN", "_SENDS")
_CLOCK = re.compile(r"\b(?:time|monotonic|perf_counter)(?:_ns)?\(")
_SUSPECT = re.compile(
    rf"sleep|wait_all_tasks_blocked|timeout|deadline|(?:{'|'.join(_PATCHED)})\b"
    # What is put together from texts waits for nothing.
    rf"|(?<![\"'])\b(?:{'|'.join(_LIMITED)})\("
    # A constant may be a limit.
    r"|^\w+ = [0-9.]",
    re.MULTILINE,
)
"""What a statement has in it that one of these rules may find; where a clock is read, all of the file is looked at."""


def faults_of(source: str) -> list[str]:
    """Say for each line what it should not do; none if the tests in it run alike on any machine."""
    tree = tree_of(source) if _CLOCK.search(source) else tree_with(source, _SUSPECT)
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return [f"line {line}: {what}" for line, what in sorted(set(_found(tree, constants)))]


def _found(tree: ast.Module, constants: dict[str, ast.expr]) -> Iterator[tuple[int, str]]:
    measured = _measured(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            for what in _calls(node, constants):
                yield node.lineno, what
        if isinstance(node, ast.Assert | ast.Compare) and _reads_a_clock(node, measured):
            yield node.lineno, "compares wall time; turn a clock, or compare CPU times as growing.py does"


def _calls(node: ast.Call, constants: dict[str, ast.expr]) -> Iterator[str]:
    name = _dotted(node.func)
    last = name.rpartition(".")[2]
    numbers = [_number(argument, constants) for argument in node.args]
    if name in _SLEEPS and numbers[:1] != [0]:
        yield "sleeps in real time; wait for an event, or use still_time.until"
    if last in _LATENCY:
        yield _LATENCY[last]
    seconds = [_number(keyword.value, constants) for keyword in node.keywords if keyword.arg == "timeout"]
    if last in _LIMITED:
        seconds += numbers[:2]
    if any(number is not None and 0 < number < LEAST_HANG_SECONDS for number in seconds):
        yield f"has a real limit below {LEAST_HANG_SECONDS} s; use commands.HANG_SECONDS"
    if last == "setattr" and node.args and _shortens(node, numbers):
        yield "shortens a bound to what a slow machine needs; turn the time, or make it 0"
    if any(keyword.arg == "deadline" and ast.unparse(keyword.value) != "None" for keyword in node.keywords):
        yield "lets hypothesis measure time; conftest.py forbids it for all"


def _shortens(node: ast.Call, numbers: list[float | None]) -> bool:
    named = [argument.value for argument in node.args[:2] if isinstance(argument, ast.Constant)]
    about_time = any(isinstance(name, str) and name.endswith(_PATCHED) for name in named)
    value = numbers[-1]
    return about_time and value is not None and 0 < value < 1


def _number(node: ast.expr, constants: dict[str, ast.expr]) -> float | None:
    if isinstance(node, ast.Name) and node.id in constants:
        node = constants[node.id]
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    return None


def _dotted(node: ast.expr) -> str:
    """As the name of what is called is written; of what is no name, only its end. `ast.unparse` takes far longer."""
    match node:
        case ast.Name(name):
            return name
        case ast.Attribute(value, name):
            return f"{_dotted(value)}.{name}"
        case _:
            return ""


def _measured(tree: ast.Module) -> set[str]:
    """Names that were given what a clock said, or what was reckoned from it."""
    names: set[str] = set()
    assigned = [node for node in ast.walk(tree) if isinstance(node, ast.Assign)]
    for _ in range(3):  # a difference of a difference is far enough
        for node in assigned:
            if _reads_a_clock(node.value, names):
                names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


def _reads_a_clock(node: ast.AST, measured: set[str]) -> bool:
    return any(
        (isinstance(inside, ast.Call) and _dotted(inside.func) in _CLOCKS)
        or (isinstance(inside, ast.Name) and inside.id in measured)
        for inside in ast.walk(node)
    )
