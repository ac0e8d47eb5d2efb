"""Finds the picture of what a web page is about, and the page's title, in one pass over its bytes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape

from kolors_mcp.bounds import linear
from kolors_mcp.images.limits import MAX_PAGE_BYTES
from kolors_mcp.images.sources.structured_data import MAX_PAGE_PICTURES, is_product, product_pictures

_META_NAMES = ("og:image:secure_url", "og:image:url", "og:image", "twitter:image", "twitter:image:src")
_MAX_TAGS = 50_000
"""Ten times what large pages have."""
_MAX_VALUE_BYTES = 16_384
"""Longer than any link that is followed."""
_MAX_JSON_TEXTS = 50

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
_TELLING = re.compile(rb"item(?:prop|type)|typeof|property", re.IGNORECASE)
# Types of schema.org that are a part of a product; a picture behind any other type is not the product's.
_PARTS = re.compile(
    r"offer|aggregateoffer|aggregaterating|rating|imageobject|propertyvalue|quantitativevalue|pricespecification|"
    r"unitpricespecification|offershippingdetails"
)
_OTHERS = frozenset(("itemlistelement", "item", "isrelatedto", "issimilarto", "isaccessoryorsparepartfor"))
# What shops put in the place of a picture, by the words of the file's name; drawings (SVG) are never photos.
_NO_PRODUCT = re.compile(
    r"(?:\A|[^a-z])(?:logos?|favicon|touch-icon|sprites?|placeholder|no-?(?:image|photo|picture)|social|share|sharing|opengraph)"
    r"(?:[^a-z]|\Z)|\A(?:default|og|blank|avatar)[^a-z]*\.[a-z]+\Z|\.svgz?\Z"
)
_JSON = re.compile(r"\s*+application/ld\+json\s*+(?:;|\Z)", re.IGNORECASE)


@dataclass(frozen=True)
class Named:
    """What a page says of itself.

    Attributes:
        address: Of its picture, as it is written there, perhaps relative.
        title: What it is called; may be empty.
    """

    address: str
    title: str = ""


@dataclass
class _Page:
    """What was found on a page, in the order in which it stands there."""

    named: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """Values of `meta`, by their names."""
    json_texts: list[bytes] = field(default_factory=list[bytes])
    marked: list[str] = field(default_factory=list[str])
    """The product's pictures, as attributes of tags tell (microdata, RDFa)."""
    linked: list[str] = field(default_factory=list[str])
    title: str = ""
    in_product: bool = False
    in_image: bool = False


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
    *(
        b'<script type="application/ld+json">{',
        b'<script type="application/ld+json">[1,{}]</script>',
        b"<a b c=d e>",
        b"--!",
    ),
    *(
        b"<a itemtype=Product>",
        b"<img itemprop=image src=a>",
        b"<title>a</title>",
        b"<meta property=og:image content=a>",
    ),
    opening=b"<!doctype html>",
)
def main_picture(page: bytes) -> Named | None:
    """Return the address of a page's main picture and the page's title; None if it names no picture.

    In this order: the picture of a product (JSON-LD, then microdata and RDFa), `og:image`, `twitter:image`,
    `link rel=image_src`. What is called a logo or the like comes behind all others, and counts only as a product's: as
    a page's, it is the shop's, and would be worn. Only the page's beginning is looked at.
    """
    found = _Page()
    for tag, written, text in _interesting_tags(page[:MAX_PAGE_BYTES]):
        _take(found, tag, _attributes(written), text)
    of_product = [*product_pictures(found.json_texts), *found.marked]
    of_page = [address for name in _META_NAMES for address in found.named.get(name, ())]
    if any("product" in kind for kind in found.named.get("og:type", ())):
        of_product, of_page = [*of_product, *of_page], []
    addresses = [*of_product, *of_page, *found.linked]
    address = next((one for one in addresses if not _stands_for_none(one)), next(iter(of_product), None))
    title = next(iter(found.named.get("og:title", ())), found.title)
    return None if address is None else Named(address, title)


def _take(found: _Page, tag: bytes, given: dict[str, str], text: bytes) -> None:
    """Keep what one tag tells."""
    if tag == b"title":
        found.title = found.title or " ".join(_text(text[:_MAX_VALUE_BYTES]).split())
    elif tag == b"script":
        if _JSON.match(given.get("type", "")) and len(found.json_texts) < _MAX_JSON_TEXTS:
            found.json_texts.append(text)
        return
    elif tag == b"link" and given.get("rel", "").lower() == "image_src":
        _keep(found.linked, given.get("href"))
    elif tag == b"meta":
        name = (given.get("property") or given.get("name") or "").lower()
        if name in (*_META_NAMES, "og:title", "og:type"):
            _keep(found.named.setdefault(name, []), given.get("content"))
    _take_marks(found, given)


def _take_marks(found: _Page, given: dict[str, str]) -> None:
    """Keep the picture that a tag's attributes say is the product's (microdata, RDFa)."""
    kind = given.get("itemtype") or given.get("typeof") or ""
    names = (given.get("itemprop") or given.get("property") or "").lower().replace("schema:", "").split()
    if is_product(kind):
        # One of a list, or that goes with the page's own, is another product.
        found.in_product = _OTHERS.isdisjoint(names)
    elif kind and not _PARTS.fullmatch(re.split(r"[/:#]", kind.strip().lower())[-1]):
        found.in_product = False
    if not found.in_product or not ("image" in names or (found.in_image and {"url", "contenturl"}.intersection(names))):
        return
    # The address may be that of an object inside.
    found.in_image = "image" in names and bool(kind)
    source = given.get("src", "")
    lazy = given.get("data-src") if not source or source.startswith("data:") else None
    _keep(found.marked, given.get("content") or lazy or source or given.get("href"))


def _keep(kept: list[str], value: str | None) -> None:
    if value and not value.startswith("data:") and len(kept) < MAX_PAGE_PICTURES:
        kept.append(value)


@linear(b"/", b"logo", b"a", b"-", b"?", b"no", b".a")
def _stands_for_none(address: str) -> bool:
    """Whether an address is that of a logo, or of what is shown where there is no picture."""
    path = re.split(r"[?#]", address.lower(), maxsplit=1)[0]
    return _NO_PRODUCT.search(path.rpartition("/")[2]) is not None


def _interesting_tags(page: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield each tag that may tell of a picture, its name in lower case, its attributes and the text inside it.

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
        if name in (b"meta", b"link", b"script", b"title") or _TELLING.search(tag[2]):
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
