"""Looks for an account's creates in doubt when no caller waits for them, by turns with all who share the ledger."""

import asyncio
import logging
import math
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from kolors_mcp.clock import Backoff, Clock
from kolors_mcp.errors import LedgerError
from kolors_mcp.jobs.in_flight import InFlight
from kolors_mcp.jobs.search import Answer, Search, lends_slot
from kolors_mcp.jobs.store import Store
from kolors_mcp.ledger.doubt import Doubt, Look

logger = logging.getLogger(__name__)

WAKE_EVERY_SECONDS = 15.0
"""After a call the ledger is asked for doubts, which another process may have left; not more often than this."""
LOOKS_AT_ONCE = 20
"""Creates that one look is for; the list is read once for all of them."""
QUESTIONS_AT_ONCE = 4
"""References that are asked for at the same time: what callers read comes first."""
MAX_READ_BACK_SECONDS = 15.0
"""What reading back the list may take."""
LOOP_RETRY = Backoff(initial_seconds=15.0, max_seconds=3600.0)
"""After the ledger failed, or something unforeseen did."""


class Background:
    """One loop, which runs only while the ledger has creates to look for, and waits for the next of them.

    It keeps nothing of its own: the next look and what the looks have shown are in the rows. So another process goes
    on with them when this one ends, in the middle of a look or not.
    """

    def __init__(self, search: Search, store: Store, clock: Clock) -> None:
        """Run nothing yet."""
        self._search = search
        self._store = store
        self._clock = clock
        self._loop: InFlight[None] = InFlight()
        self._woken = asyncio.Event()
        self._wake_again_at = -math.inf

    def wake(self) -> None:
        """Ask the ledger now what is to be looked for, and when."""
        self._woken.set()
        self._wake_again_at = self._clock.monotonic() + WAKE_EVERY_SECONDS
        self._loop.join("loop", self._run)

    @contextmanager
    def after_call(self) -> Generator[None]:
        """Wake it when a call has its answer, unless that was a moment ago."""
        try:
            yield
        finally:
            if self._clock.monotonic() >= self._wake_again_at:
                self.wake()

    async def aclose(self) -> None:
        """Stop at once."""
        await self._loop.aclose()

    async def _run(self) -> None:
        failures = 0
        while True:
            self._woken.clear()
            try:
                seconds = await self._look_if_due()
                failures = 0
            except LedgerError as error:
                logger.warning("creates in doubt are not looked for: %s", error)
                seconds, failures = LOOP_RETRY.seconds(failures, self._clock), failures + 1
            except Exception:
                logger.exception("looking for creates in doubt failed unexpectedly")
                seconds, failures = LOOP_RETRY.seconds(failures, self._clock), failures + 1
            if seconds is None:
                if not self._woken.is_set():
                    return
                continue
            # Not by the clock's sleep: that is for waits that keep a caller.
            with self._clock.deadline(seconds).scope():
                await self._woken.wait()

    async def _look_if_due(self) -> float | None:
        """Look for what is due, and return in how many seconds to ask again; None if nothing is in doubt."""
        seconds = await self._store.seconds_to_next_look()
        if seconds == 0:
            await self._look_for(await self._store.take_looks(LOOKS_AT_ONCE))
        return seconds

    async def _look_for(self, doubts: Sequence[Doubt]) -> None:
        answers: dict[str, Answer] = {}
        for start in range(0, len(doubts), QUESTIONS_AT_ONCE):
            asked = [doubt.job.reference for doubt in doubts[start : start + QUESTIONS_AT_ONCE]]
            answers |= zip(asked, await asyncio.gather(*map(self._search.by_reference, asked)), strict=True)
        found = {reference: answer.tasks[reference] for reference, answer in answers.items() if answer.tasks}
        left = {doubt.job.reference: doubt.age for doubt in doubts if doubt.job.reference not in found}
        lasts = {doubt.job.reference: doubt.lasts for doubt in doubts}
        if left:
            listed = await self._search.in_list(left, max(left.values()), self._clock.deadline(MAX_READ_BACK_SECONDS))
            found |= listed.tasks
            shown = {
                reference: Look(
                    (("reference", answers[reference].words), ("list", listed.words)),
                    lends_slot=lends_slot(answers[reference], listed, lasts[reference]),
                )
                for reference in left
                if reference not in found
            }
            if shown:
                await self._store.looked(shown)
        for reference, task in found.items():
            logger.info("create %s was in doubt, and has turned up as %s", reference, task.id)
            await self._store.created(reference, task)
