"""`/healthz`: this process turns. `/readyz`: it can serve. Neither says more, and neither waits for anything.

Kling is not asked: its outage must not take every replica out of service.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse

from kolors_mcp.clock import Clock

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from kolors_mcp.server.http.draining import Draining

logger = logging.getLogger(__name__)

Probe = Callable[[], Awaitable[bool]]
"""Returns whether something that is needed is there; whatever it raises means that it is not."""

PROBE_SECONDS = 4.0
"""Between two rounds, and for how long a probe may take until what it asks for counts as gone."""
MAX_ROUNDS = 3
"""In which the answer to one asking is waited for; then the probe is asked anew."""
MAX_UNANSWERED = 3
"""Askings of a probe that are waited for at once."""


class Health:
    """What is known of the process, from rounds in the background."""

    def __init__(self, probes: Sequence[Probe], draining: "Draining", clock: Clock) -> None:
        """Know nothing yet."""
        self._draining = draining
        self._clock = clock
        self._asking = [_Asking(probe) for probe in probes]
        self._is_ready = False

    async def live(self, _request: "Request") -> "Response":
        """Answer that the loop turns."""
        return _said("ok", 200)

    async def ready(self, _request: "Request") -> "Response":
        """Answer whether calls are taken."""
        return (
            _said("ready", 200) if self._is_ready and not self._draining.ending.has_begun else _said("not ready", 503)
        )

    async def watch(self) -> None:
        """Look again and again whether all is there."""
        try:
            while True:
                is_ready = await self._all_there()
                if is_ready != self._is_ready:
                    logger.log(
                        logging.INFO if is_ready else logging.WARNING,
                        "this process is %sready",
                        "" if is_ready else "not ",
                    )
                self._is_ready = is_ready
                await self._clock.tick(PROBE_SECONDS)
        finally:
            for asking in self._asking:
                asking.cancel()

    async def _all_there(self) -> bool:
        tasks = [asking.next() for asking in self._asking]
        if tasks:
            await asyncio.wait(tasks, timeout=PROBE_SECONDS)
        return all(task.done() and task.result() for task in tasks)


class _Asking:
    """Asks one probe, again and again.

    One that has not answered is not asked again at once, for each may hold a thread for as long as that takes; but some
    never answer, such as over a connection of which nobody has said that it is lost.
    """

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._tasks: list[asyncio.Task[bool]] = []
        self._rounds = 0

    def next(self) -> "asyncio.Task[bool]":
        """Return the asking that counts in this round."""
        self._rounds += 1
        has_answered = not self._tasks or self._tasks[-1].done()
        self._tasks = [task for task in self._tasks if not task.done()]
        if has_answered or (self._rounds > MAX_ROUNDS and len(self._tasks) < MAX_UNANSWERED):
            self._rounds = 1
            self._tasks.append(asyncio.create_task(_answer(self._probe)))
        return self._tasks[-1]

    def cancel(self) -> None:
        """Wait for no answer any more."""
        for task in self._tasks:
            task.cancel()


async def _answer(probe: Probe) -> bool:
    try:
        return await probe()
    except Exception as error:  # noqa: BLE001  (whatever it is, what was asked for is not there)
        # Its words may hold an address with a password.
        logger.info("something that is needed is not there (%s)", type(error).__name__)
        return False


def _said(words: str, status: int) -> "Response":
    return PlainTextResponse(words + "\n", status, {"cache-control": "no-store"})
