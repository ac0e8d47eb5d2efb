"""Servers that send crumbs: between their pieces the event loop does its other work, and they are given up soon."""

import itertools
from collections.abc import Awaitable, Callable

import anyio
import h11
import pytest

from kolors_mcp.images.sources import pace
from kolors_mcp.images.sources.fetch import FetchLimits
from tests.support.images_support import png, quarters
from tests.support.images_web import Web, web
from tests.support.network import response
from tests.support.still_time import idle

pytestmark = pytest.mark.anyio

BODY = png(quarters((640, 480)))
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
CRUMBS = 'cloth_image cannot be fetched: "shop.example" sends it in too many small pieces.'
BROKEN = 'cloth_image could not be fetched whole: "shop.example" broke off or answered against the rules.'
LONG = 60
"""Seconds that no fetch here takes, so that a refusal is not the deadline's."""
MOST_EVENTS = 600
"""Events of the HTTP library between two turns of the loop: some tens of milliseconds at the worst."""


def endless(opening: bytes, piece: bytes) -> Callable[[anyio.abc.ByteStream], Awaitable[None]]:
    async def behave(stream: anyio.abc.ByteStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(opening)
            while True:
                await stream.send(piece)

    return behave


async def most_events_at_once(site: Web, monkeypatch: pytest.MonkeyPatch, link: str) -> tuple[int, str]:
    """How much of an answer was taken apart without a turn for anything else, and what was said about it."""
    events, most, said = 0, 0, ""
    really_next = h11.Connection.next_event

    def counting(connection: h11.Connection) -> object:
        nonlocal events, most
        events += 1
        most = max(most, events)
        return really_next(connection)

    async def other_work() -> None:
        nonlocal events
        while True:
            await anyio.lowlevel.checkpoint()
            events = 0

    monkeypatch.setattr(h11.Connection, "next_event", counting)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(other_work)
        scheme, _, path = link.partition("/")
        said = await site.refused(f"/{path}", f"{scheme}://shop.example")
        tasks.cancel_scope.cancel()
    return most, said


ENDLESS = {
    "chunks of one byte": (CHUNKED, b"1\r\nx\r\n" * 40_000, CRUMBS),
    "chunks with long extensions": (CHUNKED, (b"1;" + b"a" * 2_000 + b"\r\nx\r\n") * 100, CRUMBS),
    "interim answers": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 10_000, BROKEN),
    "interim answers with headers": (b"", (b"HTTP/1.1 100 Continue\r\n" + b"a: b\r\n" * 50 + b"\r\n") * 100, BROKEN),
    "headers": (OK, b"a: b\r\n" * 20_000, BROKEN),
    "one header": (OK + b"a: ", b"b" * 200_000, BROKEN),
    "folded headers": (OK + b"a: b\r\n", b" c\r\n" * 20_000, BROKEN),
    "trailers": (CHUNKED + b"1\r\nx\r\n0\r\n", b"a: b\r\n" * 20_000, BROKEN),
    "one chunk's extension": (CHUNKED + b"1;", b"a" * 200_000, BROKEN),
}


