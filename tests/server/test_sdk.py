"""Private names of the MCP SDK stand in one file: whoever takes up a new minor version has one page to read."""

import ast
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

import kolors_mcp

PACKAGE = Path(kolors_mcp.__file__).parent
HOME = PACKAGE / "server" / "sdk.py"


def private_names(text: str) -> Iterator[str]:
    """What a module takes of the SDK under a name that begins with one underscore."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("mcp", "mcp_types"):
            names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            yield from (name for name in names if is_private(name))
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] in ("mcp", "mcp_types"):
                    yield from (name for name in alias.name.split(".") if is_private(name))
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    used: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            (own if isinstance(node.ctx, ast.Store) else used).add(node.attr)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            own.add(node.target.id)
    yield from sorted(used - own)


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def test_private_names_of_the_sdk_stand_in_one_file() -> None:
    found = {
        path.relative_to(PACKAGE).as_posix(): names
        for path in sorted((PACKAGE / "server").rglob("*.py"))
        if path != HOME and (names := list(private_names(path.read_text("utf-8"))))
    }
    assert found == {}


def test_the_file_of_private_names_has_some() -> None:
    assert set(private_names(HOME.read_text("utf-8"))) == {
        "_connection", "_handle_request", "_lifespan_state", "_lowlevel_server", "_stream_protocols", "_tool_manager",
        "_tools",
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "from mcp.shared._stream_protocols import WriteStream",
        "from mcp.server.session import _Session",
        "import mcp.shared._otel",
        "class Server(MCPServer):\n    def run(self):\n        return self._lowlevel_server.run()",
        "def connection(ctx):\n    return ctx.session._connection",
    ],
)
def test_a_private_name_elsewhere_is_found(text: str) -> None:
    assert list(private_names(text))


def test_the_minor_version_of_the_sdk_is_pinned() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    major, minor = map(int, version("mcp").split(".")[:2])
    assert f"mcp>={major}.{minor},<{major}.{minor + 1}" in project["dependencies"]
