"""Runs real hosts with this server in the sandbox, and checks what they let their model see."""

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from kolors_mcp.sandbox.samples import sample
from tests.hosts import own_photos
from tests.support.mock_model import Model, Step, serving
from tests.support.model_checks import (
    Check,
    failures_of,
    the_create_says_status_ids_and_next_step,
    the_get_says_status_link_and_next_step,
    the_tools_are_offered,
    the_view_shows_the_picture_and_the_link,
)
from tests.support.model_protocols import Json, Seen

HERE = Path(__file__).resolve().parent
PACKAGES = Path(os.environ.get("KOLORS_HOSTS", HERE)) / "node_modules"
SECONDS = 180
"""What a host may take; usually it is some ten."""
SESSION = "0b54a9d1-6c2b-4f0e-9c54-6d2a7f6f3d11"
"""Of Claude Code, which soon removes the pictures of all others."""
ASKED = "Show me how this garment looks on this person."
SERVER_ENVIRONMENT = {
    "KOLORS_SANDBOX": "1",
    "KOLORS_IMAGE_DIRS": f"default{os.pathsep}{sample('upper').parent}",
    "PYTHONPATH": str(HERE.parents[1]),
}

Host = Callable[[Path, str], tuple[list[str], dict[str, str]]]
"""Takes a folder of its own and the model's origin; returns a command and its environment."""


def claude_code(home: Path, origin: str) -> tuple[list[str], dict[str, str]]:
    """Claude Code, print mode."""
    server = {"type": "stdio", "command": sys.executable, "args": ["-m", "kolors_mcp"], "env": SERVER_ENVIRONMENT}
    config = home / "mcp.json"
    config.write_text(json.dumps({"mcpServers": {"kolors": server}}))
    command = [
        "node", str(PACKAGES / "@anthropic-ai/claude-code/cli-wrapper.cjs"), "--print", ASKED,
        "--mcp-config", str(config), "--strict-mcp-config", "--allowedTools", "mcp__kolors",
        "--session-id", SESSION,
    ]  # fmt: skip
    environment = {
        "ANTHROPIC_BASE_URL": origin,
        "ANTHROPIC_API_KEY": "made-up",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "ENABLE_TOOL_SEARCH": "false",
    }
    return command, environment


def opencode(home: Path, origin: str) -> tuple[list[str], dict[str, str]]:
    """Opencode, run mode, with a provider of its own."""
    server: Json = {
        "type": "local",
        "command": [sys.executable, "-m", "kolors_mcp"],
        "environment": SERVER_ENVIRONMENT,
        "enabled": True,
        "timeout": 30_000,
    }
    model: Json = {
        "name": "Mock",
        "tool_call": True,
        "attachment": True,
        "modalities": {"input": ["text", "image"], "output": ["text"]},
        "limit": {"context": 200_000, "output": 8_000},
    }
    provider: Json = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "Mock",
        "options": {"baseURL": f"{origin}/v1", "apiKey": "made-up"},
        "models": {"mock": model},
    }
    config = home / "opencode.json"
    config.write_text(
        json.dumps(
            {
                "$schema": "https://opencode.ai/config.json",
                "provider": {"mock": provider},
                "mcp": {"kolors": server},
                "autoupdate": False,
                "share": "disabled",
                "permission": "allow",
            }
        )
    )
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    program = PACKAGES / f"opencode-{sys.platform}-{machine}" / "bin" / "opencode"
    command = [str(program), "run", "--model", "mock/mock", ASKED]
    environment = {
        "OPENCODE_CONFIG": str(config),
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
        "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
        "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1",
    }
    return command, environment


def codex(home: Path, origin: str) -> tuple[list[str], dict[str, str]]:
    """Codex, exec mode, with a provider of its own."""
    folder = home / "codex"
    folder.mkdir()
    quoted = json.dumps  # what TOML takes too
    environment = ", ".join(f"{name} = {quoted(value)}" for name, value in SERVER_ENVIRONMENT.items())
    (folder / "config.toml").write_text(
        f"""\
model = "mock"
model_provider = "mock"

[model_providers.mock]
name = "Mock"
base_url = {quoted(f"{origin}/v1")}
wire_api = "responses"

[mcp_servers.kolors]
command = {quoted(sys.executable)}
args = ["-m", "kolors_mcp"]
env = {{ {environment} }}
startup_timeout_sec = 30
tool_timeout_sec = 330
required = true
"""
    )
    machine = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), platform.machine())
    [program] = (PACKAGES / "@openai" / f"codex-{sys.platform}-{machine}").glob("vendor/*/bin/codex")
    command = [str(program), "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", ASKED]
    return command, {"CODEX_HOME": str(folder)}


