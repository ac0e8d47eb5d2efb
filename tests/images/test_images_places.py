"""Places for fetches: how many an address takes however it is written or named, and that none is kept for nothing."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace

import anyio
import pytest

from kolors_mcp.images.sources.fetch import Fetcher, FetchLimits
from kolors_mcp.images.sources.places import Lines, Places
from tests.support.images_support import png
from tests.support.images_web import Web, web
from tests.support.network import PUBLIC, redirect, response
from tests.support.still_time import idle, turn

pytestmark = pytest.mark.anyio

BODY = png()
LONG = 60
"""Seconds that no fetch here takes, so that a refusal is not the deadline's."""
ONE = FetchLimits(seconds=LONG, at_once=1, per_host=1)
"""With one place, whatever keeps it keeps the next fetch from ever ending."""


async def holders(places: Places, *addresses: str) -> int:
    """How many of those who want a place at these addresses get one."""
    held = 0

    async def hold(address: str) -> None:
        nonlocal held
        async with places.place(address):
            held += 1
            await anyio.sleep_forever()

    async with anyio.create_task_group() as tasks:
        for address in addresses:
            tasks.start_soon(hold, address)
        await idle()
        tasks.cancel_scope.cancel()
    return held


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        (("93.184.216.34", "93.184.216.34"), 1),
        (("93.184.216.34", "::ffff:93.184.216.34", "::ffff:5db8:d822"), 1),
        (("93.184.216.34", "93.184.216.35"), 2),
        (("::ffff:93.184.216.34", "::ffff:93.184.216.35"), 2),
        (("2606:4700::1", "2606:4700:0:0:ffff::2"), 1),
        (("2606:4700::1", "2606:4700:0:1::1"), 2),
        (("fe80::1%eth0", "fe80::1"), 1),
        (("64:ff9b::5db8:d822", "93.184.216.34"), 1),
        (("64:ff9b::5db8:d822", "64:ff9b::5db8:d823"), 2),
    ],
)
async def test_an_address_counts_once_however_it_is_written(addresses: tuple[str, ...], expected: int) -> None:
    assert await holders(Places(10, 1), *addresses) == expected


async def test_there_are_only_so_many_places_over_all() -> None:
    places = Places(3, 1)
    many = [f"93.184.216.{n}" for n in range(6)]
    assert await holders(places, *many) == 3
    # All of them gave up, and their places are free again.
    assert await holders(places, *many) == 3


async def test_who_waits_for_a_slow_address_holds_no_place_of_the_others() -> None:
    assert await holders(Places(2, 1), "93.184.216.34", "93.184.216.34", "93.184.216.34", "93.184.216.35") == 2


async def test_a_line_that_nobody_stands_in_takes_no_room() -> None:
    lines = Lines(1)

    async def hold() -> None:
        async with lines.place("shop.example"):
            await anyio.sleep_forever()

    async with AsyncExitStack() as held:
        await held.enter_async_context(lines.place("other.example"))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hold)
            tasks.start_soon(hold)
            await idle()
            assert len(lines) == 2
            tasks.cancel_scope.cancel()
        assert len(lines) == 1
    assert len(lines) == 0


def fetcher_of(site: Web) -> Fetcher:
    return site.pictures._fetcher  # pyright: ignore[reportPrivateUsage]  (what a test changes while it runs)


async def taken_whole(site: Web) -> None:
    """An innocent fetch from the same name and address, with whatever places there are."""
    vars(site.server).pop("behave", None)
    site.server.answers["/innocent.png"] = response(BODY)
    picture = await site.pictures.prepare("http://shop.example/innocent.png", "cloth_image")
    assert b"".join(picture.blocks()) == BODY


