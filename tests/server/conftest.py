"""The client in memory that the tests of the server share, in both eras of the protocol."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from mcp import Client

from kolors_mcp.sandbox.kling import SandboxKling
from tests.support.in_memory import server_for
from tests.support.making import Era
from tests.support.reading import Heard
from tests.support.same_loop import asked_in_the_same_loop


@pytest.fixture
def kling(kling: SandboxKling) -> Iterator[SandboxKling]:
    with asked_in_the_same_loop(kling):
        yield kling


@pytest.fixture
def heard() -> Any:
    made = Heard()
    yield made
    made.close()


@pytest.fixture
async def client(kling: SandboxKling, era: Era, heard: Heard) -> AsyncIterator[Client]:
    async with Client(server_for(kling), mode=era, message_handler=heard) as made:
        yield made
