"""A simulated Kling that is asked without sockets tells our client the same as over a connection."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from kolors_mcp import errors
from kolors_mcp.clock import Clock
from kolors_mcp.kling import connection
from kolors_mcp.kling.client import KlingClient
from kolors_mcp.kling.wire import CreateRequest
from kolors_mcp.sandbox import codes, faults
from kolors_mcp.sandbox.application import KlingApplication
from kolors_mcp.sandbox.faults import Fault
from kolors_mcp.sandbox.kling import SandboxKling
from tests.support.making import BytesPicture, api_key, client_of, create_request, noise
from tests.support.same_loop import Wire
from tests.support.still_time import turn, until

pytestmark = pytest.mark.anyio

UNTRIED_AGAIN = Clock(jitter=lambda: 1e6)
"""A read that fails is not repeated: its time would be over first."""
JSON = "application/json"
FAULTS: dict[str, Fault] = {
    "reset": faults.Disconnect(),
    "end": faults.Disconnect(fin=True),
    "reset when it is done": faults.Disconnect("after_acceptance"),
    "end when it is done": faults.Disconnect("after_acceptance", fin=True),
    "cut connection": faults.Cut(),
    "nothing but a head": faults.Cut(0.0),
    "cut json": faults.Cut(short_length=True),
    "empty answer": faults.Cut(0.0, short_length=True),
    "in pieces": faults.Drip(0, 7),
    "a page": faults.Raw(502),
    "a page with success": faults.Raw(200),
    "no body": faults.Raw(204, ""),
    "much": faults.Raw(200, "[" * 3_000_000, JSON),
    "elsewhere": faults.Redirect("https://elsewhere.example/", 307),
    "busy": faults.Refuse(1303, retry_after="3"),
    "unknown code": faults.Refuse(7777, status=500, accepted=True),
    "code as text": faults.CodeAsText(),
    "no data": faults.NoData(),
}
"""All that a test may play; resetting a connection before the body has come is for sockets, where chance is in it."""


@pytest.fixture(autouse=True)
def one_request_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codes, "uuid", Numbered)


class Numbered:
    """Makes ids that are all the same."""

    @staticmethod
    def uuid4() -> str:
        return "an-id"


@pytest.fixture
async def over_sockets(kling: SandboxKling) -> AsyncIterator[KlingClient]:
    made = client_of(kling, clock=UNTRIED_AGAIN)
    yield made
    await made.aclose()


@pytest.fixture
def in_the_loop(kling: SandboxKling) -> KlingClient:
    return KlingClient(kling.origin, lambda: api_key(kling), clock=UNTRIED_AGAIN, transport=Wire(kling))


async def outcome(asked: Awaitable[object]) -> str:
    try:
        await asked
    except errors.KolorsError as error:
        return f"{type(error).__name__}: {error}"
    return "done"


async def outcomes(kling: SandboxKling, arm: Callable[[Fault], None], ask: Callable[[], Awaitable[object]]) -> object:
    """What is told of each fault, what was made, and what was asked for it."""
    told: dict[str, object] = {}
    for name, fault in FAULTS.items():
        kling.faults.clear()
        made, asked = kling.tasks_created, len(kling.requests)
        arm(fault)
        said = await outcome(ask())
        seen = [(one.method, one.path, one.raw_query, one.body) for one in list(kling.requests)[asked:]]
        told[name] = said, kling.tasks_created - made, seen
    return told


async def test_whatever_befalls_a_create_is_told_the_same(
    kling: SandboxKling, over_sockets: KlingClient, in_the_loop: KlingClient
) -> None:
    kling.rules.external_ids = "make_second"

    async def of(client: KlingClient) -> object:
        await client.create(create_request())  # asks first whether this Kling knows references
        return await outcomes(kling, kling.faults.next_create, lambda: client.create(create_request("k-2")))

    assert await of(in_the_loop) == await of(over_sockets)


async def test_whatever_befalls_a_read_is_told_the_same(
    kling: SandboxKling, over_sockets: KlingClient, in_the_loop: KlingClient
) -> None:
    task = await over_sockets.create(create_request())

    async def of(client: KlingClient) -> object:
        return await outcomes(kling, kling.faults.next_read, lambda: client.read(task.id))

    assert await of(in_the_loop) == await of(over_sockets)


async def test_a_page_and_the_packs_are_read_the_same(
    kling: SandboxKling, over_sockets: KlingClient, in_the_loop: KlingClient
) -> None:
    for number in range(3):
        await in_the_loop.create(create_request(f"k-{number}"))
    assert await in_the_loop.page(1, 2) == await over_sockets.page(1, 2)
    here = await in_the_loop.packs()
    kling.clock.advance(2)
    assert here == await over_sockets.packs()


async def test_a_large_body_is_handed_over_as_it_is_taken(kling: SandboxKling, in_the_loop: KlingClient) -> None:
    person, garment = BytesPicture(noise()), BytesPicture(noise(1))
    await in_the_loop.create(CreateRequest(person, garment))
    [task] = kling.tasks.all
    assert (task.request.human, task.request.cloth) == (person.data, garment.data)


async def test_where_the_last_piece_may_not_leave_nothing_is_made(
    kling: SandboxKling, in_the_loop: KlingClient
) -> None:
    async def refuse() -> None:
        assert not kling.tasks_created
        raise errors.LedgerError("not your turn")

    assert await outcome(in_the_loop.create(create_request(None), commit=refuse)) == "LedgerError: not your turn"
    assert await outcome(in_the_loop.create(create_request(None))) == "done"
    assert kling.tasks_created == 1


async def test_what_a_caller_has_left_is_done_to_its_end(kling: SandboxKling, in_the_loop: KlingClient) -> None:
    kling.faults.next_create(faults.Slow(30))
    leaving = asyncio.ensure_future(in_the_loop.create(create_request(None)))
    await asyncio.to_thread(kling.clock.wait_for_sleepers)
    leaving.cancel()
    await asyncio.wait((leaving,))
    assert not kling.tasks_created
    kling.clock.advance(30)
    await until(lambda: kling.tasks_created == 1)


async def test_who_gets_no_answer_stops_waiting_when_the_connection_does(
    kling: SandboxKling, in_the_loop: KlingClient
) -> None:
    kling.faults.next_create(faults.Slow(1e6))
    asking = asyncio.ensure_future(outcome(in_the_loop.create(create_request("k-1"))))
    await asyncio.to_thread(kling.clock.wait_for_sleepers)
    read_seconds = connection.TIMEOUT["read"]
    assert read_seconds is not None
    turn(read_seconds)
    assert "ReadTimeout" in await asking


async def test_a_mistake_of_the_sandbox_is_seen_by_the_test(
    in_the_loop: KlingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_more: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(KlingApplication, "__call__", broken)
    with pytest.raises(ZeroDivisionError):
        await in_the_loop.read("1")
