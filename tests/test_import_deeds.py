"""What an import is allowed to do: load what every call needs, and nothing else."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from test_layers import MODULES, lies_in

PROBE = """
import json, logging, sys
deeds = []
DEEDS = ("socket.bind", "socket.connect", "socket.getaddrinfo", "socket.sendto", "subprocess.Popen",
         "os.system", "os.mkdir", "os.remove", "os.rename", "tempfile.mkstemp", "tempfile.mkdtemp", "sqlite3.connect")
def watch(event, arguments):
    if event in DEEDS or (event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")):
        deeds.append(f"{event} {arguments}")
sys.addaudithook(watch)
for name in sys.argv[1:]:
    __import__(name)
loggers = [logging.getLogger(), *(item for key, item in logging.root.manager.loggerDict.items()
           if key.startswith("kolors_mcp") and isinstance(item, logging.Logger))]
handlers = [f"{item.name} logs to {handler}" for item in loggers for handler in item.handlers]
print(json.dumps({"modules": sorted(sys.modules), "deeds": deeds + handlers}))
"""


@cache  # what one interpreter loads, every other one loads
def probe(*names: str) -> tuple[set[str], list[str]]:
    """Import modules in a fresh interpreter; return what was loaded, and what was done besides."""
    answer = subprocess.run([sys.executable, "-B", "-c", PROBE, *names], check=False, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    result = json.loads(answer.stdout)
    return set(result["modules"]), result["deeds"]


HEAVY = ("PIL", "pillow_heif", "httpx", "sqlalchemy", "starlette", "uvicorn", "jwt", "tqdm", "kolors_mcp.sandbox")


@pytest.mark.parametrize("name", ["kolors_mcp.server", "kolors_mcp.cli", "kolors_mcp.cli.serve"])
def test_starting_the_server_loads_nothing_that_only_a_call_needs(name: str) -> None:
    with_sdk, _ = probe("mcp.server")
    with_ours, _ = probe(name)
    ours = with_ours - with_sdk
    assert name in MODULES
    assert name in ours
    assert sorted(module for module in ours if any(lies_in(module, heavy) for heavy in HEAVY)) == []


def test_an_import_opens_no_connection_writes_no_file_and_configures_no_logging() -> None:
    loaded, deeds = probe(*(name for name in MODULES if name != "kolors_mcp.__main__"))
    assert MODULES.keys() - {"kolors_mcp.__main__"} <= loaded
    assert deeds == []


def test_a_deed_at_import_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    busy = tmp_path / "busy.py"
    busy.write_text("import logging\nlogging.basicConfig()\nopen('trace', 'w').close()\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    _, deeds = probe("busy")
    assert len(deeds) == 2
