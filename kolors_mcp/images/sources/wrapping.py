"""Takes from around a reference what writers of text put there: quotation marks, a label, Markdown, an HTML tag."""

import re
from html import unescape

from kolors_mcp.bounds import linear
from kolors_mcp.images.refusal import RefusalError

_QUOTES = frozenset((
    *('""', "''", "``", "\u201c\u201d", "\u2018\u2019", "\xab\xbb", "\u300c\u300d"),
    *("<>", "()", "\uff08\uff09", "\u3010\u3011", "**"),
))  # fmt: skip
_INVISIBLE = "\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
"""What is copied along with a path, from Windows' own dialog for one, and seen by nobody."""
_MAX_WRAPPING_CHARACTERS = 10_000
"""Quotation marks and blanks that are taken from around a reference, before it is taken for none."""
_MAX_MARKUP_CHARACTERS = 16_384
"""Longer than any link, and so than any link in markup; longer texts are the picture itself."""

# [words](address "title"), ![words](address), and a picture that is a link, of which the picture is meant.
_ADDRESS = r"\(\s*+(?:<([^<>\n]++)>|((?:[^()\s\\]|\\.|\([^()\s]*+\))++))(?:\s++(?:\"[^\"]*+\"|'[^']*+'))?+\s*+\)"
_MARKDOWN = re.compile(r"!?\[[^\[\]]*+\]" + _ADDRESS)
_LINKED_PICTURE = re.compile(r"\[\s*+!\[[^\[\]]*+\]" + _ADDRESS + r"\s*+\]\([^()]*+\)")
# As Claude Code tells its model of a pasted picture: [Image: source: /home/...]
_SOURCE = re.compile(r"\[(?:image|picture|photo|file)[^\[\]:]{0,40}+:\s*+(?:source:\s*+)?+([^\[\]]++)\]", re.IGNORECASE)
# "Image URL: https://...", "cloth_image = https://...", "@https://..."; a link alone tells that it is one.
_LABEL = re.compile(
    r"(?:@|[*_]{0,2}(?:[A-Za-z]{1,20}[ _-]){0,3}(?:image|picture|photo|img|url|uri|link|src|source|file|path)"
    r"(?:[*_]{0,2}:[*_]{0,2}\s++|\s*+=\s*+))(?=[\"'`<]?(?:https?|file)://)",
    re.IGNORECASE,
)
_CSS = re.compile(r"url\(([^()]++)\)", re.IGNORECASE)
_ESCAPED = re.compile(r"\\([()\[\]_*<> ])")
_IMG_SRC = re.compile(r"\ssrc\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s\"'>]++))", re.IGNORECASE)


@linear(
    *(b'"', b"'", b' "', b"<", b" ", b"\xe2\x80\x9c", b"[", b"![", b"](", b"[a](", b"(a)", b"\\", b"\\a", b"<img "),
    *(b" src=", b" src='", b"[image:", b"[image: /", b"/", b"&amp;", b"(", b"a ", b"image", b"image: ", b"=", b"*"),
    *(b"url(", b"@"),
    opening=b'"',
    closing=b'"',
)
def unwrapped(reference: str) -> str:
    """Return what stands inside blanks, quotation marks, Markdown or an HTML tag, or after a label.

    Raises:
        RefusalError: There are thousands of them.
    """
    text = _unquoted(reference)
    inner = _inner(text) if len(text) <= _MAX_MARKUP_CHARACTERS else None
    return text if inner is None else _unquoted(inner)


def _inner(text: str) -> str | None:
    """Return what markup is around; None if it is none."""
    if (found := _LINKED_PICTURE.fullmatch(text) or _MARKDOWN.fullmatch(text)) is not None:
        return _ESCAPED.sub(r"\1", next(filter(None, found.groups())))
    if (label := _LABEL.match(text)) is not None:
        return text[label.end() :]
    source = _SOURCE.fullmatch(text) or _CSS.fullmatch(text)
    if source is not None and any(mark in source[1] for mark in "/\\"):
        return source[1]
    # The angle brackets of a tag are taken for quotation marks.
    tag = _IMG_SRC.search(text) if text[:4].lower() == "img " else None
    return None if tag is None else unescape(next(filter(None, tag.groups()), ""))


def _unquoted(reference: str) -> str:
    text = reference.strip().strip(_INVISIBLE).strip()
    start, stop, left = 0, len(text), _MAX_WRAPPING_CHARACTERS
    while stop - start > 1 and text[start] + text[stop - 1] in _QUOTES:
        start, stop, left = start + 1, stop - 1, left - 1
        while start < stop and text[start].isspace() and left > 0:
            start, left = start + 1, left - 1
        while start < stop and text[stop - 1].isspace() and left > 0:
            stop, left = stop - 1, left - 1
        if left <= 0:
            raise RefusalError("is wrapped in thousands of quotation marks and blanks. Give it without them.")
    return text[start:stop]
