"""Every example runs: the scripts as processes, each host's configuration as that host would start it."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from PIL import Image

from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.sandbox.samples import sample
from kolors_mcp.settings import Settings
from tests.support.commands import account_of, environment, python, ran
from tests.support.contract import CONTRACT
from tests.support.over_stdio import COMMANDS

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
HOSTS = EXAMPLES / "hosts"
DOCS = Path(__file__).resolve().parents[1] / "docs"
TOOLS = [tool["name"] for tool in json.loads(CONTRACT.read_text("utf-8"))["tools"]]


def test_the_workflow_is_driven_from_create_to_link(fast_kling: SandboxKling, tmp_path: Path) -> None:
    env = environment(tmp_path, **account_of(fast_kling), KOLORS_SANDBOX="0")
    done = ran(EXAMPLES / "drive_workflow.py", sample("person"), sample("dress"), env=env, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    (task,) = fast_kling.tasks.all
    assert done.stdout.startswith(f"Created {task.id}: submitted\n")
    assert re.search(r"^Preview: image/jpeg, \d+ KB$", done.stdout, re.MULTILINE)
    assert f"\nLink: {fast_kling.origin}/results/{task.id}/0.png?" in done.stdout


def test_the_workflow_needs_no_account_and_says_what_is_wrong_with_a_picture(tmp_path: Path) -> None:
    (tmp_path / "letter.jpg").write_text("Dear all,")
    done = ran(EXAMPLES / "drive_workflow.py", "letter.jpg", env=environment(tmp_path), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: human_image ")


def test_the_server_runs_inside_a_program(tmp_path: Path) -> None:
    done = ran(EXAMPLES / "in_process.py", env=environment(tmp_path), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    lines = done.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == [*TOOLS, "Note", "Link"]
    assert lines[-1].startswith("Link: http://127.0.0.1:")


def test_the_readmes_picture_is_what_its_script_makes(tmp_path: Path) -> None:
    pictures = [sample("person"), sample("upper"), sample("person")]
    done = ran(EXAMPLES / "side_by_side.py", "out.png", *pictures, env=environment(tmp_path), cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    committed = DOCS / "images" / "demo.png"
    assert committed.stat().st_size < 300_000
    with Image.open(tmp_path / "out.png") as made, Image.open(committed) as shown:
        assert made.size == shown.size


Values = dict[str, str]
Started = tuple[list[str], Values]
"""What a host starts: the command with its arguments, and the variables it sets."""


def of_claude_desktop(_secrets: Values) -> Started:
    return _started(_json("claude-desktop.json")["mcpServers"]["kolors"], lambda value: value)


def of_claude_code(secrets: Values) -> Started:
    def expanded(value: str) -> str:
        return re.sub(r"\$\{(\w+)(?::-([^}]*))?\}", lambda found: secrets.get(found[1], found[2] or ""), value)

    server = _json("claude-code.mcp.json")["mcpServers"]["kolors"]
    assert server["type"] == "stdio"
    return _started(server, expanded)


def of_cursor(secrets: Values) -> Started:
    def expanded(value: str) -> str:
        value = re.sub(r"\$\{env:(\w+)\}", lambda found: secrets[found[1]], value)
        return value.replace("${userHome}", secrets["HOME"])

    server = _json("cursor.json")["mcpServers"]["kolors"]
    assert server["type"] == "stdio"
    return _started(server, expanded)


def of_vscode(secrets: Values) -> Started:
    configuration = _json("vscode.json")
    assert all(asked["type"] == "promptString" and asked["password"] for asked in configuration["inputs"])
    typed = {asked["id"]: secrets["KLING_API_KEY"] for asked in configuration["inputs"]}
    server = configuration["servers"]["kolors"]
    assert server["type"] == "stdio"
    return _started(server, lambda value: re.sub(r"\$\{input:([\w-]+)\}", lambda found: typed[found[1]], value))


def of_codex(secrets: Values) -> Started:
    server = tomllib.loads((HOSTS / "codex.toml").read_text())["mcp_servers"]["kolors"]
    assert set(server) <= {"command", "args", "env", "env_vars", "startup_timeout_sec", "tool_timeout_sec"}
    command, variables = _started(server, lambda value: value)
    return command, variables | {name: secrets[name] for name in server["env_vars"]}


def of_gemini_cli(secrets: Values) -> Started:
    server = _json("gemini-cli.json")["mcpServers"]["kolors"]
    return _started(server, lambda value: re.sub(r"\$\{?(\w+)\}?", lambda found: secrets[found[1]], value))


def of_claude_code_command(secrets: Values) -> Started:
    """Run the line with a `claude` that writes down how it was called, and take the words as the real one does."""
    folder = Path(secrets["HOME"])
    notes = folder / "called.json"
    claude = folder / "claude"
    claude.write_text(f"#!{sys.executable}\nimport json, sys\njson.dump(sys.argv[1:], open({str(notes)!r}, 'w'))\n")
    claude.chmod(0o700)
    path = os.pathsep.join((str(folder), os.environ["PATH"]))
    subprocess.run(["/bin/sh", HOSTS / "claude-code.sh"], check=True, env={**secrets, "PATH": path})
    words: list[str] = json.loads(notes.read_text())
    options, command = words[: words.index("--")], words[words.index("--") + 1 :]
    assert options[:2] == ["mcp", "add"]
    assert options[-1] == "kolors"
    named = dict(zip(options[2:-1:2], options[3:-1:2], strict=True))
    # --env takes words until the next option, so the name must not be the next word.
    assert options[-3] != "--env"
    assert (named["--scope"], named["--transport"]) == ("user", "stdio")
    return command, dict([named["--env"].split("=", 1)])


ALL_HOSTS: dict[str, Callable[[Values], Started]] = {
    "claude-desktop.json": of_claude_desktop,
    "claude-code.sh": of_claude_code_command,
    "claude-code.mcp.json": of_claude_code,
    "cursor.json": of_cursor,
    "vscode.json": of_vscode,
    "codex.toml": of_codex,
    "gemini-cli.json": of_gemini_cli,
}


def test_no_configuration_is_left_untried() -> None:
    assert {path.name for path in HOSTS.iterdir()} == set(ALL_HOSTS)


def started_by(name: str, home: Path, key: str) -> Started:
    command, variables = ALL_HOSTS[name]({"HOME": str(home), "KLING_API_KEY": key})
    if variables["KLING_API_KEY"] == "your-key":  # Claude Desktop expands nothing: a person writes the key itself.
        variables["KLING_API_KEY"] = key
    return command, variables


@pytest.mark.parametrize("name", list(ALL_HOSTS))
def test_every_host_starts_the_same_server_with_its_account(name: str, tmp_path: Path) -> None:
    command, variables = started_by(name, tmp_path, "the-key")
    assert command == started_by("codex.toml", tmp_path, "the-key")[0]
    assert "$" not in json.dumps(variables)
    assert variables["KLING_API_KEY"] == "the-key"
    Settings.from_env(variables)  # Refuses what cannot be used.


@pytest.mark.process
@pytest.mark.anyio
async def test_what_every_host_starts_has_the_tools_and_an_answer_of_its_account(
    kling: SandboxKling, tmp_path: Path
) -> None:
    (command, *arguments), variables = started_by("codex.toml", tmp_path, kling.api_key)
    assert command == "kolors-mcp"
    assert shutil.which(command, path=str(COMMANDS)) is not None
    env = environment(tmp_path, KLING_API_BASE=kling.origin) | variables
    # The command itself is started in tests/processes/test_stdio.py.
    server = StdioServerParameters(command=python(), args=["-m", "kolors_mcp", *arguments], env=env, cwd=tmp_path)
    async with Client(server) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == TOOLS
        answer = await client.call_tool("list_try_ons", {})
    assert not answer.is_error
    assert kling.requests[-1].headers["authorization"] == f"Bearer {kling.api_key}"


def _json(name: str) -> Any:
    return json.loads((HOSTS / name).read_text())


def _started(server: dict[str, Any], expanded: Callable[[str], str]) -> Started:
    variables = {name: expanded(value) for name, value in server.get("env", {}).items()}
    return [server["command"], *server["args"]], variables
