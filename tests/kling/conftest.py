"""The client of Kling that its tests share."""

from collections.abc import AsyncIterator

import pytest

from kolors_mcp.kling.client import KlingClient
from kolors_mcp.sandbox.kling import SandboxKling
from tests.support.making import TurnedClock, client_of


@pytest.fixture
async def client(kling: SandboxKling) -> AsyncIterator[KlingClient]:
    made = client_of(kling, clock=TurnedClock().clock())
    yield made
    await made.aclose()
