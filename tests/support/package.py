"""The source of the package, module by module."""

import ast
from functools import cache
from pathlib import Path

import kolors_mcp

PACKAGE = Path(kolors_mcp.__file__).parent


def lies_in(module: str, home: str) -> bool:
    return module == home or module.startswith(home + ".")


@cache
def tree_of(source: str) -> ast.Module:
    """Return a source as a tree, which nobody changes: several tests read the same files."""
    return ast.parse(source)


def read_package() -> dict[str, tuple[str, bool]]:
    """The text of every module by its dotted name, and whether it is a package."""
    modules: dict[str, tuple[str, bool]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        steps = ["kolors_mcp", *path.relative_to(PACKAGE).with_suffix("").parts]
        is_package = steps[-1] == "__init__"
        modules[".".join(steps[:-1] if is_package else steps)] = (path.read_text(encoding="utf-8"), is_package)
    return modules


MODULES = read_package()
