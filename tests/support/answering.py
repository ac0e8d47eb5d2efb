"""Whether the text of an answer says all that its structured part says."""

from collections.abc import Iterator
from typing import Any, cast

from tests.support.wishing import Said

FALSE_OR_EMPTY: tuple[Any, ...] = (None, False, "", [])


def facts_of(structured: Any) -> Iterator[str]:
    """What a structured part says, as words; what is only true or false is said by a sentence."""
    if isinstance(structured, dict):
        for value in cast("dict[str, Any]", structured).values():
            yield from facts_of(value)
    elif isinstance(structured, list):
        for value in cast("list[Any]", structured):
            yield from facts_of(value)
    elif structured not in FALSE_OR_EMPTY and structured is not True:
        yield str(structured)


def missing_in_text(said: Said) -> list[str]:
    return [fact for fact in facts_of(said.structured) if fact not in said.text]
