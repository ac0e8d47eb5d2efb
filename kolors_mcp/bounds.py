"""The rule of this package for foreign bytes: what reads them takes time and memory in proportion to their length.

A function that reads bytes or text from outside carries the mark `linear`, with the fragments that are dear to it.
The tests find every mark, repeat its fragments, and fail where eight times the input takes more than its share.
What goes from piece to piece (chunks, segments, boxes, entries) has a budget of `Steps` besides: proportion alone lets
a file of a few megabytes, all of it empty pieces, hold a thread for many seconds.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

_MARK = "__growth__"

MAX_STEPS = 50_000
"""Most pieces of one picture: a PNG of 60 MB from an ordinary program has some 7,500 of them."""


class Growth(NamedTuple):
    """How a test makes hostile input of any size: the opening, one of the fragments many times, the closing."""

    fragments: tuple[bytes, ...]
    opening: bytes = b""
    closing: bytes = b""


def linear(*fragments: bytes, opening: bytes = b"", closing: bytes = b"") -> Callable[[F], F]:
    """Mark a function whose first argument is foreign, and which reads it in linear time.

    Args:
        fragments: Pieces whose repetition is the worst that this reader knows: its own tags, markers, boxes, quotes.
        opening: What has to stand before them, such as a signature, so that they are read at all.
        closing: What has to stand behind them.
    """

    def mark(function: F) -> F:
        setattr(function, _MARK, Growth(fragments, opening, closing))
        return function

    return mark


def growth_of(function: Callable[..., Any]) -> Growth | None:
    """Return what a function was marked with; None if it was not."""
    return getattr(function, _MARK, None)


class Steps:
    """How many pieces a walk may still look at.

    Args:
        refusal: What is raised when there are more.
        most: How many there may be.
    """

    def __init__(self, refusal: Callable[[], Exception], most: int = MAX_STEPS) -> None:
        self._refusal = refusal
        self._left = most

    def take(self) -> None:
        """Count one piece; raise the refusal if it is one too many."""
        self._left -= 1
        if self._left < 0:
            raise self._refusal()
