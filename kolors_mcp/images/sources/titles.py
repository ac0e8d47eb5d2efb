"""What a picture is called, for people: after its file, its page, or the file that its link names."""

import os
import re
from urllib.parse import unquote, urlsplit

from kolors_mcp.bounds import linear
from kolors_mcp.wording import plain

MAX_CHARACTERS = 60
_MAX_NAMING_CHARACTERS = 2_000
_ENDING = re.compile(r"\.(?:jpe?g|png|webp|avif|heic|heif|gif|bmp|tiff?)\Z", re.IGNORECASE)
_BETWEEN = re.compile(r"[\s_+\-]+")
_WORD = re.compile(r"[^\W\d_]{1,40}|[0-9]{1,3}")
_NO_NAME = frozenset(
    (
        *("image", "img", "images", "main", "photo", "picture", "pic", "default", "original", "large", "medium"),
        *("small", "thumb", "product", "file", "download"),
    )
)
"""What servers call every picture."""


@linear(b"_", b".", b"a", "裙".encode(), b" ")
def title_of_file(name: str) -> str | None:
    """Return what a file is called, without its ending; None if no letter is in it."""
    shown = plain(os.path.splitext(name[:_MAX_NAMING_CHARACTERS])[0].replace("_", " "), MAX_CHARACTERS)  # noqa: PTH122  (text)
    return shown if any(map(str.isalpha, shown)) else None


@linear(b"%41", b"-", b"a", b"9", b"/", opening=b"https://cdn.shop.example/")
def title_of_link(url: str) -> str | None:
    """Return what the file that a link names is called; None if that is only a number or what servers call them all.

    Nothing but its path is looked at: what stands behind that may be a signature.
    """
    if len(url) > _MAX_NAMING_CHARACTERS:
        return None
    name = unquote(urlsplit(url).path.rpartition("/")[2])
    if not _ENDING.search(name):
        return None
    words = [word for word in _BETWEEN.split(_ENDING.sub("", name)) if _WORD.fullmatch(word)]
    if not any(word.isalpha() and len(word) > 1 and word.lower() not in _NO_NAME for word in words):
        return None
    return plain(" ".join(words), MAX_CHARACTERS)


@linear(b"a ", b" ", b"\n", "裙".encode())
def title_of_page(title: str) -> str | None:
    """Return what a page is called; None if it does not say."""
    return plain(title, MAX_CHARACTERS) or None
