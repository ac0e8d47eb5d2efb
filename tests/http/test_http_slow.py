"""Nobody keeps the service waiting: slow bodies, slow heads, silent connections, answers that are not taken."""

from dataclasses import replace

import pytest
from starlette.types import Receive, Scope, Send

from kolors_mcp.clock import Clock, Ending
from kolors_mcp.server.http.bodies import Bodies
from kolors_mcp.server.http.bounds import FOR_SERVICE, Bounds
from tests.support.http_in_process import lengths, served, settled
from tests.support.still_time import turn

pytestmark = pytest.mark.anyio

SMALL = replace(FOR_SERVICE, body_bytes=3000, small_body_bytes=100, bodies_bytes=5000)


def behind(bounds: Bounds = SMALL, ending: Ending | None = None) -> Bodies:
    return Bodies(lengths, bounds, ending or Ending(), Clock())


@pytest.mark.parametrize("length", [50, 2000, None])
async def test_a_body_that_drips_ends_within_a_minute(length: int | None) -> None:
    async with served(behind(), SMALL) as connect:
        client = await connect()
        await client.begin(length)
        piece = b"1\r\nx\r\n" if length is None else b"x"
        for _ in range(39):
            turn(1)
            await client.say(piece)
        assert not await client.ended()
        turn(2)
        status, _, text = await client.answer()
    assert status == 408
    assert (
        text == "The request did not arrive in time, and nothing was done. Send it again, or give pictures as links.\n"
    )


async def test_a_body_that_comes_in_time_is_handed_on_whole() -> None:
    async with served(behind(), SMALL) as connect:
        client = await connect()
        for length in (0, 50, 2000):
            await client.begin(length)
            for _ in range(length // 50):
                turn(0.9)
                await client.say(b"x" * 50)
            status, _, text = await client.answer()
            assert (status, text) == (200, str(length))


@pytest.mark.parametrize("length", [50, 101, 2000, 2999, 3000, 3001])
async def test_a_body_without_a_length_that_comes_at_once_is_taken_for_whole(length: int) -> None:
    async with served(behind(), SMALL) as connect:
        client = await connect()
        head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        await client.say(head + b"%x\r\n%s\r\n0\r\n\r\n" % (length, b"x" * length))
        turn(SMALL.body_seconds + 1)
        status, _, text = await client.answer()
    assert (status, text) == (200, str(length)) if length <= SMALL.body_bytes else status == 413


@pytest.mark.parametrize("begun", [b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nX-A: b\r\n"])
async def test_a_head_that_drips_ends_ten_seconds_after_its_first_byte(begun: bytes) -> None:
    async with served(behind(), SMALL) as connect:
        client = await connect()
        turn(60)
        await client.say(begun)
        for _ in range(9):
            turn(1)
            await client.say(b"x")
        assert not await client.ended()
        turn(2)
        assert (await client.answer())[0] == 408
        assert await client.ended()


@pytest.mark.parametrize("asks", [False, True])
async def test_a_connection_that_says_nothing_ends_after_75_seconds(asks: bool) -> None:
    async with served(behind(), SMALL) as connect:
        client = await connect()
        if asks:
            await client.begin(0)
            await client.answer()
        turn(74)
        assert not await client.ended()
        turn(2)
        assert await client.ended()


async def test_what_still_comes_of_a_refused_body_is_dropped_for_ten_seconds_and_no_longer() -> None:
    async with served(behind(), SMALL) as connect:
        client = await connect()
        await client.begin(2500)
        await client.say(b"x" * 10)
        turn(41)
        assert (await client.answer())[0] == 408
        for _ in range(9):
            turn(1)
            await client.say(b"x")
        assert not await client.ended()
        turn(2)
        assert await client.ended()


async def test_a_connection_whose_refused_body_was_read_to_its_end_serves_on() -> None:
    async with served(behind(), SMALL) as connect:
        client = await connect()
        await client.begin(3001)
        assert (await client.answer())[0] == 413
        await client.say(b"x" * 3001)
        await client.begin(10)
        await client.say(b"x" * 10)
        assert (await client.answer())[2] == "10"


async def test_a_refused_body_is_not_dropped_without_end() -> None:
    async with served(behind(), SMALL) as connect:
        client = await connect()
        await client.begin(1_000_000)
        assert (await client.answer())[0] == 413
        await client.say(b"x" * 5900)
        assert not await client.ended()
        await client.say(b"x" * 200)
        assert await client.ended()


async def test_a_client_that_takes_nothing_of_its_answer_is_left_after_a_minute() -> None:
    sent = 0

    async def endless(_scope: Scope, _receive: Receive, send: Send) -> None:
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1000):
            await send({"type": "http.response.body", "body": b"x" * 1_000_000, "more_body": True})
            sent += 1
        await send({"type": "http.response.body", "body": b""})

    async with served(endless, SMALL) as connect:
        client = await connect()
        await client.begin(0)
        assert 0 < sent < 100  # as much as the system takes, and then nothing
        turn(59)
        await settled()
        stalled = sent
        turn(2)
        await settled()
        assert sent > stalled  # it is told so, and has to do with nobody any more


@pytest.mark.parametrize("length", [50, 2000])
async def test_with_the_end_of_the_service_no_body_is_waited_for(length: int) -> None:
    ending = Ending()
    async with served(behind(ending=ending), SMALL) as connect:
        client = await connect()
        await client.begin(length)
        await client.say(b"x" * 10)
        ending.begin()
        status, headers, text = await client.answer()
    assert (status, headers["retry-after"]) == (503, "5")
    assert text == "This service is ending, and nothing was done. Send the same request again in a few seconds.\n"
