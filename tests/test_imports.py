"""What an import is allowed to do and to load, seen in a fresh interpreter."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.package import MODULES, lies_in

PROBE = """
import gc, json, logging, sys
gc.disable()  # what is loaded stays
deeds = []
DEEDS = ("socket.bind", "socket.connect", "socket.getaddrinfo", "socket.sendto", "subprocess.Popen",
         "os.system", "os.mkdir", "os.remove", "os.rename", "tempfile.mkstemp", "tempfile.mkdtemp", "sqlite3.connect")
def watch(event, arguments):
    if event in DEEDS or (event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")):
        deeds.append(f"{event} {arguments}")
sys.addaudithook(watch)
loaded, before = [], set()
for name in sys.argv[1:]:
    __import__(name)
    loaded.append(sorted(sys.modules.keys() - before))
    before |= sys.modules.keys()
loggers = [logging.getLogger(), *(item for key, item in logging.root.manager.loggerDict.items()
           if key.startswith("kolors_mcp") and isinstance(item, logging.Logger))]
handlers = [f"{item.name} logs to {handler}" for item in loggers for handler in item.handlers]
print(json.dumps({"loaded": loaded, "deeds": deeds + handlers}))
"""

STARTS = ("kolors_mcp.cli", "kolors_mcp.server", "kolors_mcp.cli.serve")
"""What a start of the server imports, in an order in which each loads more than the one before."""
HEAVY = (
    *("PIL", "pillow_heif", "httpx", "sqlalchemy", "starlette", "uvicorn", "jwt", "tqdm", "kolors_mcp.sandbox"),
    "kolors_mcp.server.fitting_room.page",
    *("kolors_mcp.server.http", "kolors_mcp.service_settings", "kolors_mcp.shelf", "kolors_mcp.jobs.line", "obstore"),
)
"""What only a call needs."""


@dataclass(frozen=True)
class Imported:
    """What importing came to."""

    loaded: dict[str, set[str]]
    """All modules that were there after each name, in the order of the imports."""
    deeds: list[str]
    """What was done besides."""

    @property
    def all(self) -> set[str]:
        """All modules that were there at the end."""
        return list(self.loaded.values())[-1]


def probe(*names: str) -> Imported:
    """Import modules in a fresh interpreter."""
    answer = subprocess.run([sys.executable, "-B", "-c", PROBE, *names], check=False, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    result = json.loads(answer.stdout)
    there: set[str] = set()
    loaded = {name: (there := there.union(new)) for name, new in zip(names, result["loaded"], strict=True)}
    return Imported(loaded, result["deeds"])


def heavy_in(modules: set[str]) -> set[str]:
    return {heavy for heavy in HEAVY if any(lies_in(module, heavy) for module in modules)}


@pytest.fixture(scope="module")
def imported() -> Imported:
    """One interpreter imports the SDK, then what a start needs, then every other module."""
    return probe("mcp.server", *STARTS, *sorted(MODULES.keys() - {*STARTS, "kolors_mcp.__main__"}))


def test_starting_the_server_loads_nothing_that_only_a_call_needs(imported: Imported) -> None:
    with_sdk = imported.loaded["mcp.server"]
    for name in STARTS:
        ours = imported.loaded[name] - with_sdk
        assert name in ours
        assert heavy_in(ours) == set()
    # The rest of the package does load it, but for what only the first HEIC needs.
    assert heavy_in(imported.all) >= set(HEAVY) - {"pillow_heif"}


def test_an_import_opens_no_connection_writes_no_file_and_configures_no_logging(imported: Imported) -> None:
    assert MODULES.keys() - {"kolors_mcp.__main__"} <= imported.all
    assert imported.deeds == []


def test_a_deed_at_import_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    busy = tmp_path / "busy.py"
    busy.write_text("import logging\nlogging.basicConfig()\nopen('trace', 'w').close()\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert len(probe("busy").deeds) == 2
