"""Changes the code that decides about money and access, one place at a time, and prints which changes no test notices.

    python scripts/mutants.py --seed 7 --number 20 --only kling/refusals

Each change is made in a copy of the package in a temporary folder, and only the tests that `TESTS` names for the file
are run against it. The tools of the trade (mutmut, cosmic-ray) go through all changes and run the same tests for each;
here a sample that is drawn by a seed ends in minutes, and can be drawn again.
"""

import argparse
import ast
import copy
import difflib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import cast

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "kolors_mcp"
HUNG_SECONDS = 400
"""After so many a change counts as noticed: it hangs what it touches."""
SHOWN_LINES = 30
"""Lines of tests that fail although nothing was changed."""

_FAULTS = ("test_faults.py", "test_faults_on_sockets.py", "test_doubts.py")
_KLING = ("test_kling_*.py", "test_settling.py", "test_references.py", "test_paid_once.py", *_FAULTS)
_PAID = (
    "test_preparing_in_time.py", "test_settling.py", "test_paid_once.py", "test_paid_without_ledger.py", *_FAULTS,
    "test_waiting.py", "test_server.py", "test_keeping.py",
)  # fmt: skip
_LEDGER = (
    "test_ledger.py", "test_ledger_joins.py", "test_ledger_failures.py", "test_ledger_servers.py", "test_paid_once.py",
    "test_paid_without_ledger.py",
)  # fmt: skip
_NET = (
    "test_images_network.py", "test_images_dialling.py", "test_images_table.py", "test_images_fetch.py",
    "test_images_fetch_pages.py", "test_images_places.py", "test_images_servers.py",
)  # fmt: skip
TESTS: Mapping[str, tuple[str, ...]] = {
    "kling/auth": (*_KLING, "test_doctor.py"),
    "kling/body": _KLING,
    "kling/account": ("test_kling_client.py", "test_doctor.py"),
    "kling/http": (*_KLING, "test_waiting.py", "test_server.py"),
    "kling/try_on": (*_KLING, "test_waiting.py", "test_server.py"),
    "kling/try_on_replies": (*_KLING, "test_settling.py"),
    "kling/connection": ("test_kling_*.py", "test_doctor*.py"),
    "kling/content": _KLING,
    "packing": ("test_kling_content.py", "test_images_packed.py"),
    "kling/exchange": _KLING,
    "kling/references": _KLING,
    "kling/refusals": (*_KLING, "test_doctor.py"),
    "kling/task": (*_KLING, "test_waiting.py", "test_server.py"),
    "kling/wire": (*_KLING, "test_server.py"),
    "ledger/connections": ("test_ledger_closing.py",),
    "ledger/ledger": _LEDGER,
    "ledger/lookups": _LEDGER,
    "ledger/opening": (*_LEDGER, "test_ledger_size.py"),
    "ledger/rows": (*_LEDGER, "test_doctor.py"),
    "ledger/states": ("test_ledger_states.py", *_LEDGER),
    "ledger/failures": _LEDGER,
    "ledger/evidence": ("test_ledger_evidence.py", "test_background.py", "test_searching.py"),
    "ledger/leases": (
        "test_ledger_leases.py", "test_ledger_joins.py", "test_ledger_lost_answers.py", "test_ledger_model.py",
    ),
    "ledger/outcomes": ("test_ledger.py", "test_ledger_joins.py", "test_ledger_states.py", "test_ledger_model.py"),
    "ledger/reserving": ("test_ledger.py", "test_ledger_joins.py", "test_ledger_leases.py", "test_ledger_model.py"),
    "ledger/timing": ("test_ledger_time.py",),
    "ledger/transactions": (
        "test_ledger_time.py", "test_ledger_layouts.py", "test_ledger_disk.py", "test_ledger_lost_answers.py",
    ),
    "jobs/background": ("test_background.py", "test_searching.py"),
    "jobs/joining": (
        "test_sharing.py", "test_paid_once.py", "test_doubts.py", "test_busy_but_taken.py", "test_settling.py",
    ),
    "jobs/queue": ("test_busy.py", "test_busy_but_taken.py", "test_sharing.py"),
    "jobs/search": ("test_searching.py", "test_busy_but_taken.py", "test_background.py", "test_doubts.py"),
    "jobs/send": (
        "test_busy.py", "test_busy_but_taken.py", "test_busy_too_early.py", "test_commit_point.py", "test_doubts.py",
        "test_faults.py", "test_references.py", "test_sharing.py", "test_tokens_refused.py",
    ),
    "jobs/store": (
        "test_paid_without_ledger.py", "test_jobs.py", "test_ledger_share.py", "test_life_guards.py",
        "test_settling.py",
    ),
    "jobs/waiting": ("test_one_wait.py", "test_doubts.py"),
    "jobs/turns": ("test_commit_point.py", "test_life_guards.py", "test_life_of_a_create.py"),
    "jobs/in_flight": ("test_jobs.py", *_PAID),
    "jobs/jobs": ("test_jobs.py", *_PAID),
    "jobs/reconcile": (*_PAID, "test_references.py"),
    "jobs/refresh": ("test_jobs.py", "test_busy_but_taken.py", "test_busy_too_early.py", *_PAID),
    "jobs/sending": _PAID,
    "try_ons/answers": (*_PAID, "test_answers.py", "test_kling_answers.py", "test_resources.py"),
    "try_ons/try_ons": (*_PAID, "test_jobs.py", "test_labels.py"),
    "try_ons/looking": ("test_jobs.py", "test_resources.py", "test_view.py", "test_going_on.py", "test_keeping.py"),
    "try_ons/naming": ("test_labels.py",),
    "try_ons/earlier": ("test_going_on.py",),
    "clock": ("test_clock.py", *_PAID),
    "images/sources/addresses": (*_NET, "test_doctor.py"),
    "images/sources/fetch": (*_NET, "test_images_page.py", "test_images_slow_servers.py"),
    "images/sources/links": (*_NET, "test_images_controls.py"),
    "images/sources/files": ("test_images_files.py", "test_images_edges.py", "test_whole_disk.py"),
    "images/sources/network": (*_NET, "test_images_slow_servers.py"),
    "images/sources/places": (*_NET, "test_images_slow_servers.py"),
    "settings": ("test_settings.py", "test_server_texts.py", "test_images_files.py", "test_whole_disk.py"),
    "server/loopback/guard": ("test_loopback_guard.py", "test_app_demo.py"),
    "server/http/tokens": ("test_http_token_file.py", "test_http_tokens.py"),
    "server/http/keys": ("test_http_issuer.py", "test_http_tokens.py"),
    "server/http/verifying": ("test_http_issuer.py", "test_http_tokens.py"),
    "server/http/scopes": ("test_http_tokens.py", "test_http_token_file.py"),
    "server/http/authentication": ("test_http_tokens.py", "test_http_issuer.py", "test_http_token_file.py"),
    "server/bus": ("test_http_told.py", "test_resources_watched.py"),
    "cli/state_folder": _LEDGER,
}  # fmt: skip
"""The files that decide about money and access, without the package's name, and the tests that have to notice.

A test file is found by its name or by a pattern, wherever it lies below `tests`.
"""


