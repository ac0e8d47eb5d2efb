"""Finds the pictures of a page's product in what shops write for search engines as JSON-LD (schema.org)."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, cast

from kolors_mcp.bounds import linear

_PRODUCTS = frozenset(("product", "productgroup", "individualproduct", "productmodel"))
_OTHERS_OF_A_PAGE = frozenset(
    ("isRelatedTo", "isSimilarTo", "isAccessoryOrSparePartFor", "isConsumableFor", "itemListElement", "review", "brand")
)
"""Keys below which other things lie than what the page is about."""
_MAX_NODES = 50_000
_MAX_DEPTH = 8
MAX_PAGE_PICTURES = 20
"""Of a page: pictures of one kind that are kept."""
# A text in quotation marks is passed over whole, also one without an end; a comma before the end of a list is not kept.
_TRAILING_COMMA = re.compile(r"(\"(?:[^\"\\]|\\.?)*+(?:\"|\Z))|,(?=\s*+[}\]])", re.DOTALL)


def is_product(kind: str) -> bool:
    """Whether a type is a product's, written with or without schema.org before it."""
    return re.split(r"[/:#]", kind.strip().lower())[-1] in _PRODUCTS


@linear(
    *(b'{"@type":"Product","image":"a"},', b'{"@id":"a","url":"b"},', b"[", b'{"image":', b'"a",', b"{},"),
    opening=b"[",
    closing=b"0]",
)
def product_pictures(texts: Sequence[bytes]) -> list[str]:
    """Return the addresses of the first product's pictures, as they are written, in their order."""
    nodes = iter(range(_MAX_NODES))
    addresses: dict[str, Any] = {}
    pictures: list[Any] = []
    for text in texts:
        for thing in _things(_read_json(text), 0, nodes):
            known, image, address = thing.get("@id"), thing.get("image"), thing.get("url") or thing.get("contentUrl")
            if isinstance(known, str) and address:
                addresses.setdefault(known, address)
            if image and _is_of_product(thing.get("@type")):
                pictures.append(image)
    found = (address for image in pictures[:MAX_PAGE_PICTURES] for address in _addresses(image, addresses, 0))
    return [address for _, address in zip(range(MAX_PAGE_PICTURES), found, strict=False)]


@linear(
    *(b"[", b"{", b'{"a":', b'"', b"\\", b'\\"', b"9", b"[],", b"{},", b",", b", ", b",]", b'{"@type":"Product"},'),
    *(b'"image":{"url":', b"1e9,", b"\n"),
    opening=b"[",
    closing=b"0]",
)
def _read_json(text: bytes) -> Any:
    """Read JSON as it is found on pages: in a comment, with line breaks in texts, with a comma too many."""
    written = text.decode("utf-8", "replace")
    if "<![CDATA[" in written:
        written = written.partition("<![CDATA[")[2].rpartition("]]>")[0]
    start = min((at for at in map(written.find, "{[") if at >= 0), default=len(written))
    written = written[start : max(map(written.rfind, "}]")) + 1]
    try:
        return _loaded(written)
    except (ValueError, RecursionError):
        pass
    try:
        return _loaded(_TRAILING_COMMA.sub(lambda found: found[1] or "", written))
    except (ValueError, RecursionError):
        return None


def _loaded(written: str) -> Any:
    # Numbers are left out: reading one of a million digits takes more than in proportion to them.
    return json.loads(written, strict=False, parse_int=_nothing, parse_float=_nothing, parse_constant=_nothing)


def _nothing(_: str) -> None:
    """No number is looked at."""


def _things(node: Any, depth: int, nodes: Iterator[int]) -> Iterator[dict[str, Any]]:
    """Yield every object in a text, from the outside in."""
    if depth > _MAX_DEPTH or next(nodes, None) is None:
        return
    if isinstance(node, list):
        for member in cast("list[Any]", node):
            yield from _things(member, depth + 1, nodes)
    elif isinstance(node, dict):
        thing = cast("dict[str, Any]", node)
        yield thing
        for key, value in thing.items():
            if key not in _OTHERS_OF_A_PAGE:
                yield from _things(value, depth + 1, nodes)


def _is_of_product(kinds: Any) -> bool:
    kinds = cast("list[Any]", kinds) if isinstance(kinds, list) else [kinds]
    return any(isinstance(kind, str) and is_product(kind) for kind in kinds[:MAX_PAGE_PICTURES])


def _addresses(image: Any, known: dict[str, Any], depth: int) -> Iterator[str]:
    """Yield the addresses in an `image` value: text, an ImageObject, the id of one elsewhere, or a list of these."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(image, str) and image.strip():
        yield image.strip()
    elif isinstance(image, list):
        for member in cast("list[Any]", image)[:MAX_PAGE_PICTURES]:
            yield from _addresses(member, known, depth + 1)
    elif isinstance(image, dict):
        thing = cast("dict[str, Any]", image)
        written = thing.get("url") or thing.get("contentUrl")
        if not written and isinstance(thing.get("@id"), str):
            written = known.get(thing["@id"])
        yield from _addresses(written, known, depth + 1)
