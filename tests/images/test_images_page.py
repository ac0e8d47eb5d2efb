"""Which picture a web page is understood to name, however its makers have written that."""

import pytest

from kolors_mcp.images.limits import MAX_PAGE_BYTES
from kolors_mcp.images.sources import page
from kolors_mcp.images.sources.page import Named

META = '<meta property="og:image" content="/b.png">'
OTHER = '<meta property="og:image" content="/other.png">'
GRAPH = '{"@graph": [{"@type": "BreadcrumbList"}, {"@type": "Product", "image": %s}]}'


def main_picture(written: bytes) -> str | None:
    """The address alone."""
    named = page.main_picture(written)
    return None if named is None else named.address


def json_of(text: str, kind: str = "application/ld+json") -> str:
    return f'<script type="{kind}">{text}</script>'


@pytest.mark.parametrize(
    "head",
    [
        "<meta property='og:image' content='/b.png'>",
        "<meta property=og:image content=/b.png>",
        "<meta property=og:image content=/b.png >",
        '<meta property="og:image"content="/b.png">',
        '<meta\n\tproperty = "og:image"\r\n\fcontent\n=\n"/b.png"\n/>',
        '<meta/property="og:image"/content="/b.png"/>',
        "<META PROPERTY='OG:Image' CONTENT='/b.png'>",
        '<meta content="/b.png" data-x="a > b" property="og:image">',
        '<meta content="/b.png" content="/other.png" property="og:image">',
        '<meta name="og:image" content=" /b.png ">',
        '<meta property="" name="twitter:image" content="/b.png">',
        "<meta name=twitter:image:src content=/b.png>",
        f"<meta property=og:image content=''>{META}",
        f"<meta property=og:image>{META}",
        META + OTHER,
        '<meta name="twitter:image" content="/other.png">' + META,
        OTHER + '<meta property="og:image:secure_url" content="/b.png">',
    ],
)
def test_every_way_to_write_the_tag_is_read(head: str) -> None:
    assert main_picture(f"<!doctype html><html><head>{head}".encode()) == "/b.png"


@pytest.mark.parametrize(
    "before",
    [
        f"<!-- {OTHER} -->",
        f"<!-- > {OTHER} -- > -->",
        f"<!-- {OTHER} --!>",
        f"<!--!> {OTHER} -->",
        "<!-->",
        "<!--->",
        "<!---->",
        f"<script>document.write('{OTHER}')</script>",
        f"<SCRIPT async src=a.js>{OTHER}</Script\n>",
        f"<style>{OTHER}</style>",
        f"<title>{OTHER}</title>",
        f"<title>a</titles>{OTHER}</title>",
        f"<textarea>{OTHER}</textarea>",
        f"<noframes>{OTHER}</noframes>",
        f"<a title='{OTHER}'>",
        f'<a title="{OTHER.replace(chr(34), chr(39))}">',
        "a < b <3 <",
        "<?xml version='1.0'?>",
        "<![CDATA[ ]]>",
        "</>",
        "</ a>",
        "<meta>",
        "<metal property=og:image content=/other.png>",
        "<meta property=og:image:width content=300>",
        '<link rel="image_src" href="/other.png">',
        json_of('{"@type": "Article", "image": "/other.png"}'),
        "<link rel=image_src>",
        '<noscript><img src="/other.png"></noscript>',
    ],
)
def test_what_stands_before_the_tag_neither_hides_nor_replaces_it(before: str) -> None:
    assert main_picture(f"<html>{before}{META}".encode()) == "/b.png"


