"""Runs the command in the process of the test, with the demo's server in memory: without what starting two costs."""

import io
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

from kolors_mcp import cli
from kolors_mcp.server import build_server
from kolors_mcp.settings import Credentials, Settings


@dataclass(frozen=True)
class Done:
    """What a command came to, as a finished process has it."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


def running_here(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return what runs the command with arguments and `env`, in this folder."""

    def in_memory(server: StdioServerParameters) -> Client:
        assert (server.command, server.args) == (sys.executable, ["-m", "kolors_mcp"])
        assert server.env is not None
        settings, credentials = Settings.from_env(server.env), Credentials.from_env(server.env)
        return Client(build_server(settings, lambda: credentials))

    def run(*arguments: str | Path, env: dict[str, str]) -> Done:
        with monkeypatch.context() as patch:
            patch.setattr("kolors_mcp.cli.demo.Client", in_memory)
            patch.setattr(sys, "stdin", io.StringIO())
            patch.setattr(os, "environ", env)
            patch.chdir(folder)
            status = cli.main([str(argument) for argument in arguments])
        output, complaint = capsys.readouterr()
        return Done(status, output, complaint)

    return run
