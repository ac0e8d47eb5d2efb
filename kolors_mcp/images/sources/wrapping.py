"""Takes from around a reference what writers of text put there: quotation marks, Markdown, an HTML tag."""

import re
from html import unescape

from kolors_mcp.bounds import linear
from kolors_mcp.images.refusal import RefusalError

_QUOTES = ('""', "''", "``", "\u201c\u201d", "\u2018\u2019", "\xab\xbb", "<>", "\u300c\u300d")
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
_ESCAPED = re.compile(r"\\([()\[\]_*<> ])")
_IMG_SRC = re.compile(r"\ssrc\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s\"'>]++))", re.IGNORECASE)


@linear(
    *(b'"', b"'", b' "', b"<", b" ", b"\xe2\x80\x9c", b"[", b"![", b"](", b"[a](", b"(a)", b"\\", b"\\a", b"<img "),
    *(b" src=", b" src='", b"[image:", b"[image: /", b"/", b"&amp;"),
    opening=b'"',
    closing=b'"',
)
def unwrapped(reference: str) -> str:
    """Return what stands inside blanks, quotation marks, Markdown or an HTML tag, however they are nested.

    Raises:
        RefusalError: There are thousands of them.
    """
    text = _unquoted(reference)
    if len(text) > _MAX_MARKUP_CHARACTERS:
        return text
    found = _LINKED_PICTURE.fullmatch(text) or _MARKDOWN.fullmatch(text)
    if found is not None:
        return _unquoted(_ESCAPED.sub(r"\1", next(filter(None, found.groups()))))
    source = _SOURCE.fullmatch(text)
    if source is not None and any(mark in source[1] for mark in "/\\"):
        return _unquoted(source[1])
    # The angle brackets of a tag are taken for quotation marks.
    if text[:4].lower() == "img " and (tag := _IMG_SRC.search(text)) is not None:
        return _unquoted(unescape(next(filter(None, tag.groups()), "")))
    return text


def _unquoted(reference: str) -> str:
    text = reference.strip()
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
