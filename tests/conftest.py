"""What most tests need: one event loop, and a simulated Kling on loopback."""

from collections.abc import Iterator

import pytest

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
