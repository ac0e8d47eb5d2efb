"""What a server may keep a fetch waiting: four seconds in all that bring next to nothing, whichever way it does it."""

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import anyio
import httpcore
import pytest

from kolors_mcp.images.sources.fetch import FetchLimits
from tests.support.images_support import png
from tests.support.images_web import Web, web
from tests.support.network import redirect, response
from tests.support.still_time import idle, turn

pytestmark = pytest.mark.anyio

BODY = png()
OK = b"HTTP/1.1 200 OK\r\n"
SLOW = 'cloth_image is delivered too slowly by "shop.example". Try again, or download it and give the file.'
PAGE = response(b'<html><meta property="og:image" content="/b.png">', kind="text/html")
MOST_SECONDS = 4.5


@dataclass
class Slowly:
    """Sends an answer in pieces, and lets time pass before each of them."""

    pieces: Sequence[tuple[float, bytes]]
    again: tuple[float, bytes] | None = None
    """What is sent for ever after."""

    async def __call__(self, stream: anyio.abc.ByteStream) -> None:
        async with stream:
            await stream.receive()
            await self.answer(stream)

    async def answer(self, stream: anyio.abc.ByteStream) -> None:
        for seconds, piece in self.pieces:
            await self._send(stream, seconds, piece)
        while self.again:
            await self._send(stream, *self.again)

    @staticmethod
    async def _send(stream: anyio.abc.ByteStream, seconds: float, piece: bytes) -> None:
        # In steps, as time passes: whoever has had enough meanwhile goes.
        await idle()
        while seconds > 0:
            turn(min(seconds, 0.05))
            seconds -= 0.05
            await idle()
        await stream.send(piece)


def by_path(**behaviours: Slowly) -> Callable[[anyio.abc.ByteStream], Awaitable[None]]:
    async def behave(stream: anyio.abc.ByteStream) -> None:
        async with stream:
            path = (await stream.receive()).split(b" ", 2)[1].decode()
            await behaviours[path.strip("/").partition(".")[0]].answer(stream)

    return behave


LAZY = {
    "silence": Slowly([(60, b"")]),
    "a body byte by byte": Slowly([(0, OK + b"Content-Length: 9999999\r\n\r\n")], (0.05, b"x")),
    "a body at 900 bytes a second": Slowly([(0, OK + b"\r\n")], (0.1, b"x" * 90)),
    "chunks of one byte": Slowly([(0, OK + b"Transfer-Encoding: chunked\r\n\r\n")], (0.05, b"1\r\nx\r\n")),
    "a head byte by byte": Slowly([(0, OK + b"X-A: ")], (0.05, b"b")),
    "many headers at some pace": Slowly([(0, OK)], (0.05, b"X-A: " + b"b" * 100 + b"\r\n")),
    "interim answers": Slowly([], (0.2, b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")),
    "seconds with bytes and seconds without": Slowly(
        [(0, OK + b"\r\n")] + [(second % 2 * 2.0, bytes(2_000)) for second in range(40)]
    ),
    "all but the end": Slowly([(0, OK + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY[:-1]), (60, b"")]),
}


async def refused_after(site: Web, path: str = "/a.png") -> tuple[float, str]:
    began = anyio.current_time()
    said = await site.refused(path)
    return anyio.current_time() - began, said


@pytest.mark.parametrize("case", LAZY)
async def test_a_server_that_brings_next_to_nothing_is_given_up_after_four_seconds(case: str) -> None:
    async with web() as site:
        site.server.behave = LAZY[case]
        took, said = await refused_after(site)
        assert said == SLOW
        assert 3.9 < took < (MOST_SECONDS if "without" not in case else 12)
        # An innocent call right after it.
        del site.server.behave
        site.server.answers["/b.png"] = response(BODY)
        assert (await site.pictures.prepare("http://shop.example/b.png", "cloth_image")).notes == ()


@pytest.mark.parametrize("case", LAZY)
async def test_without_the_account_it_would_be_waited_for_until_the_deadline(case: str) -> None:
    async with web(FetchLimits(slow_seconds=math.inf)) as site:
        site.server.behave = LAZY[case]
        took, said = await refused_after(site)
    assert "was not delivered within 20 seconds" in said
    assert took >= 20


async def test_redirects_that_each_take_long_are_added_up() -> None:
    async with web() as site:
        site.server.behave = Slowly([(0.9, redirect("/a.png"))])
        took, said = await refused_after(site)
    assert (said, took < MOST_SECONDS) == (SLOW, True)


@pytest.mark.parametrize("seconds", [(0.1, 60.0), (3.0, 3.0), (2.0, 60.0)])
async def test_a_page_and_its_picture_are_added_up(seconds: tuple[float, float]) -> None:
    async with web() as site:
        site.server.behave = by_path(
            a=Slowly([(seconds[0], PAGE)]), b=Slowly([(seconds[1], response(BODY)), (60, b"")])
        )
        took, said = await refused_after(site)
    assert (said, took < MOST_SECONDS) == (SLOW, True)


async def test_an_encrypted_connection_that_is_never_agreed_on_is_given_up() -> None:
    async with web() as site:
        site.server.behave = Slowly([(60, b"")])
        began = anyio.current_time()
        assert await site.refused("/a.png", "https://shop.example") == SLOW
        assert anyio.current_time() - began < MOST_SECONDS


@pytest.mark.parametrize("step", ["_resolver", "_connect"])
async def test_a_name_or_an_address_that_never_answers_is_given_up(step: str) -> None:
    async def never(*_: object) -> httpcore.AsyncNetworkStream:
        turn(MOST_SECONDS)
        await anyio.sleep_forever()
        raise AssertionError

    async with web() as site:
        setattr(site.pictures._fetcher._backend, step, never)  # pyright: ignore[reportPrivateUsage]  (the network's place)
        assert await site.refused("/a.png") == SLOW


def at_a_pace(size: int, *, seconds: float, piece: int, first: float = 0.5, stall: float = 0.0) -> Slowly:
    whole = BODY + bytes(size - len(BODY))
    pieces = [whole[at : at + piece] for at in range(0, size, piece)]
    slowly = [(first, OK + b"Content-Length: %d\r\n\r\n" % size)]
    slowly += [(stall if number == len(pieces) // 2 else seconds, data) for number, data in enumerate(pieces)]
    return Slowly(slowly)


@pytest.mark.parametrize(
    "honest",
    [
        at_a_pace(150_000, seconds=0.1, piece=1_000),
        at_a_pace(150_000, seconds=0.5, piece=5_000, stall=3.0),
        at_a_pace(20_000, seconds=0.05, piece=100),
        Slowly([(3.0, response(BODY))]),
        Slowly([(3.0, OK), (0.5, response(BODY).partition(b"\r\n")[2])]),
    ],
    ids=["10 KB a second", "a stall of three seconds", "2 KB a second", "a late beginning", "a late head"],
)
async def test_slow_networks_are_waited_for(honest: Slowly) -> None:
    async with web() as site:
        site.server.behave = honest
        picture = await site.pictures.prepare("http://shop.example/a.png", "cloth_image")
        assert b"".join(picture.blocks()) == BODY
