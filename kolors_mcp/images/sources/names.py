"""Which name in a folder is meant by one that is not there: the same to the eye, or mistyped by a letter or two."""
# Names are put together and listed as plain strings, as in `allowed`.
# ruff: noqa: PTH118, PTH122, PTH206

import os
import re
import unicodedata
from itertools import pairwise

from kolors_mcp.bounds import linear
from kolors_mcp.images.refusal import RefusalError
from kolors_mcp.images.sources.allowed import Allowed
from kolors_mcp.wording import quoted

_MAX_LISTED = 20_000
"""Entries that are looked at, in all folders together, for a name that may have been meant."""
_COMPARED_CHARACTERS = 100
_MAX_COMPARED = 200
"""Names that are compared letter by letter."""
_SHORT = 5
"""Letters of a name from which on two typos may be in it."""
_MAX_TYPOS = 2

# What fonts draw alike. Case, accents, digits and small raised ones are seen, so they stay apart.
_LOOKS = str.maketrans({
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u02bc\u00b4\u2032`", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d", "-"),
    "\u2026": "...",
    "\u2044": "/",
})  # fmt: skip
_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEIGHBOURS = frozenset(
    frozenset(pair)
    for row, below in zip(_KEYS, (*_KEYS[1:], ""), strict=True)
    for pair in (*pairwise(row), *zip(row, below, strict=False), *zip(row[1:], below, strict=False))
)
"""Letters whose keys touch: taking one for the other is a slip, taking any other is another word (shirt, skirt)."""
_DIGITS = re.compile(r"[0-9]+")


class Listing:
    """The names in folders, as far as they may be known, and no more of them than the budget allows."""

    def __init__(self, allowed: Allowed) -> None:
        self._allowed = allowed
        self._left = _MAX_LISTED
        self.whole = True
        """Whether every folder was listed to its end."""

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder that are not hidden; none of a folder that may not be looked into."""
        if not self._allowed.may_list(folder):
            return []
        found: list[str] = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if self._left <= 0:
                        self.whole = False
                        break
                    self._left -= 1
                    if not entry.name.startswith("."):
                        found.append(entry.name)
        except OSError:
            return []
        return found


@linear(b"a", b" ", b"\xe2\x80\xaf", b"a\xcc\x81\xcc\xa3", b"\xe2\x80\x99", b"\xe2\x80\x8b", b"\xe2\x80\xa6")
def as_seen(name: str) -> str:
    """Return what two names have in common that a person cannot tell apart."""
    if not name.isascii():
        name = "".join(
            " " if unicodedata.category(character) == "Zs" else character
            for character in unicodedata.normalize("NFC", name).translate(_LOOKS)
            if unicodedata.category(character) != "Cf"
        )
    return " ".join(name.split())


def seen_alike(path: str, allowed: Allowed, listing: Listing) -> str | None:
    """Return the one path below an allowed folder that looks like `path`, part by part; None if there is none.

    Raises:
        RefusalError: Several look like it.
    """
    root = allowed.root_of(path)
    if root is None:
        return None
    found = root
    for part in path[len(root) :].strip(os.sep).split(os.sep):
        exact = os.path.join(found, part)
        if os.path.lexists(exact):
            found = exact
            continue
        wanted = as_seen(part)
        alike = [name for name in listing.names(found) if as_seen(name) == wanted]
        if len(alike) > 1:
            raise RefusalError(f"looks the same as {len(alike)} names there: {quoted(part)}. Rename one of them.")
        if not alike or not listing.whole:
            return None
        found = os.path.join(found, alike[0])
    return None if found == path else found


def mistyped(path: str, listing: Listing) -> str | None:
    """Return the path in the same folder that was meant but for a slip: another case or ending, or a typo or two."""
    folder, wanted = os.path.split(path)
    names = sorted(listing.names(folder))
    # One of exactly this name is there but may not be read; naming it again would not help.
    folded = {name.casefold(): name for name in names if name != wanted}
    stem = os.path.splitext(wanted.casefold())[0]
    same = [name for name in folded if name == wanted.casefold() or os.path.splitext(name)[0] == stem]
    nearest = same[:1] or _nearest(wanted.casefold(), folded)
    return os.path.join(folder, folded[nearest[0]]) if len(nearest) == 1 else None


def _nearest(wanted: str, names: dict[str, str]) -> list[str]:
    """Return the names with the fewest typos; not those in which another digit or first letter is another picture."""
    wanted = wanted[:_COMPARED_CHARACTERS]
    stem = os.path.splitext(wanted)[0]
    most = _MAX_TYPOS if len(stem) >= _SHORT else 1
    letters, digits = set(wanted), _DIGITS.findall(stem)
    likely = (
        name
        for name in names
        if name[0] == wanted[:1]
        and abs(len(name) - len(wanted)) <= most
        and len(letters ^ set(name)) <= 2 * most
        and _DIGITS.findall(os.path.splitext(name)[0]) == digits
    )
    counted = [(typos(wanted, name, most), name) for _, name in zip(range(_MAX_COMPARED), likely, strict=False)]
    least = min((count for count, _ in counted), default=most + 1)
    return [name for count, name in counted if count == least <= most]


def typos(written: str, meant: str, most: int = _MAX_TYPOS) -> int:
    """Return how many slips turn one name into the other; more than `most` if it is more than that.

    A slip is a letter too many, too few, that of a neighbouring key, or two letters in each other's place.
    """
    far = most + 1
    before: list[int] = []
    row = [count if count <= most else far for count in range(len(meant) + 1)]
    for down, letter in enumerate(written, 1):
        # Further from the diagonal than `most` there is nothing to find.
        current = [far] * (len(meant) + 1)
        current[0] = min(down, far)
        for across in range(max(1, down - most), min(len(meant), down + most) + 1):
            other = meant[across - 1]
            if letter == other:
                cost = row[across - 1]
            else:
                # Not both in one name: a letter gone here and another come there is another letter.
                cost = (row[across] if len(written) > len(meant) else current[across - 1]) + 1
                if frozenset((letter, other)) in _NEIGHBOURS:
                    cost = min(cost, row[across - 1] + 1)
                if down > 1 < across and letter == meant[across - 2] and written[down - 2] == other:
                    cost = min(cost, before[across - 2] + 1)
            current[across] = min(cost, far)
        before, row = row, current
    return row[-1]


def in_icloud(path: str) -> bool:
    """Return whether a file is missing because iCloud has it, and this disk only its mark (`.name.icloud`, Apple)."""
    folder, name = os.path.split(path)
    return os.path.lexists(os.path.join(folder, f".{name}.icloud"))