@pytest.mark.parametrize(
    "head",
    [
        f"<!-- {META}",
        f"<script>{META}",
        f"<title>{META}</titl",
        f"<a title='{META}",
        '<meta property="og:image" content="/b.png"',
        '<meta property="og:image" content="/b.png" / ',
        "<meta property=og:image content=>",
        "<meta property=og:image content=' '>",
        '<meta property="og:image" src="/b.png">',
        "&lt;meta property=og:image content=/b.png&gt;",
        '<link rel="icon" href="/b.png">',
        json_of('{"@type": "Product", "image": "/b.png"}', "application/json"),
        json_of('{"@type": "Product", "image": "/b.png"'),
        json_of('{"@type": "Product", "isRelatedTo": {"@type": "Product", "image": "/b.png"}}'),
        json_of('{"@type": "ItemList", "itemListElement": [{"@type": "Product", "image": "/b.png"}]}'),
        '<div itemscope itemtype="https://schema.org/Organization"><img itemprop="image" src="/b.png">',
        '<p itemtype="//schema.org/Product"><p itemtype="//schema.org/Brand"><img itemprop=image src=/b.png>',
        '<img itemprop="image" src="/b.png">',
        '<p itemprop=item itemtype="//schema.org/Product"><img itemprop=image src=/b.png>',
        '<p itemprop="isRelatedTo" itemtype="//schema.org/Product"><img itemprop=image src=/b.png>',
        '<meta property="og:image" content="/img/shop-logo_1200x630.png">',
        '<meta property="og:image" content="https://cdn.example/logo.svg?v=/dress.png">',
        '<meta name="twitter:image" content="/default.jpg">',
        '<meta property="og:image" content="/img/dress.svg?v=2">',
        '<link rel="image_src" href="/social-share.png">',
        json_of('{"@type": "Product", "image": 7}'),
        json_of('{"@type": "Product", "image": []}'),
        json_of('{"@type": "Article", "image": "/b.png"}'),
        json_of('"Product"'),
        json_of("NaN"),
        json_of("[" * 100_000),
        "x" * MAX_PAGE_BYTES + META,
        "",
    ],
    ids=lambda head: head[:60],
)
def test_what_is_no_whole_tag_names_nothing(head: str) -> None:
    assert main_picture(f"<html>{head}".encode()) is None


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("/b.png?a=1&amp;b=2", "/b.png?a=1&b=2"),
        ("/b.png?a=1&b=2", "/b.png?a=1&b=2"),
        ("/&#98;.png", "/b.png"),
        ("/&#x62;.png", "/b.png"),
        ("&quot;&#39;", "\"'"),
        ("/é.png", "/é.png"),
        ("//cdn.example/b.png", "//cdn.example/b.png"),
        ("../b.png", "../b.png"),
        ("&#" + "9" * 5_000 + ";", None),
        ("a" * 16_385, None),
    ],
    ids=lambda text: str(text)[:20],
)
def test_an_address_is_read_as_it_is_meant(written: str, read: str | None) -> None:
    assert main_picture(f'<html><meta property="og:image" content="{written}">'.encode()) == read


def test_a_page_behind_a_byte_order_mark_is_read_and_damaged_text_does_no_harm() -> None:
    assert main_picture(b"\xef\xbb\xbf<html>\xff\xfe\0" + META.encode()) == "/b.png"


@pytest.mark.parametrize(
    "image",
    [
        '"/b.png"',
        '" /b.png "',
        '["/b.png", "/other.png"]',
        '{"@type": "ImageObject", "url": "/b.png"}',
        '[{"contentUrl": "/b.png"}]',
    ],
)
@pytest.mark.parametrize(
    "wrapped",
    [
        GRAPH,
        '[{"@type": "Product", "image": %s}]',
        '{"@type": ["Thing", "Product"], "image": %s}',
        '{"@type": "ProductGroup", "image": %s}',
        '{"a": {"b": {"c": {"d": {"@type": "Product", "image": %s}}}}}',
        '{"mainEntity": {"offers": [1e400, {"@type": "Product", "image": %s}]}}',
    ],
)
def test_the_product_of_a_page_is_found_in_its_structured_data(wrapped: str, image: str) -> None:
    texts = json_of("{broken") + json_of('{"@type": "Article", "image": "/other.png"}') + json_of(wrapped % image)
    assert main_picture(f"<html>{texts}".encode()) == "/b.png"


def test_the_type_of_structured_data_may_name_an_encoding() -> None:
    product = '{"@type": "Product", "image": "/b.png"}'
    for kind in ("Application/LD+JSON; charset=utf-8", " application/ld+json ", "application/ld+json;"):
        assert main_picture(json_of(product, kind).encode()) == "/b.png"
    assert main_picture(json_of(product, "application/ld+jsonp").encode()) is None


def test_a_link_to_the_picture_is_used_where_nothing_else_names_one() -> None:
    link = "<LINK REL=Image_Src HREF='/b.png'><link rel=image_src href=/other.png>"
    assert main_picture(f"<html>{link}".encode()) == "/b.png"
    product = json_of('{"@type": "Product", "image": "/product.png"}')
    assert main_picture(f"<html>{link}{product}".encode()) == "/product.png"


