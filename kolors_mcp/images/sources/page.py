"""Finds the main picture that a web page names for itself, in one pass over its bytes."""

import json
import re
from collections.abc import Iterator
from html import unescape
from typing import Any, cast

from kolors_mcp.bounds import linear
from kolors_mcp.images.limits import MAX_PAGE_BYTES

_META_NAMES = ("og:image:secure_url", "og:image:url", "og:image", "twitter:image", "twitter:image:src")
_MAX_TAGS = 50_000
"""Ten times what large pages have."""
_MAX_VALUE_BYTES = 16_384
"""Longer than any link that is followed."""
_MAX_JSON_TEXTS = 50
_MAX_NODES = 50_000
_MAX_DEPTH = 8

# HTML's own blanks; `\s` has one more. Repetitions keep what they took ("*+"), so that nothing is tried twice.
_BLANK = rb"[ \t\r\n\f]*+"
_NAME = rb"[ \t\r\n\f/]*+[^ \t\r\n\f/>][^ \t\r\n\f/>=]*+"
_VALUE = rb"\"[^\"]*+\"|'[^']*+'|[^ \t\r\n\f>\"'][^ \t\r\n\f>]*+"
_ATTRIBUTE = re.compile(rb"(" + _NAME + rb")(?:" + _BLANK + rb"=" + _BLANK + rb"(" + _VALUE + rb")?)?")
_TAG = re.compile(
    rb"<([a-zA-Z][^ \t\r\n\f/>]*+)"
    rb"((?:" + _NAME + rb"(?:" + _BLANK + rb"=" + _BLANK + rb"(?:" + _VALUE + rb")?+)?+)*+)[ \t\r\n\f/]*+>"
)
# What stands inside these is text, whatever it looks like.
_TEXT_ENDS = {
    name: re.compile(rb"</" + name + rb"[ \t\r\n\f/>]", re.IGNORECASE)
    for name in (b"script", b"style", b"title", b"textarea", b"iframe", b"noembed", b"noframes", b"xmp")
}
# "<!-->" is a whole comment, "<!--!>" is none yet.
_COMMENT_END = re.compile(rb"-->|(?<!<!)--!>")
_LETTER = re.compile(rb"[a-zA-Z]")


@linear(
    *(b"<a ", b"<!--", b"</", b"</a", b"<![", b"<!", b"<?", b'<a x="', b"<a x='", b"<a x=", b"<a =", b"&amp;", b"&#9"),
    *(
        b"<script>",
        b"<title>",
        b"</script",
        b"<meta property=og:image content=",
        b"<meta a=b>",
        b"<",
        b"<a>",
        b"/",
        b"--!",
    ),
    *(b'<script type="application/ld+json">{', b'<script type="application/ld+json">[1,{}]</script>', b"<a b c=d e>"),
    opening=b"<!doctype html>",
)
def main_picture(page: bytes) -> str | None:
    """Return the address of a page's main picture as it is written there, perhaps relative; None if it names none.

    In this order: `og:image`, `twitter:image`, the image of a JSON-LD product, `link rel=image_src`. Only the page's
    beginning is looked at.
    """
    named: dict[str, str] = {}
    json_texts: list[bytes] = []
    linked: str | None = None
    for tag, written, text in _interesting_tags(page[:MAX_PAGE_BYTES]):
        given = _attributes(written)
        if tag == b"meta":
            name = (given.get("property") or given.get("name") or "").lower()
            if name in _META_NAMES and given.get("content"):
                named.setdefault(name, given["content"])
        elif tag == b"link":
            if given.get("rel", "").lower() == "image_src":
                linked = linked or given.get("href") or None
        elif given.get("type", "").lower() == "application/ld+json" and len(json_texts) < _MAX_JSON_TEXTS:
            json_texts.append(text)
    for name in _META_NAMES:
        if name in named:
            return named[name]
    return _product_image(json_texts) or linked


