"""How each host is started, without an account and without anybody at it: with this server, and a model on loopback."""

import json
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.hosts.over_http import Service

if TYPE_CHECKING:
    from tests.support.model_protocols import Json

PACKAGES = Path(os.environ.get("KOLORS_HOSTS", Path(__file__).parent)) / "node_modules"
CLAUDE = PACKAGES / "@anthropic-ai/claude-code/cli-wrapper.cjs"
SESSION = "0b54a9d1-6c2b-4f0e-9c54-6d2a7f6f3d11"
"""Of Claude Code, which soon removes the pictures of all others."""


@dataclass(frozen=True)
class Start:
    """With what a host is started."""

    home: Path
    """Of its user; empty."""
    model: str
    """The origin at which the model answers."""
    server: dict[str, str] | Service
    """The environment of this server; or the service, to which the host connects."""
    asked: str
    """What its user asks for."""

    def settings(self, local: Callable[[dict[str, str]], str], example: str) -> str:
        """Return what the host's settings say of this server.

        Args:
            local: Writes them for a server that the host starts.
            example: The file for the service.
        """
        return self.server.settings(example) if isinstance(self.server, Service) else local(self.server)

    @property
    def environment(self) -> dict[str, str]:
        """What the host's own environment needs."""
        return {"KOLORS_TOKEN": self.server.token} if isinstance(self.server, Service) else {}


Host = Callable[[Start], tuple[list[str], dict[str, str]]]
"""Returns a command and its environment."""


def claude_code(start: Start) -> tuple[list[str], dict[str, str]]:
    """Claude Code, print mode."""

    def local(env: dict[str, str]) -> str:
        server = {"type": "stdio", "command": sys.executable, "args": ["-m", "kolors_mcp"], "env": env}
        return json.dumps({"mcpServers": {"kolors": server}})

    config = start.home / "mcp.json"
    config.write_text(start.settings(local, "claude-code.mcp.json"))
    command = [
        "node", str(CLAUDE), "--print", start.asked,
        "--mcp-config", str(config), "--strict-mcp-config", "--allowedTools", "mcp__kolors",
        "--session-id", SESSION,
    ]  # fmt: skip
    return command, _claude_codes_own(start) | start.environment


def claude_code_by_command(start: Start) -> tuple[list[str], dict[str, str]]:
    """Claude Code, print mode, which keeps the service itself; only for that."""
    assert isinstance(start.server, Service)
    added = start.server.settings("claude-code.sh")
    script = f'claude() {{ node "$CLAUDE" "$@"; }}\n{added}claude --print "$ASKED" --allowedTools mcp__kolors'
    environment = {"CLAUDE": str(CLAUDE), "ASKED": start.asked}
    return ["/bin/sh", "-ec", script], environment | _claude_codes_own(start) | start.environment


def _claude_codes_own(start: Start) -> dict[str, str]:
    return {
        "ANTHROPIC_BASE_URL": start.model,
        "ANTHROPIC_API_KEY": "made-up",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "ENABLE_TOOL_SEARCH": "false",
    }


def opencode(start: Start) -> tuple[list[str], dict[str, str]]:
    """Opencode, run mode, with a provider of its own."""

    def local(env: dict[str, str]) -> str:
        server: Json = {"type": "local", "command": [sys.executable, "-m", "kolors_mcp"], "environment": env}
        return json.dumps({"mcp": {"kolors": server | {"enabled": True, "timeout": 30_000}}})

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
        "options": {"baseURL": f"{start.model}/v1", "apiKey": "made-up"},
        "models": {"mock": model},
    }
    config = start.home / "opencode.json"
    config.write_text(
        json.dumps(
            {
                "$schema": "https://opencode.ai/config.json",
                "provider": {"mock": provider},
                "autoupdate": False,
                "share": "disabled",
                "permission": "allow",
            }
            | json.loads(start.settings(local, "opencode.json"))
        )
    )
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    program = PACKAGES / f"opencode-{sys.platform}-{machine}" / "bin" / "opencode"
    command = [str(program), "run", "--model", "mock/mock", start.asked]
    environment = {
        "OPENCODE_CONFIG": str(config),
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
        "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
        "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1",
    }
    return command, environment | start.environment


def codex(start: Start) -> tuple[list[str], dict[str, str]]:
    """Codex, exec mode, with a provider of its own."""
    folder = start.home / "codex"
    folder.mkdir()
    quoted = json.dumps  # what TOML takes too

    def local(env: dict[str, str]) -> str:
        environment = ", ".join(f"{name} = {quoted(value)}" for name, value in env.items())
        return f"""\
[mcp_servers.kolors]
command = {quoted(sys.executable)}
args = ["-m", "kolors_mcp"]
env = {{ {environment} }}
startup_timeout_sec = 30
tool_timeout_sec = 330
"""

    (folder / "config.toml").write_text(
        f"""\
model = "mock"
model_provider = "mock"

[model_providers.mock]
name = "Mock"
base_url = {quoted(f"{start.model}/v1")}
wire_api = "responses"

{start.settings(local, "codex.toml")}
required = true
"""
    )
    machine = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), platform.machine())
    [program] = (PACKAGES / "@openai" / f"codex-{sys.platform}-{machine}").glob("vendor/*/bin/codex")
    command = [str(program), "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", start.asked]
    return command, {"CODEX_HOME": str(folder)} | start.environment


def gemini_cli(start: Start) -> tuple[list[str], dict[str, str]]:
    """Gemini CLI, with a prompt on its command line."""
    folder = start.home / ".gemini"
    folder.mkdir()

    def local(env: dict[str, str]) -> str:
        server: Json = {"command": sys.executable, "args": ["-m", "kolors_mcp"], "env": env, "trust": True}
        return json.dumps({"mcpServers": {"kolors": server}})

    settings: Json = {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "privacy": {"usageStatisticsEnabled": False},
        "general": {"enableAutoUpdate": False},
    }
    settings |= json.loads(start.settings(local, "gemini-cli.json"))
    (folder / "settings.json").write_text(json.dumps(settings))
    command = ["node", str(PACKAGES / "@google/gemini-cli/bundle/gemini.js"), "--yolo", "--prompt", start.asked]
    environment = {
        "GEMINI_API_KEY": "made-up",
        "GOOGLE_GEMINI_BASE_URL": start.model,
        "GEMINI_CLI_TRUST_WORKSPACE": "true",
    }
    return command, environment | start.environment


HOSTS: dict[str, tuple[Host, str]] = {
    "Claude Code": (claude_code, f".claude/image-cache/{SESSION}/1.jpg"),
    "opencode": (opencode, "tmp/opencode-clipboard.jpg"),
    "Codex": (codex, "tmp/codex-clipboard-Xa81kQ.jpg"),
    "Gemini CLI": (gemini_cli, ".gemini/tmp/work/images/clipboard-1795723000000.jpg"),
}
"""Each with the place, below its user's home, at which it keeps a pasted photo, or else for temporary files."""
BY_COMMAND: dict[str, Host] = {"Claude Code": claude_code_by_command}
"""Hosts that docs/service.md tells to set up by a command, too."""
