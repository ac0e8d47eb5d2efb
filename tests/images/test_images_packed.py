"""A server that packs although nobody asked it to, or says so and does not: the picture is taken, within bounds."""

import gzip
import zlib

import pytest

from kolors_mcp import packing
from kolors_mcp.images.sources.fetch import FetchLimits
from tests.support.images_support import png
from tests.support.images_web import web
from tests.support.network import response

pytestmark = pytest.mark.anyio

BODY = png()
PAGE = b'<html><meta property="og:image" content="/b.png"></html>'


def sent(encoding: str, body: bytes) -> bytes:
    return response(body, headers=f"Content-Encoding: {encoding}\r\n")


def bare(data: bytes) -> bytes:
    packing_it = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packing_it.compress(data) + packing_it.flush()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("", BODY),
        ("aws-chunked", BODY),
        ("UTF-8", BODY),
        ("none", BODY),
        ("gzip", BODY),
        ("br", BODY),
        ("nobody-knows, gzip", BODY),
        ("gzip", gzip.compress(BODY)),
        ("x-gzip, identity", gzip.compress(BODY[:40]) + gzip.compress(BODY[40:])),
        ("deflate", zlib.compress(BODY)),
        ("deflate", bare(BODY)),
    ],
    ids=lambda value: f"{len(value)} bytes" if isinstance(value, bytes) else None,
)
async def test_a_picture_is_taken_however_it_is_packed_and_whatever_is_said_of_it(encoding: str, body: bytes) -> None:
    async with web() as site:
        site.server.answers["/a.png"] = sent(encoding, body)
        picture = await site.pictures.prepare("http://shop.example/a.png", "cloth_image")
        assert b"".join(picture.blocks()) == BODY


async def test_a_page_that_is_packed_is_searched() -> None:
    async with web() as site:
        site.server.answers["/a.png"] = sent("gzip", gzip.compress(PAGE))
        site.server.answers["/b.png"] = response(BODY)
        picture = await site.pictures.prepare("http://shop.example/a.png", "cloth_image")
        assert b"".join(picture.blocks()) == BODY


@pytest.mark.parametrize(
    ("encoding", "body", "words"),
    [
        ("gzip, gzip", gzip.compress(gzip.compress(BODY)), "packed more than once"),
        ("gzip, br", gzip.compress(BODY), "packed more than once"),
        ("zstd", b"\x28\xb5\x2f\xfd", "packed in a way that was not asked for"),
        ("gzip", gzip.compress(BODY)[:-12], "packed and cut off"),
        ("gzip", b"no gzip", "packed and damaged"),
        ("deflate", b"\xff" * 20, "packed and damaged"),
        ("gzip", gzip.compress(b"") * packing.MAX_MEMBERS + gzip.compress(BODY), "too many pieces"),
    ],
    ids=lambda value: f"{len(value)} bytes" if isinstance(value, bytes) else None,
)
async def test_what_cannot_be_unpacked_is_refused_in_words(encoding: str, body: bytes, words: str) -> None:
    async with web() as site:
        site.server.answers["/a.png"] = sent(encoding, body)
        refusal = await site.refused("/a.png")
    assert words in refusal
    assert refusal.endswith('as "shop.example" sent it. Download it and give the file.')


async def test_a_bomb_is_unpacked_no_further_than_a_picture_may_be_large() -> None:
    bomb = sent("gzip", gzip.compress(png() + bytes(2_000_000), 1))
    async with web(FetchLimits(data_bytes=1_000_000)) as site:
        site.server.answers["/a.png"] = bomb
        assert await site.refused("/a.png") == (
            "cloth_image is larger than 1 MB. Ask for a smaller version, or give it as a file."
        )
    # Without the bound all of it would be there.
    async with web(FetchLimits(data_bytes=3_000_000)) as site:
        site.server.answers["/a.png"] = bomb
        assert await site.pictures.prepare("http://shop.example/a.png", "cloth_image")
