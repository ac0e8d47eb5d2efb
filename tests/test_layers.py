"""Which module may know which: the import graph, drawn from the source."""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

import pytest

from tests.support.package import MODULES, lies_in, tree_of, tree_with

# From the top down: each may import what stands below it, never what stands above or beside it.
LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"__main__"}),
    frozenset({"cli"}),
    frozenset({"server"}),
    frozenset({"try_ons"}),
    frozenset({"jobs"}),
    frozenset({"images", "kling", "ledger", "shelf"}),
)
# Known to all, and to each other. The package's own __init__ (its version) is written "".
BOTTOM = frozenset(
    {
        *("", "settings", "service_settings", "variables", "folders", "errors", "models", "pictures"),
        *("local_pictures", "wording", "clock", "threads", "bounds", "packing", "freed_memory", "egress", "observer"),
    }
)
MAY_IMPORT = {
    **{name: BOTTOM.union(*LAYERS[depth + 1 :]) for depth, layer in enumerate(LAYERS) for name in layer},
    **dict.fromkeys(BOTTOM, BOTTOM),
    # It plays Kling, so it shares nothing with the code that talks to Kling; only the command line starts it.
    "sandbox": BOTTOM,
}
MAY_IMPORT["cli"] |= {"sandbox"}
# The rooms of `images`, and which of them each may know. `GROUND` is known to all of them and knows none; what else
# stands beside the rooms knows them all.
ROOMS = {
    "sources": frozenset({"formats"}),
    "formats": frozenset[str](),
    "pixels": frozenset({"formats"}),
    "worker": frozenset({"formats", "pixels"}),
}
GROUND = frozenset({"limits", "refusal", "bounds"})
# What the rest of the package may know of `images`.
DOORS = ("pictures", "picture", "photo_shelf", "limits", "sources.network", "sources.photos")

ANYWHERE = ("kolors_mcp",)
WEB = ("kolors_mcp.server", "kolors_mcp.sandbox", "kolors_mcp.cli")
HTTP_CLIENT = (
    "kolors_mcp.kling",
    "kolors_mcp.images",
    "kolors_mcp.egress.socks",
    "kolors_mcp.sandbox",
    "kolors_mcp.cli",
    "kolors_mcp.server.http.issuer",
)
PIXELS = ("kolors_mcp.images.pixels", "kolors_mcp.images.worker.boundaries", "kolors_mcp.sandbox")
HOMES = {
    "anyio": ANYWHERE,
    "pydantic": ANYWHERE,
    "pydantic_core": ANYWHERE,
    # Only type checkers have it.
    "_typeshed": ANYWHERE,
    "typing_extensions": ANYWHERE,
    # The demo is an MCP client.
    "mcp": ("kolors_mcp.server", "kolors_mcp.cli.demo", "kolors_mcp.cli.app_demo"),
    "mcp_types": ("kolors_mcp.server", "kolors_mcp.cli.demo"),
    "starlette": WEB,
    "uvicorn": WEB,
    # What uvicorn reads requests with.
    "h11": ("kolors_mcp.server.http.connection",),
    "httpx": HTTP_CLIENT,
    "httpcore": HTTP_CLIENT,
    "certifi": ("kolors_mcp.egress.certificates",),
    "idna": ("kolors_mcp.egress.allowed",),
    "socksio": ("kolors_mcp.egress.socks",),
    "jwt": ("kolors_mcp.kling.auth", "kolors_mcp.sandbox", "kolors_mcp.server.http"),
    "pybase64": ("kolors_mcp.kling.body", "kolors_mcp.images.sources.reference", "kolors_mcp.server.lifting"),
    "PIL": PIXELS,
    "pillow_heif": PIXELS,
    "sqlalchemy": ("kolors_mcp.ledger",),
    "opentelemetry": ("kolors_mcp.server.http.metrics",),
    "psycopg": ("kolors_mcp.ledger.wakes",),
    "obstore": ("kolors_mcp.shelf",),
    "tqdm": ("kolors_mcp.cli",),
}
READ_NO_SETTING = {
    "kolors_mcp.images.worker.process": "leaves the decoding process only the variables that a Python needs to start",
    "kolors_mcp.egress.certificates": "reads and names the variables of OpenSSL's programs",
    "kolors_mcp.egress.proxies": "names the variable of HTTP programs that cannot be used",
}
ENVIRONMENT_NAMES = frozenset({"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"})
IMPORT = re.compile(r"\bimport\b")