def test_only_so_many_tags_texts_and_nodes_are_looked_at() -> None:
    assert main_picture(b"<html>" + b"<a>" * 60_000 + META.encode()) is None
    assert main_picture(b"<html>" + b"<a>" * 40_000 + META.encode()) == "/b.png"
    product = json_of('{"@type": "Product", "image": "/b.png"}')
    assert main_picture((json_of("1") * 50 + product).encode()) is None
    assert main_picture((json_of("1") * 49 + product).encode()) == "/b.png"
    nodes = json_of("[" + "1," * 60_000 + '{"@type": "Product", "image": "/b.png"}]')
    assert main_picture(nodes.encode()) is None
    assert main_picture(nodes.replace("1," * 30_000, "", 1).encode()) == "/b.png"


LOGO = '<meta property="og:image" content="/assets/shop-logo.png">'
PRODUCT = json_of('{"@context": "https://schema.org", "@type": "Product", "name": "Dress", "image": "/b.png"}')


@pytest.mark.parametrize(
    "head",
    [
        LOGO + PRODUCT,
        PRODUCT + OTHER,
        LOGO + '<meta name="twitter:image" content="/b.png">',
        LOGO + META,
        LOGO + '<link rel="image_src" href="/b.png">',
        OTHER + '<div itemscope itemtype="https://schema.org/Product"><img itemprop="image" src="/b.png"></div>',
        OTHER + '<div itemtype=Product><meta itemprop="image" content="/b.png">',
        OTHER + '<div itemtype="http://schema.org/Product"><link itemprop="image" href="/b.png">',
        OTHER + '<div itemtype="schema.org/Product"><i itemtype="schema.org/Offer"></i><a itemprop=image href=/b.png>',
        OTHER + "<p itemtype=Product><p itemprop=image itemtype=ImageObject><meta itemprop=url content=/b.png>",
        OTHER + '<div itemtype=Product><img itemprop="image" src="data:image/gif;base64,R0" data-src="/b.png">',
        OTHER + '<div vocab="https://schema.org/" typeof="Product"><img property="image" src="/b.png">',
        OTHER + json_of('{"@type": "Product", "image": ["/img/logo.png", "/b.png"]}'),
        OTHER + json_of('{"@type": "http://schema.org/Product", "image": "/b.png"}'),
        OTHER + json_of('{"@type": "Product", "image": "/b.png",}'),
        OTHER + json_of('{"@type": "Product", "tags": ["a, ]", "b",\n ], "image": ["/b.png", ], }'),
        OTHER + json_of('{"@type": "Product", "description": "one\ntwo\tthree", "image": "/b.png"}'),
        OTHER + json_of('\n<!-- {"@type": "Product", "image": "/b.png"} -->\n'),
        OTHER + json_of('//<![CDATA[\n{"@type": "Product", "image": "/b.png"};\n//]]>'),
        OTHER + json_of('[{"@type": "Product", "image": {"@id": "#p"}}, {"@id": "#p", "url": "/b.png"}]'),
        OTHER
        + json_of('{"@type": "Product", "brand": {"@type": "Product", "image": "/x.png"}, "image": "/b.png"}'),
        '<meta property="og:type" content="og:product">' + META,
    ],
)  # fmt: skip
def test_the_products_picture_comes_before_the_shops(head: str) -> None:
    assert main_picture(f"<html><head>{head}".encode()) == "/b.png"


def test_a_product_may_be_called_after_a_logo_where_the_page_says_that_it_is_one() -> None:
    kind = '<meta property="og:type" content="product">'
    assert main_picture(f"<html>{kind}{LOGO}".encode()) == "/assets/shop-logo.png"
    assert main_picture(f"<html>{LOGO}".encode()) is None
    assert main_picture(b'<html><meta property="og:image" content="/logos-of-1990/catalogo-dress.jpg">') is not None


@pytest.mark.parametrize(
    ("head", "title"),
    [
        ("<title> A red\n dress &amp; more </title>", "A red dress & more"),
        ('<title>Shop</title><meta property="og:title" content="A red dress">', "A red dress"),
        ("<svg><title></title></svg><title>A dress</title><title>Other</title>", "A dress"),
        ("", ""),
    ],
)
def test_a_page_is_called_by_its_title(head: str, title: str) -> None:
    assert page.main_picture(f"<html>{head}{META}".encode()) == Named("/b.png", title)


def test_only_so_many_pictures_of_a_page_are_kept() -> None:
    many = "".join(f'<meta property="og:image" content="/logo-{number}.png">' for number in range(30))
    assert main_picture(f"<html>{many}{META}".encode()) is None
    assert main_picture(f"<html>{many[: len(many) // 3]}".encode() + f">{META}".encode()) == "/b.png"