@dataclass(frozen=True)
class Mutant:
    """One change in one file."""

    file: str
    line: int
    before: str
    after: str
    what: str
    """The whole changed file."""
    text: str

    @property
    def difference(self) -> str:
        """Show what is changed."""
        lines = difflib.unified_diff(self.before.splitlines(), self.after.splitlines(), lineterm="", n=0)
        return "\n".join(f"    {line}" for line in lines if line[:3] not in ("---", "+++") and line[:2] != "@@")


_OTHER: dict[type[ast.AST], type[ast.AST]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.And: ast.Or, ast.Or: ast.And, ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add,
}  # fmt: skip
"""What stands for what."""


def mutants_of(file: str, text: str) -> Iterator[Mutant]:
    """Yield every change of a file: comparisons, boolean operators, constants, conditions, and statements left out."""
    tree = ast.parse(text)
    for node in _deciding(tree):
        for what, after in _changes(node):
            yield _mutant(file, text, node, what, after)


def _deciding(tree: ast.Module) -> Iterator[ast.AST]:
    """Go through what runs: annotations, docstrings and what is said in messages decide nothing."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        yield node
        skipped = {"annotation", "returns", "decorator_list", "type_comment"}
        if isinstance(node, ast.JoinedStr | ast.Import | ast.ImportFrom) or _is_type_checking(node):
            continue
        for name, value in ast.iter_fields(node):
            if name not in skipped:
                members = cast("list[object]", value) if isinstance(value, list) else [value]
                waiting += [one for one in members if isinstance(one, ast.AST)]


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _changes(  # noqa: C901, PLR0912  (a table of what can be changed, line by line)
    node: ast.AST,
) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node, ast.Compare):
        for number, operator in enumerate(node.ops):
            if type(operator) in _OTHER:
                after = copy.deepcopy(node)
                after.ops[number] = _OTHER[type(operator)]()  # type: ignore[call-overload]  # one operator for another
                yield "another comparison", after
    elif isinstance(node, ast.BoolOp):
        after = copy.deepcopy(node)
        after.op = _OTHER[type(node.op)]()  # type: ignore[assignment]
        yield "and for or, or or for and", after
        for number in range(len(node.values)):
            kept = [copy.deepcopy(value) for place, value in enumerate(node.values) if place != number]
            yield "a condition left out", kept[0] if len(kept) == 1 else ast.BoolOp(node.op, kept)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "without not", copy.deepcopy(node.operand)
    elif isinstance(node, ast.BinOp) and type(node.op) in _OTHER:
        after = copy.deepcopy(node)
        after.op = _OTHER[type(node.op)]()  # type: ignore[assignment]
        yield "another operator", after
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield "the other truth", ast.Constant(not node.value)
        elif isinstance(node.value, int | float):
            yield "one more", ast.Constant(node.value + 1)
            if node.value:
                yield "nothing", ast.Constant(type(node.value)(0))
    elif isinstance(node, ast.If | ast.IfExp):
        for value in (True, False):
            after = copy.deepcopy(node)
            after.test = ast.Constant(value)
            yield f"always {value}".lower(), after
    elif isinstance(node, ast.Raise | ast.Continue | ast.Break | ast.AugAssign) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.Await)
    ):
        yield "a statement left out", ast.Pass()


def _mutant(file: str, text: str, node: ast.AST, what: str, after: ast.AST) -> Mutant:
    start, stop = _span(text, node)
    indent = " " * getattr(node, "col_offset", 0)
    written = ast.unparse(ast.fix_missing_locations(after))
    if isinstance(after, ast.expr):
        written = f"({written})"
    elif "\n" in written:
        written = written.replace("\n", f"\n{indent}")
    if isinstance(node, ast.If) and text[start : start + 4] == "elif":
        written = "el" + written
    changed = text[:start] + written + text[stop:]
    first, last = text.count("\n", 0, start), text.count("\n", 0, stop)
    before = text.splitlines()[first : last + 1]
    then = changed.splitlines()[first : first + len(written.splitlines())]
    return Mutant(file, first + 1, "\n".join(before), "\n".join(then), what, changed)


def _span(text: str, node: ast.AST) -> tuple[int, int]:
    """Return where a node begins and ends; the tree counts bytes within lines."""
    lines = text.split("\n")

    def at(line: int, column: int) -> int:
        return sum(len(before) + 1 for before in lines[: line - 1]) + len(lines[line - 1].encode()[:column].decode())

    place = ast.Constant(0) if not hasattr(node, "lineno") else node
    return at(place.lineno, place.col_offset), at(place.end_lineno or 1, place.end_col_offset or 0)  # type: ignore[attr-defined]


def sampled(
    seed: int, number: int, only: str, *, root: Path = ROOT, tests: Mapping[str, tuple[str, ...]] = TESTS
) -> list[Mutant]:
    """Draw a sample: files by turns, so that long ones do not have it all, places in them by chance."""
    chance = random.Random(seed)  # noqa: S311  (chance, not secrets)
    every: list[list[Mutant]] = []
    for file in tests:
        if only in file:
            path = root / PACKAGE / f"{file}.py"
            mutants = list(mutants_of(file, path.read_text("utf-8")))
            chance.shuffle(mutants)
            every.append(mutants)
    chance.shuffle(every)
    drawn: list[Mutant] = []
    while len(drawn) < number and any(every):
        drawn += [mutants.pop() for mutants in every if mutants]
    return drawn[:number]


class Copy:
    """The package and its tests in a folder of their own, so that the working tree is never touched."""

    def __init__(self, folder: Path, *, root: Path = ROOT, tests: Mapping[str, tuple[str, ...]] = TESTS) -> None:
        """Copy what the tests read.

        Raises:
            FileNotFoundError: A test file that is named is not there.
        """
        self._folder = folder
        self._tests = found_in(root, tests)
        ignored = shutil.ignore_patterns("__pycache__", "node_modules")
        for name in (PACKAGE, "tests", "examples", "docs", "scripts", "benchmarks", ".ci"):
            if (root / name).exists():
                shutil.copytree(root / name, folder / name, ignore=ignored)
        for path in root.iterdir():
            if path.is_file() and path.suffix in (".md", ".toml", ".txt", "") and not path.name.startswith(".git"):
                shutil.copy(path, folder)
        self._printed = folder / "printed.log"

    @property
    def last_lines(self) -> str:
        """Return what the tests that were run last have printed at their end."""
        return "\n".join(self._printed.read_text("utf-8", "replace").splitlines()[-SHOWN_LINES:])

    def noticed(self, file: str, text: str) -> bool:
        """Run the tests of a file with this text in its place.

        Raises:
            RuntimeError: The tests were ended from outside, which says nothing.
        """
        path = self._folder / PACKAGE / f"{file}.py"
        before = path.read_text("utf-8")
        path.write_text(text, "utf-8")
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *self._tests[file]]
        # The copy comes before the installed package, also for programs that the tests start.
        env = {**os.environ, "PYTHONPATH": str(self._folder), "PYTHONDONTWRITEBYTECODE": "1", "CI": "true"}
        env.pop("COVERAGE_PROCESS_CONFIG", None)  # a measurement of this package does not mean the copy
        with self._printed.open("wb") as printed:
            process = subprocess.Popen(
                command, cwd=self._folder, env=env, stdout=printed, stderr=subprocess.STDOUT, start_new_session=True
            )
        try:
            if not _ended_within(process, HUNG_SECONDS):
                return True
        finally:
            _end(process)
            path.write_text(before, "utf-8")
        if process.returncode < 0:
            raise RuntimeError(f"pytest was ended by signal {-process.returncode}.")
        # Whatever is not a success counts: a change may keep even the first import from working.
        return process.returncode != 0


def found_in(root: Path, tests: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """Return the test files of each file, by their names from the root on.

    Raises:
        FileNotFoundError: One that is named is not there.
    """
    there = sorted(
        path for path in (root / "tests").rglob("test_*.py") if not {"node_modules", "__pycache__"} & {*path.parts}
    )
    return {file: _named(names, there, root) for file, names in tests.items()}


def _named(names: tuple[str, ...], there: list[Path], root: Path) -> list[str]:
    found: dict[str, None] = {}
    for name in names:
        paths = [path for path in there if fnmatchcase(path.name, name)]
        if not paths:
            raise FileNotFoundError(f"There is no test file {name}.")
        found |= dict.fromkeys(str(path.relative_to(root)) for path in paths)
    return list(found)


def _ended_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process that still runs, and what it has started."""
    if process.poll() is None:
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _say(text: str) -> None:
    print(text, flush=True)


