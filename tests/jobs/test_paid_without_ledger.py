"""A ledger that will not open, hangs or fails: nothing is paid that is not written down, and nothing paid is hidden."""

from typing import Any

import anyio
import pytest

from kolors_mcp.errors import LedgerError
from kolors_mcp.ledger.job import NewJob
from kolors_mcp.ledger.ledger import Ledger
from kolors_mcp.server.request import MAX_SILENT_CALL_SECONDS
from tests.support.postgres import Postgres
from tests.support.postgres_relay import Moment, relay
from tests.support.still_time import turn
from tests.support.wishing import World

pytestmark = pytest.mark.anyio


async def test_without_a_ledger_nothing_is_created_and_everything_can_be_looked_at(world: World) -> None:
    async with world.server() as assistant:
        made = (await assistant.create()).try_on
    (world.folder / "a file").write_text("no folder")
    async with world.server(ledger=f"sqlite:///{world.folder / 'a file' / 'ledger'}") as assistant:
        for _ in range(2):
            said = await assistant.create("navy")
            assert said.unasked
            assert "ledger" in said.text
            assert "cannot be opened" in said.text
        assert (await assistant.get(made.task_id)).try_on.task_id == made.task_id
        assert (await assistant.get(made.reference or "")).try_on.task_id == made.task_id
        assert [row.task_id for row in (await assistant.list()).page.try_ons] == [made.task_id]
    assert world.posts == 1


async def test_a_ledger_that_fails_after_the_payment_does_not_hide_the_task(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise LedgerError("The ledger is full.")

    async with world.server() as assistant:
        with monkeypatch.context() as patch:
            patch.setattr(Ledger, "created", broken)
            made = (await assistant.create()).try_on
        assert made.reference is not None
        again = (await assistant.create()).try_on
        assert (again.task_id, again.reused) == (made.task_id, True)
    assert world.posts == 1


async def test_a_caller_who_leaves_while_the_wish_is_written_down_pays_nothing_and_blocks_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, go_on, taken_back = anyio.Event(), anyio.Event(), anyio.Event()
    reserve, refused = Ledger.reserve, Ledger.refused

    async def slowly(self: Ledger, new: NewJob, **more: Any) -> Any:
        made = await reserve(self, new, **more)
        written.set()
        await go_on.wait()
        return made

    async def noted(self: Ledger, reference: str, code: int | None = None) -> None:
        await refused(self, reference, code)
        taken_back.set()

    monkeypatch.setattr(Ledger, "refused", noted)
    async with world.server() as assistant:
        with monkeypatch.context() as patch:
            patch.setattr(Ledger, "reserve", slowly)
            async with anyio.create_task_group() as group:
                group.start_soon(assistant.create)
                await written.wait()
                group.cancel_scope.cancel()
        go_on.set()
        await taken_back.wait()
        assert not (await assistant.create()).try_on.reused
    assert world.posts == 1


async def test_a_ledger_that_hangs_is_a_refusal_in_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(_self: Ledger, _new: NewJob, **_more: Any) -> Any:
        turn(MAX_SILENT_CALL_SECONDS)
        await anyio.sleep_forever()

    for bound in ("LAST_SENDS_SECONDS", "MAX_CLOSE_SECONDS"):
        monkeypatch.setattr(f"kolors_mcp.jobs.sending.{bound}", 0.0)
    monkeypatch.setattr(Ledger, "reserve", never)
    async with world.server() as assistant:
        said = await assistant.create()
        assert said.unasked
        assert "ledger of paid try-ons did not answer in time" in said.text
    assert world.posts == 0


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_server_that_closes_the_connection_at_a_reservation_does_not_keep_the_create_from_being_made_once(
    world: World, postgres_server: Postgres, moment: Moment
) -> None:
    with relay(postgres_server) as between:
        async with world.server(ledger=between.url) as assistant:
            await assistant.create()
            between.cut(moment)
            made = (await assistant.create("navy")).try_on
            assert between.cuts == 1
            assert not made.reused
            assert (await assistant.create("navy")).try_on.task_id == made.task_id
    assert world.posts == 2


async def test_a_paid_create_is_not_denied_by_a_repetition_that_the_ledger_cannot_be_asked_about(
    world: World, postgres_server: Postgres
) -> None:
    with relay(postgres_server) as between:
        async with world.server(ledger=between.url) as assistant:
            made = (await assistant.create()).try_on
            between.is_away = True
            between.cut("before")
            said = await assistant.create()
            assert said.unasked
            assert not said.nothing_created
            between.is_away = False
            assert (await assistant.create()).try_on.task_id == made.task_id
    assert world.posts == 1
