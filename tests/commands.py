"""Runs `python -m kolors_mcp` and other programs as real processes, with an environment that a test chooses."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from kolors_mcp.sandbox.kling import SandboxKling

HANG_SECONDS = 100
"""What is not there after so long will not come: below pytest's own limit, above what any machine needs."""


def environment(home: Path, **variables: str) -> dict[str, str]:
    """This process's environment without anybody's settings, with a home of its own, and the given variables."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("KLING_", "KOLORS_"))}
    kept = {"HOME": str(home), "USERPROFILE": str(home), "XDG_STATE_HOME": str(home / "state")}
    return {**inherited, **kept, **variables}


def account_of(kling: SandboxKling) -> dict[str, str]:
    """The variables that make a server use this simulated Kling."""
    return {
        "KLING_API_BASE": kling.origin,
        "KLING_API_KEY": kling.api_key,
        "KOLORS_ALLOWED_HOSTS": urlsplit(kling.origin).netloc,
    }


def ran(*command: str | Path, env: Mapping[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a Python program (or `-m module`) to its end, without a terminal."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )


def kolors(*arguments: str | Path, env: Mapping[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command `kolors-mcp`."""
    return ran("-m", "kolors_mcp", *arguments, env=env, cwd=cwd)