REFUSED = {
    "no answer": b"",
    "half a head": b"HTTP/1.1 200",
    "another status": response(b"", status="404 Not Found"),
    "half a body": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx",
    "too large": b"HTTP/1.1 200 OK\r\nContent-Length: 30000000\r\n\r\nx",
    "compressed": response(b"x", headers="Content-Encoding: gzip\r\n"),
    "crumbs": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 2_000,
    "against the rules": b"SSH-2.0-OpenSSH\r\n\r\n",
    "redirected to nowhere": b"HTTP/1.1 302 Found\r\nContent-Length: 5\r\n\r\n",
    "redirected inside": redirect("http://10.0.0.7/a.png"),
    "a page without a picture": response(b"<html>", kind="text/html"),
    "a page with a picture inside": response(b"<html><meta property=og:image content=http://10.0.0.7/a>"),
    "no picture": response(b"x" * 1_000),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_a_refused_fetch_leaves_its_place_at_once(case: str) -> None:
    async with web(ONE) as site:
        site.server.answers["/a.png"] = REFUSED[case]
        with anyio.fail_after(LONG):
            await site.refused("/a.png")
            await taken_whole(site)


async def test_an_address_that_cannot_be_reached_leaves_its_place_at_once() -> None:
    async with web(ONE) as site:
        really, site.network.port = site.network.port, 1
        assert "cannot be reached" in await site.refused("/a.png")
        site.network.port = really
        await taken_whole(site)


async def test_a_server_whose_certificate_is_another_ones_leaves_its_place_at_once() -> None:
    async with web(ONE, certificate_for="shop.example") as site:
        site.server.answers["/a.png"] = response(BODY)
        assert "its certificate is for another name" in await site.refused("/a.png", "https://other.example")
        assert (await site.pictures.prepare("https://shop.example/a.png", "cloth_image")).notes == ()


def stalling(opening: bytes, asked: anyio.Event) -> Callable[[anyio.abc.ByteStream], Awaitable[None]]:
    async def behave(stream: anyio.abc.ByteStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(opening)
            asked.set()
            await anyio.sleep_forever()

    return behave


@pytest.mark.parametrize("opening", [b"H", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"])
async def test_a_cancelled_fetch_and_those_behind_it_leave_their_places_at_once(opening: bytes) -> None:
    async with web(ONE) as site:
        asked = anyio.Event()
        site.server.behave = stalling(opening, asked)
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(site.pictures.prepare, "http://shop.example/a.png", "cloth_image")
            await asked.wait()
            await idle()
            assert len(site.network.dialled) == 1
            tasks.cancel_scope.cancel()
        await taken_whole(site)


async def test_a_fetch_that_is_cancelled_while_it_dials_or_asks_for_the_name_leaves_its_place() -> None:
    async with web(ONE) as site:
        for name in ("resolver", "connect"):
            really, waiting = getattr(site.network, name), anyio.Event()

            async def never(*_: object, waiting: anyio.Event = waiting) -> None:
                waiting.set()
                await anyio.sleep_forever()

            place = "_resolver" if name == "resolver" else "_connect"
            backend = fetcher_of(site)._backend  # pyright: ignore[reportPrivateUsage]  (where the network is put in)
            setattr(backend, place, never)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(site.pictures.prepare, "http://shop.example/a.png", "cloth_image")
                await waiting.wait()
                tasks.cancel_scope.cancel()
            setattr(backend, place, really)
            await taken_whole(site)


async def test_a_server_that_drips_leaves_its_place_at_the_deadline() -> None:
    async with web(replace(ONE, seconds=0.3)) as site:

        async def drip(stream: anyio.abc.ByteStream) -> None:
            async with stream:
                await stream.receive()
                await stream.send(b"HTTP/1.1 200 OK\r\n\r\n")
                while True:
                    await stream.send(b"x" * 100)
                    turn(0.05)

        site.server.behave = drip
        assert "was not delivered within 0.3 seconds" in await site.refused("/a.png")
        fetcher_of(site)._limits = ONE  # pyright: ignore[reportPrivateUsage]  (only the first had little time)
        await taken_whole(site)


async def test_one_name_takes_four_places_however_many_addresses_it_has() -> None:
    async with web(FetchLimits(seconds=LONG)) as site, anyio.create_task_group() as tasks:
        site.network.names["shop.example"] = [[f"93.184.216.{n}"] for n in range(50, 70)]
        site.server.behave = stalling(b"H", anyio.Event())
        for _ in range(20):
            tasks.start_soon(site.pictures.prepare, "http://shop.example/a.png", "cloth_image")
        await idle()
        assert len(site.network.dialled) == 4
        # With a dot behind it, or in capitals, it is the same name.
        tasks.start_soon(site.pictures.prepare, "http://SHOP.example./a.png", "cloth_image")
        await idle()
        assert len(site.network.dialled) == 4
        del site.server.behave
        site.server.answers["/a.png"] = response(BODY)
        await site.pictures.prepare("http://other.example/a.png", "cloth_image")
        assert site.network.dialled[-1] == (PUBLIC, 80)
        tasks.cancel_scope.cancel()
