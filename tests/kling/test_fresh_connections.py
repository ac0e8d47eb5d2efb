"""A create goes out over a connection of its own: one that was kept may be closed at the other end by then."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest
from pydantic import SecretStr

from kolors_mcp.kling.client import KlingClient
from kolors_mcp.kling.wire import CreateRequest
from kolors_mcp.settings import Credentials
from tests.support.making import BytesPicture
from tests.support.raw_kling import ROW, raw_answer, said

pytestmark = pytest.mark.anyio
KEY = Credentials(api_key=SecretStr("key"))


@dataclass
class Forgetful:
    """A Kling that closes each connection after `answers` requests, but only when the next one has been sent."""

    answers: int
    origin: str = ""
    connections: list[list[str]] = field(default_factory=list[list[str]])
    """The methods of the requests that came over each."""


@asynccontextmanager
async def forgetful(answers: int) -> AsyncGenerator[Forgetful]:
    made = Forgetful(answers)
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        seen = list[str]()
        made.connections.append(seen)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
                await reader.readexactly(int(fields.get(b"content-length", b"0")))
                seen.append(head.split(b" ")[0].decode())
                if len(seen) > made.answers:
                    break
                writer.write(raw_answer(said([ROW] if b"pageNum" in head else ROW)))
                await writer.drain()
        serving.discard(task)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    made.origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()
        for task in list(serving):
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


def request(number: int) -> CreateRequest:
    return CreateRequest(BytesPicture(), BytesPicture(), None, None, f"k-{number:024x}")


async def test_a_create_after_a_read_is_no_doubt_though_the_kept_connection_is_closed_meanwhile() -> None:
    async with forgetful(answers=1) as kling:
        client = KlingClient(kling.origin, lambda: KEY)
        await client.page(1, 1)
        for number in range(3):
            assert (await client.create(request(number))).id == ROW["task_id"]
        await client.aclose()
    assert kling.connections == [["GET"], ["POST"], ["POST"], ["POST"]]


async def test_reads_go_on_over_the_connection_that_they_have() -> None:
    async with forgetful(answers=100) as kling:
        client = KlingClient(kling.origin, lambda: KEY)
        for number in range(2):
            await client.page(1, 1)
            await client.create(request(number))
            await client.read(ROW["task_id"])
        await client.aclose()
    assert kling.connections == [["GET"] * 4, ["POST"], ["POST"]]
