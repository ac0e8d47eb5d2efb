"""What the host is written: at once where there is room, whole where there is none, and nobody else waits for it."""

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kolors_mcp.server.output import Output, writer_at_once
from tests.support.still_time import until

pytestmark = pytest.mark.anyio

LARGE = "é€" * 400_000 + "\n"
"""More than any pipe or socket holds, and nowhere on an even number of bytes."""

Ends = tuple[int, int]


@pytest.fixture(params=["pipe", "socket"])
def ends(request: pytest.FixtureRequest) -> Iterator[Ends]:
    """A way to write and one to read, as hosts in Python and Rust make them, and as those in Node.js do."""
    if request.param == "pipe":
        reading, writing = os.pipe()
    else:
        reading, writing = (end.detach() for end in socket.socketpair())
    yield writing, reading
    os.close(writing)
    os.close(reading)


async def test_a_small_message_is_out_without_a_thread(ends: Ends) -> None:
    writing, reading = ends
    before = threading.active_count()

    assert await Output(writing).write("hällo\n") == 6

    assert os.read(reading, 100) == "hällo\n".encode()
    assert threading.active_count() == before


async def test_a_message_that_has_no_room_goes_out_whole_and_holds_nobody_up(ends: Ends) -> None:
    writing, reading = ends
    output, others = Output(writing), list[int]()
    begun = asyncio.create_task(output.write(LARGE))
    await until(lambda: not begun.done())

    others.append(1)
    read = await asyncio.to_thread(_read, reading, len(LARGE.encode()))

    assert read == LARGE.encode()
    assert await begun == len(LARGE)
    assert others == [1]


async def test_messages_keep_their_order_where_some_have_no_room(ends: Ends) -> None:
    writing, reading = ends
    output = Output(writing)

    async def write() -> None:
        for text in ("a\n", LARGE, "b\n"):
            await output.write(text)

    begun = asyncio.create_task(write())
    read = await asyncio.to_thread(_read, reading, len(LARGE.encode()) + 4)
    await begun

    assert read == b"a\n" + LARGE.encode() + b"b\n"


async def test_others_who_share_the_descriptor_find_it_as_it_was(ends: Ends) -> None:
    writing, reading = ends
    await Output(writing).write("a\n")

    assert os.get_blocking(writing)
    assert os.get_blocking(reading)


def test_nothing_is_written_at_once_where_nothing_tells_whether_there_is_room(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        assert writer_at_once(folder)(b"a") == 0
    finally:
        os.close(folder)


def test_a_file_always_has_room(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as file:
        assert writer_at_once(file.fileno())(b"a") == 1


async def test_a_file_is_written_all_the_same(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as file:
        await Output(file.fileno()).write("ü\n")

    assert (tmp_path / "out").read_bytes() == "ü\n".encode()


def test_a_full_way_takes_nothing_and_does_not_wait(ends: Ends) -> None:
    writing, _ = ends
    write: Callable[[bytes], int] = writer_at_once(writing)
    while write(b"a" * 1000):
        pass

    assert write(b"b") == 0


async def test_a_host_that_has_gone_is_an_error(ends: Ends) -> None:
    writing, reading = ends
    gone = os.dup(writing)
    os.close(reading)
    os.dup2(os.open(os.devnull, os.O_RDONLY), reading)

    with pytest.raises(BrokenPipeError):
        await Output(gone).write("a\n")
    os.close(gone)


def _read(descriptor: int, count: int) -> bytes:
    read = b""
    while len(read) < count:
        read += os.read(descriptor, count - len(read))
    return read