class Arrow(NamedTuple):
    """One import: who, whom (a module, or a module and the name taken from it), and the line."""

    source: str
    target: str
    line: int


def arrows_of(module: str, text: str, *, is_package: bool = False) -> Iterator[Arrow]:
    """Every import in a module, wherever it stands: at the top, in a function, under TYPE_CHECKING."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(tree_with(text, IMPORT)):
        if isinstance(node, ast.Import):
            yield from (Arrow(module, alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            yield from (Arrow(module, f"{origin}.{alias.name}", node.lineno) for alias in node.names)


def environment_lines(text: str) -> list[int]:
    """The lines on which a module touches the process's environment variables."""
    if not any(name in text for name in ENVIRONMENT_NAMES):
        return []
    tree = tree_of(text)
    names = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name == "os"
    }
    return [
        node.lineno
        for node in ast.walk(tree)
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id in names
            and node.attr in ENVIRONMENT_NAMES
        )
        or (
            isinstance(node, ast.ImportFrom)
            and node.module == "os"
            and any(alias.name in ENVIRONMENT_NAMES for alias in node.names)
        )
    ]


def part(module: str) -> str:
    """The layer's name: kolors_mcp.kling.auth is in kling."""
    return module.split(".")[1] if "." in module else ""


def room(module: str) -> str:
    """The room's name: kolors_mcp.images.sources.fetch is in sources, kolors_mcp.images.limits is limits itself."""
    return module.removeprefix("kolors_mcp.images").lstrip(".").split(".")[0]


def faults_of(arrow: Arrow) -> Iterator[str]:
    """What is wrong with an import, in words; nothing if it is allowed."""
    shown = f"{arrow.source}:{arrow.line} imports {arrow.target}"
    root = arrow.target.split(".")[0]
    if root == "kolors_mcp":
        source, target = part(arrow.source), part(arrow.target)
        # `from kolors_mcp import __version__` reads a name, not a module.
        target = "" if target == "__version__" else target
        if source not in MAY_IMPORT:
            yield f"{arrow.source} has no layer; give it its place in LAYERS"
        elif source != target and target not in MAY_IMPORT[source]:
            yield f"{shown}: not below it"
        elif target == "images":
            yield from (f"{shown}: {fault}" for fault in faults_of_room(arrow))
    elif root not in sys.stdlib_module_names:
        if root not in HOMES:
            yield f"{shown}: {root} has no home; give it a line in HOMES"
        elif not any(lies_in(arrow.source, home) for home in HOMES[root]):
            yield f"{shown}: its home is {', '.join(HOMES[root])}"


def faults_of_room(arrow: Arrow) -> Iterator[str]:
    """What is wrong with an import out of `images`, from another of its rooms or from outside."""
    source, target = room(arrow.source), room(arrow.target)
    if part(arrow.source) != "images":
        if not any(lies_in(arrow.target, f"kolors_mcp.images.{door}") for door in DOORS):
            yield "no door of images"
    elif source in ROOMS or source in GROUND:
        known = GROUND | ROOMS.get(source, frozenset())
        if target not in {source, *known}:
            yield f"{source} knows nothing but {', '.join(sorted(known))}"


@cache  # each process of the tests collects this file, and one runs it
def arrows() -> list[Arrow]:
    """Every import of the package."""
    return [
        arrow for name, (text, is_package) in MODULES.items() for arrow in arrows_of(name, text, is_package=is_package)
    ]


def module_of(target: str) -> str:
    """The module of ours that an arrow points at, without the name that is taken from it."""
    return target if target in MODULES else target.rpartition(".")[0]


def drawing() -> str:
    """The graph between the parts, one line each."""
    lines: list[str] = []
    for source in sorted({part(name) for name in MODULES}):
        ours = (
            arrow.target for arrow in arrows() if part(arrow.source) == source and lies_in(arrow.target, "kolors_mcp")
        )
        targets = {part(module_of(target)) or "kolors_mcp" for target in ours} - {source}
        lines.append(f"  {source or 'kolors_mcp'} -> {', '.join(sorted(targets)) or 'nothing'}")
    return "\n".join(lines)


def test_imports_point_down_only_and_every_outside_package_has_its_home() -> None:
    faults = list(dict.fromkeys(fault for arrow in arrows() for fault in faults_of(arrow)))
    assert not faults, "\n" + "\n".join(faults) + "\n\nThe graph as it is:\n" + drawing()