def gemini_cli(home: Path, origin: str) -> tuple[list[str], dict[str, str]]:
    """Gemini CLI, with a prompt on its command line."""
    folder = home / ".gemini"
    folder.mkdir()
    server: Json = {"command": sys.executable, "args": ["-m", "kolors_mcp"], "env": SERVER_ENVIRONMENT, "trust": True}
    settings: Json = {
        "mcpServers": {"kolors": server},
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "privacy": {"usageStatisticsEnabled": False},
        "general": {"enableAutoUpdate": False},
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    command = ["node", str(PACKAGES / "@google/gemini-cli/bundle/gemini.js"), "--yolo", "--prompt", ASKED]
    environment = {
        "GEMINI_API_KEY": "made-up",
        "GOOGLE_GEMINI_BASE_URL": origin,
        "GEMINI_CLI_TRUST_WORKSPACE": "true",
    }
    return command, environment


HOSTS: dict[str, tuple[Host, str]] = {
    "Claude Code": (claude_code, f".claude/image-cache/{SESSION}/1.jpg"),
    "opencode": (opencode, "tmp/opencode-clipboard.jpg"),
    "Codex": (codex, "tmp/codex-clipboard-Xa81kQ.jpg"),
    "Gemini CLI": (gemini_cli, ".gemini/tmp/work/images/clipboard-1795723000000.jpg"),
}
"""Each with the place, below its user's home, at which it keeps a pasted photo, or else for temporary files."""


def script_with(photo: Path) -> list[Step]:
    """Return the calls that the model makes: with the photo that was pasted as the person."""
    return [
        Step("create_try_on", {"human_image": str(photo), "cloth_image": str(sample("upper"))}),
        Step("get_try_on", {"task_id": "{task_id}", "wait_seconds": 30}),
        Step("view_try_on", {"task_id": "{task_id}", "compare": True}),
    ]


CHECKS: tuple[Check, ...] = (
    the_tools_are_offered,
    the_create_says_status_ids_and_next_step,
    the_get_says_status_link_and_next_step,
    the_view_shows_the_picture_and_the_link,
)


def run(host: Host, pasted: str, script: Callable[[Path], list[Step]]) -> tuple[Seen, str]:
    """Run a host in an empty home, with a photo pasted; return what its model saw, and what the host itself wrote.

    `script` makes of the pasted photo's place the calls of the model.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        model = Model(script(home / pasted))
        with serving(model) as origin:
            command, environment = host(home, origin)
            for place in (home / "work", home / "tmp", (home / pasted).parent):
                place.mkdir(parents=True, exist_ok=True)
            (home / pasted).write_bytes(sample("person").read_bytes())
            # Nothing of this machine's own settings, and no account, reaches a host.
            bare = {"PATH": os.environ["PATH"], "HOME": folder, "TMPDIR": str(home / "tmp"), "LANG": "C.UTF-8"}
            try:
                ended = subprocess.run(
                    command, cwd=home / "work", env=bare | environment, stdin=subprocess.DEVNULL, capture_output=True,
                    text=True, timeout=SECONDS, check=False,
                )  # fmt: skip
            except subprocess.TimeoutExpired as error:
                return model.seen, f"not over after {SECONDS} s\n{error.stdout!r}\n{error.stderr!r}"
    return model.seen, f"exit {ended.returncode}\n{ended.stdout}\n{ended.stderr}"


def say(line: str) -> None:
    """Tell whoever runs it."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Check every host, or those named."""
    wanted = sys.argv[1:] or list(HOSTS)
    passed = failed = 0
    for name in wanted:
        for script, checks in ((script_with, CHECKS), (own_photos.script_without, own_photos.CHECKS)):
            seen, wrote = run(*HOSTS[name], script)
            failures = failures_of(seen, {check.__name__.replace("_", " "): check for check in checks})
            for check in checks:
                line = check.__name__.replace("_", " ")
                say(f"FAILED  {name}: {line}\n{failures[line]}" if line in failures else f"ok      {name}: {line}")
            passed += len(checks) - len(failures)
            failed += len(failures)
            if failures:
                say(f"{name} wrote:\n{wrote[-4000:]}")
    say(f"{passed} passed" + (f", {failed} failed" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
