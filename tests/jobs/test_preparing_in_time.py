"""Photos that take longer than the caller waits: the answer comes in time, while there is some left for the sending."""

import asyncio
import math

import pytest

from kolors_mcp.server.request import MAX_SILENT_CALL_SECONDS
from kolors_mcp.try_ons.try_ons import SENDING_SECONDS
from tests.support.making import jpeg
from tests.support.still_time import idle, turn
from tests.support.wishing import PERSON, World

pytestmark = pytest.mark.anyio

PHOTOS_WITHIN = MAX_SILENT_CALL_SECONDS - SENDING_SECONDS


@pytest.mark.parametrize("late", [False, True])
async def test_photos_that_are_not_ready_in_time_are_a_refusal_and_nothing_is_sent(world: World, late: bool) -> None:
    # Each photo comes within the time of a fetch; both together do, or do not, within the caller's.
    half = PHOTOS_WITHIN / 2
    photos = iter(((half, jpeg(colour="navy")), (half + (0.25 if late else -0.25), jpeg(colour="olive"))))

    async def shop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        seconds, picture = next(photos)
        # A comment of the picture is what arrives all the time, so that the server is late and not slow.
        comment = b"\xff\xfe" + (60_000).to_bytes(2) + bytes(59_998)
        picture = picture[:2] + comment + picture[2:]
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(picture))
        steps = 2 * math.ceil(seconds)
        for step in range(steps):
            piece, picture = picture[:2_000], picture[2_000:]
            writer.write(piece if step < steps - 1 else piece + picture)
            await idle()
            turn(seconds / steps)
        writer.close()

    async with await asyncio.start_server(shop, "127.0.0.1", 0) as listening:
        host = f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        allowed = world.settings().allowed_hosts | {host}
        async with world.server(allowed_hosts=allowed) as assistant:
            said = await assistant.call(
                "create_try_on",
                human_image=PERSON,
                cloth_image=f"http://{host}/upper.jpg",
                lower_cloth_image=f"http://{host}/lower.jpg",
            )
    assert said.is_error == late
    if late:
        assert said.text.startswith("Error: The pictures were not ready in time. Nothing was sent.")
    assert world.posts == (0 if late else 1)
