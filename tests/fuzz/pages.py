"""Feeds mutated web pages to the search for a page's main picture, and through the fetcher as a link's answer."""

import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache

import anyio

from kolors_mcp.bounds import Growth, growth_of
from kolors_mcp.errors import PictureRefusedError
from kolors_mcp.images.sources.page import main_picture
from tests.fuzz.found import Input, Judge, Kind
from tests.fuzz.pictures import changed_in_places
from tests.support.growing import forms_of
from tests.support.images_support import jpeg, quarters
from tests.support.images_web import web
from tests.support.network import PUBLIC, response

LARGEST = 300_000
"""Bytes of a page; the search ends at the page's beginning, wherever that is."""
_PICTURE = "/a.jpg"

PAGES = (
    b'<!doctype html><html><head><meta property="og:image" content="/a.jpg"><title>A shirt</title></head></html>',
    b"<html><head><META NAME='twitter:image' CONTENT='http://shop.example/a.jpg?x=1&amp;y=2'></head><body>x</body>",
    b'<!doctype html><script type="application/ld+json">{"@type":["Product"],"image":[{"url":"/a.jpg"}]}</script>',
    b"<!-- a --><!doctype html><link rel=image_src href=/a.jpg><style>a > b</style><textarea><meta></textarea>",
    b'<!doctype html><meta property=og:image content="//shop.example/a.jpg"><meta property=og:image content="">',
)
ADDRESSES = (
    b"/a.jpg", b"a.jpg", b"//shop.example/a.jpg", b"http://[", b"http://10.0.0.1/a.jpg", b"javascript:x", b"data:,x",
    b"file:///etc/passwd", b"http://user:secret@shop.example/", b"http://shop.example:22/", b"https://shop.example/",
    b"?", b"#", b"\0", b"\xff", b"&#1114112;", b"&#x110000;", b"&#55296;", b"http://xn--a/", b"/", b"\\\\shop\\a",
)  # fmt: skip


@cache
def _growth() -> Growth:
    growth = growth_of(main_picture)
    assert growth is not None
    return growth


def make(chance: random.Random) -> Input:
    """A page: one that names its picture, changed; or the reader's own dear fragments, few or very many."""
    draw = chance.random()
    if draw < 0.4:
        page = changed_in_places(chance.choice(PAGES), chance, others=PAGES)
    elif draw < 0.6:
        page = chance.choice(PAGES).replace(b"/a.jpg", chance.choice(ADDRESSES) * chance.choice((1, 1, 2, 3000)))
    elif draw < 0.9:
        fragments = _growth().fragments
        page = b"<!doctype html>" + b"".join(
            chance.choice(fragments) * chance.choice((1, 1, 1, 3, 200)) for _ in range(chance.randint(1, 40))
        )
        page += chance.choice((b"", chance.choice(PAGES)))
    else:
        form = chance.choice(sorted(forms_of(_growth()).items()))[1]
        page = form(chance.choice((1000, 30_000, LARGEST)))
    return Input(page[:LARGEST])


@asynccontextmanager
async def judging() -> AsyncGenerator[Judge]:
    """A site whose front page is the input; the picture it may name is there, anything else is not."""
    picture = response(jpeg(quarters((304, 302))), kind="image/jpeg")
    absent = response(b"nothing here", kind="text/plain", status="404 Not Found")
    served: dict[str, bytes] = {}
    async with web() as site:

        async def behave(stream: anyio.abc.ByteStream) -> None:
            async with stream:
                head = b""
                # One who begins with TLS is hung up on at once: this site has none.
                while b"\r\n\r\n" not in head:
                    head += await stream.receive()
                    if not head.startswith(b"G"):
                        return
                path = head.split(b" ", 2)[1].decode("latin-1")
                await stream.send(served.get(path, absent))

        site.server.behave = behave  # pyright: ignore[reportAttributeAccessIssue]  (what a server does can be put in)
        served[_PICTURE] = picture

        async def judge(given: Input) -> str:
            named = await anyio.to_thread.run_sync(main_picture, given.data)
            if named is not None and not named.address:
                raise AssertionError(f"main_picture returned {named!r}")
            served["/"] = response(given.data, kind="text/html")
            try:
                (await site.pictures.prepare("http://shop.example/", "cloth_image")).close()
            except PictureRefusedError as error:
                text = str(error)
                if not text.startswith("cloth_image ") or "\n" in text or not text.isprintable():
                    raise AssertionError(text) from error
                if not {*site.network.dialled} <= {(PUBLIC, 80), (PUBLIC, 443)}:
                    raise AssertionError(f"dialled {site.network.dialled}") from error
                return "refused"
            finally:
                site.network.dialled.clear()
            return "a picture"

        yield judge


PAGES_KIND = Kind("pages", make, judging)
