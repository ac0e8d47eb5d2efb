"""How text that is not ours is shown: as data, on one line, capped, between quotes."""

import unicodedata
from datetime import UTC, datetime

# Control, format (bidi and zero-width), surrogate, private-use and unassigned characters, and the line and
# paragraph separators. None of them belongs in a sentence; all of them can disguise one.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

_QUOTES = dict.fromkeys(map(ord, '"\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f'), "'")


def plain(text: str, limit: int = 200) -> str:
    """Return `text` as one line of at most `limit` visible characters.

    Hidden characters become blanks, runs of white space become one blank, and a cut is marked with an ellipsis.
    """
    # Four times the limit is enough to fill the line, whatever is dropped; megabytes need not be looked at.
    visible = text[: limit * 4]
    if not visible.isprintable():  # most texts are, which is told at once
        visible = "".join(" " if unicodedata.category(one) in _HIDDEN else one for one in visible)
    line = " ".join(visible.split())
    if len(line) > limit or len(text) > limit * 4:
        return line[: limit - 1].rstrip() + "…"
    return line


def quoted(text: str, limit: int = 200) -> str:
    """Return `plain(text)` between double quotes; double quotes inside become single ones."""
    return '"' + plain(text, limit).replace('"', "'") + '"'


def folded(text: str) -> str:
    """Return what texts have in common that differ only in case, in width, in quotes or in how accents are written.

    Case is that of all scripts (Unicode), which databases do not know. What `quoted` shows means the text that it was.
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).translate(_QUOTES)


def minute(moment: float) -> str:
    """Return a moment, in seconds since 1970, as people read it."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M} UTC"


def iso_utc(moment: datetime) -> str:
    """Return a moment as programs read it (RFC 3339, UTC, whole seconds)."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
