"""Many at once: large bodies wait for each other and small ones for nothing, and there are only so many connections."""

import asyncio
import base64
import gc
import json
from contextvars import ContextVar
from dataclasses import replace

import anyio
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from kolors_mcp.clock import Clock, Ending
from kolors_mcp.images.formats.content import MemoryContent
from kolors_mcp.server.http.bodies import Bodies
from kolors_mcp.server.http.bounds import FOR_SERVICE, Bounds
from kolors_mcp.server.hurry import HURRY
from kolors_mcp.server.lifting import LIFTED
from kolors_mcp.server.small_first import LARGE
from tests.support.http_in_process import Client, lengths, served, settled
from tests.support.still_time import turn

pytestmark = pytest.mark.anyio

SMALL = replace(FOR_SERVICE, body_bytes=3000, small_body_bytes=100, bodies_bytes=5000)


USER: ContextVar[str] = ContextVar("user")
"""Whose a request of these tests is: the last letter of its path."""


def for_users(bounds: Bounds) -> ASGIApp:
    bodies = Bodies(lengths, bounds, Ending(), Clock(), whose=USER.get)

    async def named(scope: Scope, receive: Receive, send: Send) -> None:
        USER.set(scope["path"][-1])
        await bodies(scope, receive, send)

    return named


def behind(bounds: Bounds = SMALL) -> Bodies:
    return Bodies(lengths, bounds, Ending(), Clock())


async def text_of(client: Client) -> str:
    return (await client.answer())[2]


async def test_a_large_body_waits_until_others_leave_it_room_and_a_small_one_does_not() -> None:
    async with served(behind(), SMALL) as connect:
        first, second, third, small = [await connect() for _ in range(4)]
        await first.begin(3000)
        await second.begin(1900)
        await third.begin(2000)
        await third.say(b"x" * 2000)
        await small.begin(100)
        await small.say(b"x" * 100)
        assert await text_of(small) == "100"
        assert not third.reader.at_eof()
        turn(14)
        await settled()
        await first.say(b"x" * 3000)
        assert await text_of(first) == "3000"
        assert await text_of(third) == "2000"
        await second.say(b"x" * 1900)
        assert await text_of(second) == "1900"


async def test_who_has_half_of_the_room_lets_others_go_first_and_without_others_has_all_of_it() -> None:
    bounds = replace(SMALL, body_bytes=1000, bodies_bytes=4000)
    async with served(for_users(bounds), bounds) as connect:
        order: list[str] = []
        answers: list[asyncio.Task[None]] = []

        async def begin(user: str) -> Client:
            client = await connect()
            await client.begin(1000, path=f"/{user}")
            return client

        async def hear(name: str, client: Client) -> None:
            assert await text_of(client) == "1000"
            order.append(name)

        busy = [await begin("a") for _ in range(4)]
        for name in ("a", "a", "b", "c", "b"):
            waiting = await begin(name)
            await waiting.say(b"x" * 1000)
            answers.append(asyncio.create_task(hear(name, waiting)))
        await settled()
        assert order == []
        for client in busy:
            await client.say(b"x" * 1000)
        await asyncio.gather(*answers)
        assert order == ["b", "c", "b", "a", "a"]


async def test_a_large_body_for_which_there_is_no_room_in_time_is_refused_with_when_to_come_again() -> None:
    async with served(behind(), SMALL) as connect:
        first, second, later = await connect(), await connect(), await connect()
        await first.begin(3000)
        await second.begin(3000)
        turn(16)
        status, headers, text = await second.answer()
        assert (status, headers["retry-after"]) == (503, "5")
        assert text.startswith("Too many large requests are under way here, and nothing was done.")
        # What was refused keeps no room.
        await later.begin(2000)
        await later.say(b"x" * 2000)
        assert await text_of(later) == "2000"


async def test_a_body_in_chunks_takes_the_room_of_the_largest_once_it_is_not_small() -> None:
    async with served(behind(), SMALL) as connect:
        chunked, second = await connect(), await connect()
        await chunked.begin(None)
        await chunked.say(b"65\r\n" + b"x" * 101 + b"\r\n")
        await second.begin(2500)
        await second.say(b"x" * 2500)
        turn(16)
        assert (await second.answer())[0] == 503
        await chunked.say(b"0\r\n\r\n")
        assert await text_of(chunked) == "101"


