"""Finds the main picture that a web page names for itself."""

import json
from html.parser import HTMLParser
from typing import Any, cast

_META_NAMES = ("og:image:secure_url", "og:image:url", "og:image", "twitter:image", "twitter:image:src")
_MAX_JSON = 500_000
_MAX_DEPTH = 8


def main_picture(page: bytes) -> str | None:
    """Return the address of a page's main picture as it is written there, perhaps relative; none if it names none.

    In this order: `og:image`, `twitter:image`, the image of a JSON-LD product, `link rel=image_src`.
    """
    reader = _Reader()
    reader.feed(page.decode("utf-8", "replace"))
    reader.close()
    for name in _META_NAMES:
        if reader.named.get(name):
            return reader.named[name]
    for text in reader.json_texts:
        found = _product_image(text)
        if found:
            return found
    return reader.linked


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.named: dict[str, str] = {}
        self.json_texts: list[str] = []
        self.linked: str | None = None
        self._in_json = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: (value or "").strip() for name, value in attrs}
        if tag == "meta":
            name = (given.get("property") or given.get("name") or "").lower()
            if name in _META_NAMES and given.get("content"):
                self.named.setdefault(name, given["content"])
        elif tag == "link" and given.get("rel", "").lower() == "image_src":
            self.linked = self.linked or given.get("href")
        elif tag == "script":
            self._in_json = given.get("type", "").lower() == "application/ld+json"
            if self._in_json:
                self.json_texts.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._in_json = False

    def handle_data(self, data: str) -> None:
        if self._in_json and len(self.json_texts[-1]) + len(data) <= _MAX_JSON:
            self.json_texts[-1] += data


def _product_image(text: str) -> str | None:
    try:
        return _find_product(json.loads(text), 0)
    except (ValueError, RecursionError):
        return None


def _find_product(node: Any, depth: int) -> str | None:
    if depth > _MAX_DEPTH:
        return None
    if isinstance(node, list):
        members = cast("list[Any]", node)
        return next((found for member in members if (found := _find_product(member, depth + 1))), None)
    if not isinstance(node, dict):
        return None
    thing = cast("dict[str, Any]", node)
    kinds: Any = thing.get("@type")
    if kinds in ("Product", "ProductGroup") or (isinstance(kinds, list) and "Product" in kinds):
        found = _address(thing.get("image"))
        if found:
            return found
    return next((found for value in thing.values() if (found := _find_product(value, depth + 1))), None)


def _address(image: Any) -> str | None:
    """Return the address in an `image` value: text, an ImageObject, or a list of either."""
    if isinstance(image, list) and image:
        image = cast("list[Any]", image)[0]
    if isinstance(image, dict):
        thing = cast("dict[str, Any]", image)
        image = thing.get("url") or thing.get("contentUrl")
    return image.strip() or None if isinstance(image, str) else None
