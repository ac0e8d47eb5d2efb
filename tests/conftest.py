"""What many tests need: one event loop, a simulated Kling on loopback, and who speaks with it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from making import Era
from wishing import World

from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.sandbox.running import running

pytest_plugins = ["postgres"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def kling() -> Iterator[SandboxKling]:
    """A simulated Kling that listens on a free port; its `origin` says where."""
    sandbox = SandboxKling()
    with running(sandbox):
        yield sandbox


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """One person's assistants, pictures and ledger, and a simulated Kling that listens."""
    made = World(tmp_path)
    with running(made.kling):
        yield made


@pytest.fixture(params=["auto", "legacy"])
def era(request: pytest.FixtureRequest) -> Era:
    return request.param
