"""Servers that mean harm are cut off in time and hold little memory."""

import gzip
import math

import anyio
import pytest

from kolors_mcp.images.limits import FETCH_SECONDS
from kolors_mcp.images.sources.fetch import FetchLimits
from tests.support.images_support import png
from tests.support.images_web import web
from tests.support.network import Server, redirect, response
from tests.support.still_time import LONGER_THAN_ANY, idle, turn

pytestmark = pytest.mark.anyio

BODY = png()
LATE = f"cloth_image was not delivered within {FETCH_SECONDS:g} seconds. Try again, or download it and give the file."
BROKEN = 'cloth_image could not be fetched whole: "shop.example" broke off or answered against the rules.'


async def test_a_server_that_is_just_not_too_slow_is_cut_off_at_the_deadline() -> None:
    async def trickling(stream: anyio.abc.ByteStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            while True:  # each second brings enough, and no end comes
                await stream.send(bytes(300))
                turn(FETCH_SECONDS / 100)
                await idle()

    async with web() as site:
        site.server.behave = trickling
        assert await site.refused("/a.png") == LATE


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ([Server.STALL], LATE),
        ([b"HTTP/1.1 200 OK\r\n", Server.STALL], LATE),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + BODY[:100], Server.STALL], LATE),
        (
            [b"HTTP/1.1 302 Found\r\nLocation: /a.png\r\nContent-Length: 10\r\n\r\n"],
            "cloth_image is redirected more than 5 times. Give the link it ends at.",
        ),
    ],
    ids=["silence", "half a head", "half a body", "a redirect to itself"],
)
async def test_a_server_that_never_ends_is_cut_off_at_the_deadline_whatever_else_there_is(
    answer: list[bytes], text: str
) -> None:
    async with web(FetchLimits(slow_seconds=math.inf)) as site:
        site.server.answers["/a.png"] = answer
        assert await site.refused("/a.png") == text


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n" + BODY, BROKEN),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 20000001\r\n\r\n", "cloth_image is larger than 20 MB."),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9" + b"9" * 400 + b"\r\n\r\n", BROKEN),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n" + BODY, BROKEN),
        (
            b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-Header-%d: value\r\n" % n for n in range(10_000)) + b"\r\n" + BODY,
            BROKEN,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(bytes(30_000_000), 1),
            "cloth_image is larger than 20 MB.",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\n" + b"\x0b\x02\x80{}\x03",
            'cloth_image is packed in a way that was not asked for, as "shop.example" sent it.',
        ),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n", BROKEN),
        (b"SSH-2.0-OpenSSH_9.6\r\n", BROKEN),
        (b"", BROKEN),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 'cloth_image is empty: "shop.example" sent no bytes.'),
        (b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", 'cloth_image is redirected by "shop.example" to nowhere.'),
    ],
    ids=[
        "less than it said",
        "too much",
        "an absurd length",
        "a negative length",
        "10,000 headers",
        "a compressed bomb",
        "brotli",
        "bad chunks",
        "no HTTP",
        "nothing",
        "no bytes",
        "nowhere",
    ],
)
async def test_a_server_that_lies_is_refused(answer: bytes, text: str) -> None:
    async with web() as site:
        site.server.answers["/a.png"] = answer
        assert (await site.refused("/a.png")).startswith(text)


async def test_a_body_without_end_is_dropped_at_the_cap() -> None:
    async with web(FetchLimits(data_bytes=300_000)) as site:
        site.server.answers["/a.png"] = [b"HTTP/1.1 200 OK\r\n\r\n", *[bytes(65536)] * 1000]
        assert await site.refused("/a.png") == (
            "cloth_image is larger than 0.3 MB. Ask for a smaller version, or give it as a file."
        )


async def test_a_body_may_be_just_as_large_as_is_said() -> None:
    async with web(FetchLimits(data_bytes=len(BODY))) as site:
        site.server.answers["/a.png"] = [b"HTTP/1.1 200 OK\r\n\r\n", BODY]
        assert await site.pictures.prepare("http://shop.example/a.png", "cloth_image")
    async with web(FetchLimits(data_bytes=len(BODY) - 1)) as site:
        site.server.answers["/a.png"] = [b"HTTP/1.1 200 OK\r\n\r\n", BODY]
        assert "is larger than" in await site.refused("/a.png")


async def test_what_follows_the_declared_length_is_not_read() -> None:
    async with web() as site:
        site.server.answers["/a.png"] = response(BODY) + b"SECRET" * 1000
        picture = await site.pictures.prepare("http://shop.example/a.png", "cloth_image")
        assert b"".join(picture.blocks()) == BODY


async def test_without_each_limit_the_harm_would_be_done() -> None:
    endless = [b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", Server.STALL]
    async with web(FetchLimits(seconds=10 * LONGER_THAN_ANY, slow_seconds=math.inf)) as site:
        site.server.answers["/a.png"] = endless
        with anyio.move_on_after(LONGER_THAN_ANY) as waited:
            await site.refused("/a.png")
        assert waited.cancelled_caught
    async with web(FetchLimits(data_bytes=10**9)) as site:
        site.server.answers["/a.png"] = [b"HTTP/1.1 200 OK\r\n\r\n", *[bytes(65536)] * 320]  # 21 MB
        assert (await site.refused("/a.png")).startswith("cloth_image is no picture of a kind that can be read.")
    async with web(FetchLimits(redirects=6)) as site:
        site.server.answers |= {f"/{step}": redirect(f"/{step + 1}") for step in range(6)}
        site.server.answers["/6"] = response(BODY)
        assert (await site.pictures.prepare("http://shop.example/0", "cloth_image")).notes == ()
