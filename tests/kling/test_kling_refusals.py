"""Kling's codes in an error: whose own words are shown, and what is said instead of them."""

import pytest

from kolors_mcp import errors
from kolors_mcp.kling.refusals import MEANINGS, Verdict, error_for

TELLING = {1200, 1201, 1202, 1203, 1300, 1301}
"""Codes that say only that something is wrong; what it is stands in the message."""
WORDS = "the words that came with it"


def _said(code: int, *, creating: bool = False) -> str:
    return str(error_for(Verdict(code, WORDS, "r"), creating=creating))


@pytest.mark.parametrize("code", sorted({*MEANINGS, 999, 4242}))
@pytest.mark.parametrize("creating", [False, True])
def test_klings_words_are_shown_where_they_add_something_and_nowhere_else(code: int, creating: bool) -> None:
    assert (WORDS in _said(code, creating=creating)) == (code in TELLING or code not in MEANINGS)


@pytest.mark.parametrize("code", [0, 42, 900, 999, 1005, 1299, 1305, 1999, 2000, 2999, 5003])
def test_a_code_that_stands_in_no_table_is_never_taken_for_a_refusal_of_a_create(code: int) -> None:
    assert not Verdict(code, None, None).final
    error = error_for(Verdict(code, None, None), creating=True)
    assert isinstance(error, errors.UnexpectedAnswerError)
    assert error.created is None


@pytest.mark.parametrize(("status", "certain"), [(200, True), (400, True), (499, True), (500, False), (503, False)])
def test_a_refusal_with_the_status_of_a_failure_is_a_doubt_about_a_create_and_none_about_a_read(
    status: int, certain: bool
) -> None:
    verdict = Verdict(1301, WORDS, None, status=status)
    assert verdict.final == certain
    assert (error_for(verdict, creating=True).created is False) == certain
    assert isinstance(error_for(verdict, creating=False), errors.PolicyRefusedError)
