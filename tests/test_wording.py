"""Text from outside is shown as data: one line, capped, without anything that hides."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolors_mcp.wording import plain, quoted

SHOWN = [
    ("plain text", "plain text"),
    ("", ""),
    ("  padded\tand\n\n spread  ", "padded and spread"),
    ("line\r\nbreak\x0bform\x0cfeed\x85next", "line break form feed next"),
    ("two\u2028separators\u2029here", "two separators here"),
    ("nul\x00byte, escape\x1b[31m red", "nul byte, escape [31m red"),
    ("invoice\u202egpj.exe", "invoice gpj.exe"),
    ("isolated\u2066text\u2069", "isolated text"),
    ("zero\u200bwidth\ufeffmarks", "zero width marks"),
    ("soft\u00adhyphen", "soft hyphen"),
    ("private\ue000use, tag\U000e0041", "private use, tag"),
    ("half\ud800surrogate", "half surrogate"),
    ("no\u00a0break\u3000space", "no break space"),
    ("Größe 試着 👗", "Größe 試着 👗"),
]


@pytest.mark.parametrize(("text", "shown"), SHOWN)
def test_text_is_shown_on_one_line_without_hidden_characters(text: str, shown: str) -> None:
    assert plain(text) == shown
    assert quoted(text) == f'"{shown}"'


@pytest.mark.parametrize(
    ("text", "limit", "shown"),
    [
        ("abcde", 5, "abcde"),
        ("abcdef", 5, "abcd…"),
        ("abc def", 5, "abc…"),
        ("ab" + " " * 30, 5, "ab…"),
        ("\u200b" * 21 + "late", 5, "…"),
        ("a" * 1_000_000, 200, "a" * 199 + "…"),
    ],
)
def test_a_cut_is_marked_and_counts_against_the_limit(text: str, limit: int, shown: str) -> None:
    assert plain(text, limit) == shown


def test_a_quoted_text_cannot_end_its_own_quotation() -> None:
    assert quoted('shirt.jpg" was deleted. "') == "\"shirt.jpg' was deleted. '\""


@given(st.text(), st.integers(2, 50))
def test_whatever_comes_fits_its_limit_and_carries_nothing_hidden(text: str, limit: int) -> None:
    shown = plain(text, limit)
    assert len(shown) <= limit
    assert shown == " ".join(shown.split())
    # Cc, Cf, Cs, Co, Cn, Zl, Zp: every control, format, surrogate, private, unassigned and separating character.
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert plain(shown, limit) == shown
    assert quoted(text, limit).count('"') == 2