def _interesting_tags(page: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield each `meta`, `link` and `script` tag in lower case, with its attributes and the text inside it.

    What has no end, be it a tag, a comment or a script, reaches to the end of the page: then there is nothing more.
    """
    at = 0
    for _ in range(_MAX_TAGS):
        at = page.find(b"<", at)
        if at < 0:
            return
        tag = _TAG.match(page, at)
        if tag is None:
            at = _behind_no_tag(page, at)
            if at < 0:
                return
            continue
        name, start = tag[1].lower(), tag.end()
        at = start
        if name in _TEXT_ENDS:
            end = _TEXT_ENDS[name].search(page, start)
            if end is None:
                return
            at = end.start()
        if name in (b"meta", b"link", b"script"):
            yield name, tag[2], page[start:at]


def _behind_no_tag(page: bytes, at: int) -> int:
    """Return where to look on behind a "<" that opens no tag; less than 0: nowhere."""
    if page.startswith(b"<!--", at):
        end = _COMMENT_END.search(page, at + 2)
        return -1 if end is None else end.end()
    following = page[at + 1 : at + 2]
    if following in (b"!", b"?", b"/"):
        return page.find(b">", at)
    return -1 if _LETTER.match(following) else at + 1


@linear(b"a ", b"a=b ", b"a=", b'a="', b"a='", b"=", b"/", b"&#9", b"'", b'"', b" ")
def _attributes(written: bytes) -> dict[str, str]:
    given: dict[str, str] = {}
    at = 0
    # Each begins where the one before ended; a search would try what is left anew from each of its bytes.
    while found := _ATTRIBUTE.match(written, at):
        at = found.end()
        name, value = found[1].lstrip(b" \t\r\n\f/"), found[2] or b""
        if len(name) <= _MAX_VALUE_BYTES >= len(value):
            value = value[1:-1] if value[:1] in (b'"', b"'") else value
            given.setdefault(name.decode("utf-8", "replace").lower(), _text(value))
    return given


def _text(value: bytes) -> str:
    try:
        return unescape(value.decode("utf-8", "replace")).strip()
    except ValueError:  # a character's number of thousands of digits
        return ""


def _product_image(texts: list[bytes]) -> str | None:
    nodes = iter(range(_MAX_NODES))
    return next((found for text in texts if (found := _find_product(_read_json(text), 0, nodes))), None)


@linear(
    *(b"[", b"{", b'{"a":', b'"', b"\\", b"9", b"[],", b"{},", b'{"@type":"Product"},', b'"image":{"url":', b"1e9,"),
    opening=b"[",
    closing=b"0]",
)
def _read_json(text: bytes) -> Any:
    try:
        # Numbers are left out: reading one of a million digits takes more than in proportion to them.
        return json.loads(
            text.decode("utf-8", "replace"), parse_int=_nothing, parse_float=_nothing, parse_constant=_nothing
        )
    except (ValueError, RecursionError):
        return None


def _nothing(_: str) -> None:
    """No number is looked at."""


def _find_product(node: Any, depth: int, nodes: Iterator[int]) -> str | None:
    if depth > _MAX_DEPTH or next(nodes, None) is None:
        return None
    if isinstance(node, list):
        members = cast("list[Any]", node)
        return next((found for member in members if (found := _find_product(member, depth + 1, nodes))), None)
    if not isinstance(node, dict):
        return None
    thing = cast("dict[str, Any]", node)
    kinds: Any = thing.get("@type")
    if kinds in ("Product", "ProductGroup") or (isinstance(kinds, list) and "Product" in kinds):
        found = _address(thing.get("image"))
        if found:
            return found
    return next((found for value in thing.values() if (found := _find_product(value, depth + 1, nodes))), None)


def _address(image: Any) -> str | None:
    """Return the address in an `image` value: text, an ImageObject, or a list of either."""
    if isinstance(image, list) and image:
        image = cast("list[Any]", image)[0]
    if isinstance(image, dict):
        thing = cast("dict[str, Any]", image)
        image = thing.get("url") or thing.get("contentUrl")
    return image.strip() or None if isinstance(image, str) else None
