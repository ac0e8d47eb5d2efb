"""What one create writes into the ledger, through the server's front door."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine

from tests.support.wishing import MINUTE, World

FULL = 2
"""How SQLite calls a commit that waits for the disk."""

pytestmark = pytest.mark.anyio


@pytest.fixture
def waits() -> Iterator[list[bool]]:
    """For each write of a ledger, whether it waits for the disk. Reads are left out: some are in the background."""
    seen: list[bool] = []

    def committed(connection: Connection) -> None:
        seen.append(connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == FULL)

    event.listen(Engine, "commit", committed)
    yield seen
    event.remove(Engine, "commit", committed)


async def test_a_create_is_three_writes_of_which_two_wait_for_the_disk(world: World, waits: list[bool]) -> None:
    async with world.server(daily_limit=9) as assistant:
        await assistant.create()
        waits.clear()
        made = (await assistant.create("navy")).try_on
        assert waits == [False, True, True], "the reservation, the mark, the task"
        waits.clear()
        assert (await assistant.get(made.task_id, wait_seconds=MINUTE)).try_on.status == "succeed"
        assert waits == [False]
        waits.clear()
        assert (await assistant.get(made.task_id)).try_on.status == "succeed"
        assert waits == [], "there is no news"