def main(
    arguments: list[str] | None = None,
    say: Callable[[str], None] = _say,
    *,
    root: Path = ROOT,
    tests: Mapping[str, tuple[str, ...]] = TESTS,
) -> int:
    """Print the survivors; 0 if there are none, 1 if there are some, 2 if the tests fail without any change."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=None, help="the clock's if none is given")
    parser.add_argument("--number", type=int, default=20)
    parser.add_argument("--only", default="", help="a part of the file's name, such as kling/refusals")
    given = parser.parse_args(arguments)
    seed = int(time.time()) if given.seed is None else given.seed
    drawn = sampled(seed, given.number, given.only, root=root, tests=tests)
    say(f"Seed {seed}: {len(drawn)} changes in {len({one.file for one in drawn})} files.")
    survivors = 0
    with tempfile.TemporaryDirectory() as folder:
        made = Copy(Path(folder), root=root, tests=tests)
        sound: set[str] = set()
        for one in drawn:
            unchanged = (root / PACKAGE / f"{one.file}.py").read_text("utf-8")
            if one.file not in sound and made.noticed(one.file, unchanged):
                say(f"{made.last_lines}\n{one.file}: its tests fail without any change; nothing can be said.")
                return 2
            sound.add(one.file)
            if not made.noticed(one.file, one.text):
                survivors += 1
                say(f"SURVIVED {PACKAGE}/{one.file}.py:{one.line} ({one.what})\n{one.difference}")
    again = f' Again: make mutants ARGS="--seed {seed} --number {given.number}' + (
        f' --only {given.only}"' if given.only else '"'
    )
    say(f"{len(drawn) - survivors} noticed, {survivors} survived.{again}")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