@pytest.mark.parametrize("case", ENDLESS)
async def test_the_loop_gets_its_turn_and_an_endless_answer_is_given_up(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening, piece, text = ENDLESS[case]
    async with web(FetchLimits(seconds=LONG)) as site:
        site.server.behave = endless(opening, piece)
        most, said = await most_events_at_once(site, monkeypatch, "http/a.png")
        assert said.startswith(text)
        assert most <= MOST_EVENTS
        # An innocent call right after it.
        del site.server.behave
        site.server.answers["/b.png"] = response(BODY)
        innocent = await site.pictures.prepare("http://shop.example/b.png", "cloth_image")
        assert b"".join(innocent.blocks()) == BODY


async def test_encrypted_crumbs_are_no_different(monkeypatch: pytest.MonkeyPatch) -> None:
    async with web(FetchLimits(seconds=LONG), certificate_for="shop.example") as site:
        site.server.behave = endless(OK + b"\r\n", b"x")
        most, said = await most_events_at_once(site, monkeypatch, "https/a.png")
    assert said.startswith(CRUMBS)
    assert most <= MOST_EVENTS


async def test_without_the_pace_all_that_was_read_would_be_taken_apart_in_one_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("_HEAD_BYTES_AT_ONCE", "_CHUNK_BYTES_AT_ONCE"):
        monkeypatch.setattr(pace, name, 256 * 1024)
    monkeypatch.setattr(pace, "_TURN_EVERY", 10**9)
    monkeypatch.setattr(pace, "_MANY", MOST_EVENTS * 10)
    async with web(FetchLimits(seconds=LONG)) as site:
        site.server.behave = endless(CHUNKED, b"1\r\nx\r\n" * 40_000)
        most, _ = await most_events_at_once(site, monkeypatch, "http/a.png")
    assert most > MOST_EVENTS * 5


def in_chunks(body: bytes, size: int) -> bytes:
    pieces = (body[at : at + size] for at in range(0, len(body), size))
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        CHUNKED + in_chunks(BODY, 2) + b"\r\n",
        CHUNKED + in_chunks(BODY + bytes(200_000), 80) + b"X-Checksum: 1\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" * 20 + response(BODY),
        OK + b"".join(b"X-%d: %s\r\n" % (n, b"v" * 100) for n in range(500)) + b"\r\n" + BODY,
        OK + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + in_chunks(BODY, 10**6) + b"\r\n",
    ],
    ids=["few crumbs", "thousands of small chunks", "early hints", "many headers", "one chunk"],
)
async def test_what_honest_servers_send_passes(answer: bytes) -> None:
    assert len(BODY) < 2 * 1_000
    async with web(FetchLimits(seconds=LONG)) as site:
        site.server.answers["/a.png"] = answer
        picture = await site.pictures.prepare("http://shop.example/a.png", "cloth_image")
        assert b"".join(picture.blocks()) == BODY


async def test_a_server_that_only_announces_gets_no_room() -> None:
    import tracemalloc  # noqa: PLC0415  (slows down what it watches)

    async with web(FetchLimits(seconds=LONG)) as site:
        site.server.answers["/a.png"] = OK + b"Content-Length: 20000000\r\n\r\n" + BODY
        tracemalloc.start()
        try:
            assert (await site.refused("/a.png")).startswith(BROKEN)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 5_000_000


class Slow:
    """Answers every host but one never."""

    def __init__(self, site: Web, at_once: int) -> None:
        self.held, self.full = 0, anyio.Event()
        self._at_once = at_once
        numbers = itertools.count()
        self.names = [f"slow{next(numbers)}.example" for _ in range(20)]
        site.network.names |= {name: [["93.184.216.50"]] for name in self.names}
        site.server.behave = self.behave

    async def behave(self, stream: anyio.abc.ByteStream) -> None:
        async with stream:
            if b"Host: slow" not in await stream.receive():
                await stream.send(response(BODY))
                return
            self.held += 1
            if self.held == self._at_once:
                self.full.set()
            await anyio.sleep_forever()


async def test_twenty_names_of_one_slow_address_do_not_keep_another_host_waiting() -> None:
    async with web(FetchLimits(seconds=LONG)) as site, anyio.create_task_group() as tasks:
        slow = Slow(site, 4)
        for name in slow.names:
            tasks.start_soon(site.pictures.prepare, f"http://{name}/a.png", "cloth_image")
        await slow.full.wait()
        await idle()
        assert slow.held == 4
        assert (await site.pictures.prepare("http://shop.example/a.png", "cloth_image")).label == "shop.example"
        tasks.cancel_scope.cancel()


async def test_without_a_limit_by_address_another_host_would_wait() -> None:
    async with web(FetchLimits(seconds=LONG, per_host=16)) as site, anyio.create_task_group() as tasks:
        slow = Slow(site, 16)
        for name in slow.names:
            tasks.start_soon(site.pictures.prepare, f"http://{name}/a.png", "cloth_image")
        await slow.full.wait()
        tasks.start_soon(site.pictures.prepare, "http://shop.example/a.png", "cloth_image")
        await idle()
        assert "shop.example" in site.network.asked
        assert {address for address, _ in site.network.dialled} == {"93.184.216.50"}
        tasks.cancel_scope.cancel()
