"""Asks Kling whether a create came to a task: by its reference, and in the list, back to when it was sent."""

import asyncio
import logging
import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kolors_mcp import errors
from kolors_mcp.clock import Clock, Deadline
from kolors_mcp.jobs.in_flight import InFlight
from kolors_mcp.jobs.queue import MIN_BUSY_SECONDS
from kolors_mcp.kling.task import Task
from kolors_mcp.wording import minute, plain

if TYPE_CHECKING:
    from kolors_mcp.kling.client import KlingClient

logger = logging.getLogger(__name__)

SHOWN_AFTER_SECONDS = MIN_BUSY_SECONDS
"""So much later Kling shows what it has made, as far as was seen."""
MAX_SEARCH_SECONDS = 3.0
"""What a question about one reference may take."""
NEWEST_ROWS, PAGE_ROWS, MAX_PAGES = 100, 500, 10
"""The newest rows of the list are asked for first, then as many large pages as are needed, and no more than these."""
SKEW_SECONDS = 3600.0
"""By which a task may seem older than its create: that much was wrong with the clock by which it was sent."""


@dataclass(frozen=True)
class Answer:
    """What a question came to: the tasks that were found, by reference, and what is said of the others."""

    tasks: dict[str, Task]
    words: str
    is_whole: bool = True
    """False: Kling was not asked, or said what passes, so asking again may show more."""
    was_shown: bool = True
    """False: Kling did not show what it has."""


def lends_slot(named: Answer, listed: Answer, lasts: float) -> bool:
    """Whether what was asked shows that a create in doubt holds no slot of Kling's.

    Args:
        named: What Kling said of its reference.
        listed: What it said of the list.
        lasts: For how long it was in doubt when that was asked.
    """
    return lasts >= SHOWN_AFTER_SECONDS and named.is_whole and listed.was_shown


class Search:
    """Asks once, and says what it was told. What cannot be asked is not found, which proves nothing."""

    def __init__(self, kling: "KlingClient", clock: Clock) -> None:
        """Ask nothing yet."""
        self._kling = kling
        self._clock = clock
        self._newest: InFlight[list[Task]] = InFlight()

    async def of_late(self, reference: str) -> Answer:
        """Look for a create that was sent seconds ago: by its reference, and among the newest rows of the list.

        However many creates are looked for in this way, one request for those rows is under way at most.
        """
        named = await self.by_reference(reference)
        if named.tasks:
            return named
        reading = self._newest.join("rows", self._newest_rows)
        await asyncio.wait((reading,))
        try:
            rows = reading.result()
        except errors.KolorsError as error:
            return Answer({}, _could_not(error), is_whole=_is_answer(error))
        found = next((row for row in rows if row.reference == reference), None)
        return Answer({} if found is None else {reference: found}, _not_among([row.id for row in rows]), named.is_whole)

    async def by_reference(self, reference: str) -> Answer:
        """Ask for one create."""
        try:
            task = await self._kling.read(reference, self._clock.deadline(MAX_SEARCH_SECONDS))
        except errors.TaskNotFoundError:
            return Answer({}, "Kling does not know it")
        except errors.KolorsError as error:
            return Answer({}, _could_not(error), is_whole=_is_answer(error), was_shown=False)
        # The client lets through no answer that names another create; one that only echoes the question proves nothing.
        if task.id == reference:
            return Answer({}, "Kling's answer is not about it")
        return Answer({reference: task}, "found")

    async def in_list(self, references: Collection[str], age: float, deadline: Deadline) -> Answer:
        """Look for creates in the account's list.

        Args:
            references: Of the creates.
            age: Seconds since the oldest was sent. The list is read back to then, as far as a few thousand rows go.
            deadline: Until when.
        """
        found: dict[str, Task] = {}
        seen: set[str] = set()
        since = self._sent_at(age)
        number, size, tells = 1, NEWEST_ROWS, False
        for _ in range(MAX_PAGES + 1):
            try:
                rows = await self._kling.page(number, size, deadline)
            except errors.KolorsError as error:
                words = f"{_not_among(seen)}; then it {_could_not(error)}" if seen else _could_not(error)
                return Answer(found, words, is_whole=_is_answer(error), was_shown=False)
            fresh = [row for row in rows if row.id not in seen]
            seen.update(row.id for row in fresh)
            tells = tells or any(row.reference is not None for row in fresh)
            found |= {row.reference: row for row in fresh if row.reference in references and row.reference is not None}
            if not fresh and (number > 1 or not rows):
                return Answer(found, f"not among all {len(seen)} tasks" if tells or not seen else _untold(seen))
            if len(found) == len(references):
                break
            if any(row.created_at is not None and row.created_at.timestamp() < since for row in fresh):
                return Answer(found, f"{_not_among(seen) if tells else _untold(seen)}, back to {minute(since)}")
            number, size = _next_page(number, size, len(rows))
        return Answer(found, _not_among(seen) if tells else _untold(seen))

    async def _newest_rows(self) -> list[Task]:
        return await self._kling.page(1, NEWEST_ROWS, self._clock.deadline(MAX_SEARCH_SECONDS))

    def _sent_at(self, age: float) -> float:
        """Return when, by Kling's clock, what is so old was sent, or somewhat earlier."""
        # An age and the clock that dates the rows are all that is needed: what our clock shows does not matter.
        now = self._kling.time()
        return -math.inf if math.isinf(age) else (self._clock.wall() if now is None else now) - age - SKEW_SECONDS


def _next_page(number: int, size: int, rows: int) -> tuple[int, int]:
    """Return the number and size of the page that is asked for next.

    A first page with fewer rows than were asked for is all there is, or all that Kling gives at a time: only a second
    one of that size tells.
    """
    if number > 1 or rows < size:
        return number + 1, min(size, rows) if number == 1 else size
    return (1, PAGE_ROWS) if size == NEWEST_ROWS else (2, size)


def _untold(seen: Collection[str]) -> str:
    return f"of {len(seen)} tasks none says which create it is from"


def _not_among(seen: Collection[str]) -> str:
    return f"not among the newest {len(seen)} tasks"


def _is_answer(error: errors.KolorsError) -> bool:
    """Whether Kling itself said that it does not tell, and would say so again."""
    return isinstance(error, errors.RefusedError) and not error.retryable


def _could_not(error: errors.KolorsError) -> str:
    logger.info("looking for creates in doubt: %s", plain(str(error), 400))
    return f"could not be asked ({type(error).__name__})"
