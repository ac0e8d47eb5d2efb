"""The connections under the HTTP library: what has come is had before what went wrong, and nothing piles up."""

import asyncio
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpcore
import pytest

from kolors_mcp.egress import tcp
from tests.support.still_time import idle, turn

pytestmark = pytest.mark.anyio

PIECE = bytes(64 * 1024)
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@asynccontextmanager
async def connected() -> AsyncGenerator[tuple[httpcore.AsyncNetworkStream, asyncio.StreamReader, asyncio.StreamWriter]]:
    """Yield both ends of a connection, ours first."""
    accepted: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accepted.put((reader, writer))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        ours = await tcp.TcpBackend().connect_tcp("127.0.0.1", server.sockets[0].getsockname()[1], 5.0)
        reader, writer = await accepted.get()
        try:
            yield ours, reader, writer
        finally:
            await ours.aclose()
            writer.transport.abort()


async def write_for_ever(stream: httpcore.AsyncNetworkStream, seconds: float) -> None:
    while True:
        await stream.write(PIECE, seconds)


async def test_an_answer_that_came_before_the_connection_broke_is_read_to_its_end() -> None:
    async with connected() as (ours, _, theirs):
        theirs.write(b"refused")
        await theirs.drain()
        assert await ours.read(1, 5.0) == b"r"
        theirs.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        theirs.transport.abort()
        with pytest.raises(httpcore.WriteError):
            await write_for_ever(ours, 5.0)
        assert await ours.read(2, 5.0) == b"ef"
        assert await ours.read(100, 5.0) == b"used"
        with pytest.raises(httpcore.ReadError):
            await ours.read(100, 5.0)


async def test_what_comes_is_taken_in_only_as_fast_as_it_is_asked_for() -> None:
    async with connected() as (ours, _, theirs):
        theirs.transport.set_write_buffer_limits(0)

        async def send() -> int:
            for _ in range(1_000):
                theirs.write(PIECE)
                await theirs.drain()
            theirs.write_eof()
            return 1_000 * len(PIECE)

        sending = asyncio.create_task(send())
        most = total = 0
        while piece := await ours.read(1 << 30, 5.0):
            most, total = max(most, len(piece)), total + len(piece)
            for _ in range(5):  # in which much more could come
                await asyncio.sleep(0)
        assert total == await sending
        assert most < tcp.HELD_BYTES + 1_000_000


async def test_other_work_has_its_turn_between_two_pieces_that_are_sent() -> None:
    async with connected() as (ours, theirs, _):
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        working = asyncio.create_task(other())
        for _ in range(10):
            await ours.write(b"a", 5.0)
        working.cancel()
        assert turns >= 10
        assert await theirs.readexactly(10) == b"a" * 10


async def test_a_reader_that_takes_nothing_lets_the_writer_wait_until_its_time_is_over() -> None:
    async with connected() as (ours, _, _theirs):
        writing = asyncio.create_task(write_for_ever(ours, 5.0))
        await idle()
        turn()
        with pytest.raises(httpcore.WriteTimeout):
            await writing


async def test_an_address_at_which_nobody_listens_is_a_connect_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(httpcore.ConnectError):
            await tcp.TcpBackend().connect_tcp("127.0.0.1", taken.getsockname()[1], 5.0)
