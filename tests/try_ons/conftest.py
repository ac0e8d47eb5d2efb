"""The assistant that the tests of answers share."""

from collections.abc import AsyncIterator

import pytest

from tests.support.making import Era
from tests.support.wishing import Assistant, World


@pytest.fixture
async def assistant(world: World, era: Era) -> AsyncIterator[Assistant]:
    async with world.server(None if era == "auto" else lambda _line: None) as made:
        yield made
