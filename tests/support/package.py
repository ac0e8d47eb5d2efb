"""The source of the package, module by module."""

import ast
import re
from functools import cache
from pathlib import Path

import kolors_mcp

PACKAGE = Path(kolors_mcp.__file__).parent
_STATEMENT = re.compile(r"^(?!(?:else|elif|except|finally)\b)(?=[^\s#)\]}'\"])", re.MULTILINE)
"""Where a statement begins at the top of a source: at the left, unless it goes on there."""


def lies_in(module: str, home: str) -> bool:
    return module == home or module.startswith(home + ".")


@cache
def tree_of(source: str) -> ast.Module:
    """Return a source as a tree, which nobody changes: several tests read the same files."""
    return ast.parse(source)


@cache
def tree_with(source: str, words: re.Pattern[str]) -> ast.Module:
    """Return those statements at the top of a source that have one of the words, each on its own lines.

    Making a tree of a source takes many times as long as looking for words in it.
    """
    if not words.search(source):
        return ast.Module([], [])
    kept: list[str] = []
    statement = ""
    for begun in _STATEMENT.split(source):
        statement += begun
        if not begun.startswith("@"):
            kept.append(statement if words.search(statement) else "\n" * statement.count("\n"))
            statement = ""
    try:
        return ast.parse("".join(kept))
    except SyntaxError:  # a text of several lines that looks like statements
        return tree_of(source)


def read_package() -> dict[str, tuple[str, bool]]:
    """The text of every module by its dotted name, and whether it is a package."""
    modules: dict[str, tuple[str, bool]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        steps = ["kolors_mcp", *path.relative_to(PACKAGE).with_suffix("").parts]
        is_package = steps[-1] == "__init__"
        modules[".".join(steps[:-1] if is_package else steps)] = (path.read_text(encoding="utf-8"), is_package)
    return modules


MODULES = read_package()
