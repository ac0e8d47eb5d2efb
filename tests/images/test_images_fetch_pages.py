"""A link to a page: the picture that it names is fetched, and a page without one is called a page."""

import pytest

from tests.support.images_support import png
from tests.support.images_web import web
from tests.support.network import response

pytestmark = pytest.mark.anyio

PRODUCT = (
    '{"@context": "https://schema.org", "@graph": [{"@type": "BreadcrumbList"},'
    ' {"@type": "Product", "name": "Shirt", "image": [{"@type": "ImageObject", "url": "/pictures/b.png"}]}]}'
)


@pytest.mark.parametrize(
    "head",
    [
        '<meta property="og:image" content="/pictures/b.png"><meta name="twitter:image" content="/a.png">',
        '<meta name="twitter:image" content="http://cdn.example/pictures/b.png">',
        '<meta content="../pictures/b.png" property="og:image:secure_url">',
        f'<script type="application/ld+json">{PRODUCT}</script>',
        '<link rel="image_src" href="//cdn.example/pictures/b.png">',
    ],
)
async def test_a_page_stands_for_the_main_picture_that_it_names(head: str) -> None:
    title = "<title>Blue &lt;b&gt; \u202eshirt</title>"
    page = (
        f"<!-- a shop --><!DOCTYPE html><html><head>{title}{head}</head><body><img src=/a.png></body></html>".encode()
    )
    async with web() as site:
        site.server.answers["/shirts/blue"] = response(page, kind="text/html; charset=utf-8")
        site.server.answers["/pictures/b.png"] = response(png())
        picture = await site.pictures.prepare("http://shop.example/shirts/blue", "cloth_image")
        assert len(picture.notes) == 1
        assert picture.notes[0].startswith(
            'the link is a web page at shop.example, "Blue <b> shirt"; the page\'s main picture, from '
        )
        assert picture.label in ("shop.example", "cdn.example")


@pytest.mark.parametrize(
    ("page", "text"),
    [
        (
            b"<html><body>nothing</body></html>",
            'cloth_image leads to a web page at "shop.example" that names no main picture.',
        ),
        (b'<html><meta property="og:image" content="/page">', "cloth_image leads to a web page, not to a picture."),
        (
            b'<html><script type="application/ld+json">{"@type": "Product", "image": [[[' + b"[" * 5000,
            'cloth_image leads to a web page at "shop.example" that names no main picture.',
        ),
        (
            b'<html><meta property="og:image" content="javascript:alert(1)">',
            "cloth_image leads to something other than http or https.",
        ),
    ],
)
async def test_a_page_without_a_usable_picture_is_called_a_page(page: bytes, text: str) -> None:
    async with web() as site:
        site.server.answers["/page"] = response(page, kind="text/html")
        assert (await site.refused("/page")).startswith(text)


async def test_a_picture_that_is_called_a_page_is_a_picture_all_the_same() -> None:
    async with web() as site:
        site.server.answers["/a"] = response(png(), kind="text/html")
        assert (await site.pictures.prepare("http://shop.example/a", "cloth_image")).notes == ()