async def patient(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a large body only when its room is needed."""
    if (hurry := HURRY.get()) is not None and not hurry.has_begun:
        with hurry.bound(anyio.CancelScope()):
            await anyio.sleep_forever()
    await lengths(scope, receive, send)


async def test_who_keeps_room_for_longest_is_to_wait_no_more_when_another_body_needs_it() -> None:
    async with served(Bodies(patient, SMALL, Ending(), Clock()), SMALL) as connect:
        clients = [await connect() for _ in range(4)]
        answers = [asyncio.create_task(text_of(client)) for client in clients]

        async def answered() -> list[bool]:
            await settled()
            return [answer.done() for answer in answers]

        for client, size in zip(clients[:2], (3000, 1900), strict=True):
            await client.begin(size)
            await client.say(b"x" * size)
        assert await answered() == [False] * 4
        await clients[2].begin(2000)
        await clients[2].say(b"x" * 2000)
        assert await answered() == [True, False, False, False]
        await clients[3].begin(1900)
        assert await answered() == [True, True, False, False]
        await clients[3].say(b"x" * 1900)
        assert await answered() == [True, True, False, False]
        for answer in answers:
            answer.cancel()


async def test_a_call_whose_pictures_have_been_sent_keeps_no_room_however_long_it_waits() -> None:
    texts = [base64.b64encode(bytes([number]) * 21_000).decode() for number in (1, 2)]
    params = {"name": "create_try_on", "arguments": dict(zip(("human_image", "cloth_image"), texts, strict=True))}
    create = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    contents: list[MemoryContent] = []

    async def waiting(scope: Scope, receive: Receive, send: Send) -> None:
        if (lifted := LIFTED.get()) is None:
            await lengths(scope, receive, send)
            return
        contents.extend(MemoryContent(picture.data, picture.gone) for picture in lifted.pictures.values())
        assert len((await receive())["body"]) < 300
        await anyio.sleep_forever()

    bounds = replace(SMALL, body_bytes=60_000, bodies_bytes=100_000)
    async with served(Bodies(waiting, bounds, Ending(), Clock()), bounds) as connect:
        first, second, third = await connect(), await connect(), await connect()
        await first.begin(len(create))
        await first.say(create)
        person, garment = contents
        assert [person.read(0, 2), garment.read(0, 2)] == [b"\x01\x01", b"\x02\x02"]
        await second.begin(60_000)
        await second.say(b"x" * 60_000)
        answer = asyncio.create_task(text_of(second))
        person.close()
        person.close()
        await settled()
        assert not answer.done()
        garment.close()
        assert await answer == "60000"
        # It is given back once, however the call ends.
        first.writer.close()
        await settled()
        await third.begin(60_000)
        fourth = await connect()
        await fourth.begin(60_000)
        await fourth.say(b"x" * 60_000)
        turn(16)
        assert (await fourth.answer())[0] == 503


async def test_a_small_request_that_follows_a_large_one_at_once_has_nothing_of_it() -> None:
    seen: list[tuple[bool, bool, bool]] = []

    async def looking(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((HURRY.get() is None, LIFTED.get() is None, LARGE.get()))
        await lengths(scope, receive, send)

    params = {"name": "create_try_on", "arguments": {"human_image": base64.b64encode(bytes(21_000)).decode()}}
    create = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    bounds = replace(SMALL, body_bytes=60_000, bodies_bytes=60_000)
    async with served(Bodies(looking, bounds, Ending(), Clock()), bounds) as connect:
        client = await connect()
        head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n"
        await client.say(head.format(len(create)).encode() + create + head.format(5).encode() + b"small")
        assert int(await text_of(client)) < 300
        assert await text_of(client) == "5"
    assert seen == [(False, False, True), (True, True, False)]


@pytest.mark.parametrize("leaves", ["while it sends", "while it waits"])
async def test_the_room_of_one_that_has_left_is_free(leaves: str) -> None:
    async with served(behind(), SMALL) as connect:
        first, second, third = [await connect() for _ in range(3)]
        await first.begin(3000)
        await second.begin(3000)
        gone = first if leaves == "while it sends" else second
        gone.writer.close()
        await settled()
        if gone is second:
            await first.say(b"x" * 3000)
            assert await text_of(first) == "3000"
        else:
            await second.say(b"x" * 3000)
            assert await text_of(second) == "3000"
        await third.begin(3000)
        await third.say(b"x" * 3000)
        assert await text_of(third) == "3000"


async def test_nothing_is_taken_for_what_stays_before_all_is_loaded_that_creates_need() -> None:
    loaded: list[bool] = []
    bodies = Bodies(lengths, SMALL, Ending(), Clock(), has_loaded=lambda: bool(loaded))

    async def frozen_by_one(client: Client) -> int:
        await client.begin(2000)
        await client.say(b"x" * 2000)
        assert await text_of(client) == "2000"
        return gc.get_freeze_count()

    # Enough that what other tests leave, or what is freed meanwhile, does not matter.
    made = [[number] for number in range(5000)]
    async with served(bodies, SMALL) as connect:
        before = gc.get_freeze_count()
        assert await frozen_by_one(await connect()) < before + len(made)
        loaded.append(True)
        assert await frozen_by_one(await connect()) >= before + len(made)
    # It stays frozen: what has been loaded for all tests would else be looked through by every test after this one.


async def test_beyond_the_most_connections_the_one_that_is_idle_for_longest_makes_room() -> None:
    bounds = replace(SMALL, connections=2)
    async with served(behind(bounds), bounds) as connect:
        oldest, younger = await connect(), await connect()
        await oldest.begin(0)
        await oldest.answer()  # so the other one is idle for longer now
        newest = await connect()
        assert [await client.ended() for client in (oldest, younger, newest)] == [False, True, False]
        await newest.begin(0)
        assert (await newest.answer())[0] == 200


async def test_where_all_connections_are_busy_a_new_one_is_told_to_come_again() -> None:
    bounds = replace(SMALL, connections=2)
    async with served(behind(bounds), bounds) as connect:
        busy = [await connect(), await connect()]
        for client in busy:
            await client.begin(50)
        refused = await connect()
        status, headers, text = await refused.answer()
        assert (status, headers["retry-after"]) == (503, "5")
        assert text == "This service has too many connections. Connect again in a few seconds.\n"
        for client in busy:
            await client.say(b"x" * 50)
            assert await text_of(client) == "50"