def test_no_two_modules_need_each_other() -> None:
    graph = {name: {module_of(a.target) for a in arrows() if a.source == name} & MODULES.keys() for name in MODULES}
    try:
        TopologicalSorter({name: targets - {name} for name, targets in graph.items()}).prepare()
    except CycleError as error:
        pytest.fail("A circle of imports: " + " -> ".join(error.args[1]) + "\n\n" + drawing(), pytrace=False)


def test_only_the_command_line_reads_environment_variables() -> None:
    touched = {
        f"{name}:{line}"
        for name, (text, _) in MODULES.items()
        if part(name) != "cli" and name not in READ_NO_SETTING
        for line in environment_lines(text)
    }
    assert not touched


@pytest.mark.parametrize(
    ("module", "text", "fault"),
    [
        ("kolors_mcp.kling.client", "import kolors_mcp.server", "not below it"),
        ("kolors_mcp.kling.client", "def late():\n    from kolors_mcp.try_ons import TryOns", "not below it"),
        ("kolors_mcp.images.sources.fetch", "from ...kling import client", "not below it"),
        ("kolors_mcp.images.sources.fetch", "if TYPE_CHECKING:\n    from kolors_mcp import ledger", "not below it"),
        ("kolors_mcp.models", "from kolors_mcp import images", "not below it"),
        ("kolors_mcp.server.tools", "from kolors_mcp.sandbox import app", "not below it"),
        ("kolors_mcp.sandbox.app", "from kolors_mcp.kling import auth", "not below it"),
        ("kolors_mcp.images.sources.fetch", "from kolors_mcp.images.pixels import decode", "sources knows nothing but"),
        ("kolors_mcp.images.sources.fetch", "from kolors_mcp.images.worker import pool", "sources knows nothing but"),
        ("kolors_mcp.images.pixels.decode", "from ..worker.messages import Given", "pixels knows nothing but"),
        ("kolors_mcp.images.formats.png", "from ..pixels.costs import memory_for", "formats knows nothing but"),
        (
            "kolors_mcp.images.worker.pool",
            "from kolors_mcp.images.pictures import Pictures",
            "worker knows nothing but",
        ),
        ("kolors_mcp.images.worker.pool", "from kolors_mcp.images import write", "worker knows nothing but"),
        ("kolors_mcp.images.limits", "from kolors_mcp.images.formats.sniff import Kind", "limits knows nothing but"),
        ("kolors_mcp.try_ons.gallery", "from kolors_mcp.images.formats import sniff", "no door of images"),
        ("kolors_mcp.images.formats.png", "from PIL import Image", "its home is"),
        ("kolors_mcp.novelty", "import json\nimport kolors_mcp.errors", "has no layer"),
        ("kolors_mcp.try_ons", "import mcp", "its home is"),
        ("kolors_mcp.cli.doctor", "from mcp import Client", "its home is"),
        ("kolors_mcp.server.preview", "from PIL import Image", "its home is"),
        ("kolors_mcp.kling.client", "import jwt", "its home is"),
        ("kolors_mcp.kling.client", "import requests", "has no home"),
    ],
)
def test_a_forbidden_import_is_caught(module: str, text: str, fault: str) -> None:
    (found,) = (found for arrow in arrows_of(module, text) for found in faults_of(arrow))
    assert fault in found


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("kolors_mcp.cli.demo", "import mcp.client.stdio\nfrom kolors_mcp.sandbox import app"),
        ("kolors_mcp.server.tools", "from ..try_ons import TryOns\nfrom . import results"),
        ("kolors_mcp.kling.auth", "import jwt\nfrom kolors_mcp import __version__, wording"),
        ("kolors_mcp.images.worker.jobs", "from ..pixels import outfit\nfrom kolors_mcp.images import limits, refusal"),
        ("kolors_mcp.images.pictures", "from .sources.fetch import Fetcher\nfrom .worker.pool import Decoders"),
        ("kolors_mcp.sandbox.render", "from PIL import Image\nimport os.path"),
    ],
)
def test_an_allowed_import_is_left_alone(module: str, text: str) -> None:
    assert [fault for arrow in arrows_of(module, text) for fault in faults_of(arrow)] == []


@pytest.mark.parametrize(
    "text",
    ["import os\nx = os.environ['HOME']", "import os as o\no.getenv('HOME')", "from os import environ"],
)
def test_a_reader_of_the_environment_is_caught(text: str) -> None:
    assert len(environment_lines(text)) == 1
