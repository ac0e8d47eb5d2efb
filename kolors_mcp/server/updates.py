"""Looks at the try-ons that clients watch, and says when one of them has changed."""

import asyncio
import logging
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass

from mcp.shared.subscriptions import ResourceUpdated

from kolors_mcp.clock import Backoff, Clock
from kolors_mcp.errors import KolorsError
from kolors_mcp.server.bus import Bus
from kolors_mcp.server.caller import Caller
from kolors_mcp.server.resources import MAX_RECENT
from kolors_mcp.server.service import Service
from kolors_mcp.try_ons.uris import Address, address_of
from kolors_mcp.wording import plain

logger = logging.getLogger(__name__)

POLL_PAUSES = Backoff(initial_seconds=3.0, max_seconds=60.0, jitter=(1.0, 1.0))
"""Between two looks; it grows with each failed one."""
MAX_WATCHED, MAX_WATCHED_BY_ALL = 100, 2_000
"""Resources that a user watches at once, and all together; further ones are accepted, and tell nothing."""
MAX_POLLED = 5
"""Running try-ons that are looked at for clients that watch the latest ones."""

Statuses = tuple[tuple[str, str], ...]
"""Task ids and their status."""


@dataclass
class _Watch:
    task: "asyncio.Task[None]"
    watching: int = 0


class Updates:
    """What is watched: each resource of a user is looked at once, however many watch it."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        """Watch nothing yet."""
        self.bus = bus
        self._clock = clock
        self._watches: dict[tuple[Service, Caller, str], _Watch] = {}

    @contextmanager
    def watched(self, service: Service, uris: Iterable[str]) -> Generator[None]:
        """Look at these resources while the body runs; a change is published on the bus.

        A client that watches a finished one is told so once: it may have been read before it was finished.
        """
        caller = service.caller()
        joined: list[tuple[Service, Caller, str]] = []
        for uri in dict.fromkeys(uris):
            address, key = address_of(uri), (service, caller, uri)
            if address is None or (key not in self._watches and self._is_full(caller)):
                continue
            if key not in self._watches or self._watches[key].task.done():
                before = self._watches.get(key)
                task = asyncio.create_task(self._poll(service, caller, uri, address))
                task.add_done_callback(_log_failure)
                self._watches[key] = _Watch(task, 0 if before is None else before.watching)
            self._watches[key].watching += 1
            joined.append(key)
        try:
            yield
        finally:
            for key in joined:
                watch = self._watches[key]
                watch.watching -= 1
                if not watch.watching:
                    watch.task.cancel()
                    del self._watches[key]

    def _is_full(self, caller: Caller) -> bool:
        theirs = sum(watching == caller for _, watching, _ in self._watches)
        return theirs >= MAX_WATCHED or len(self._watches) >= MAX_WATCHED_BY_ALL

    async def _poll(self, service: Service, caller: Caller, uri: str, address: Address) -> None:
        before: Statuses | None = None
        failures = 0
        while True:
            try:
                now, over = await self._statuses(service, caller, address)
            except KolorsError as error:
                logger.info("a watched try-on could not be looked at: %s", plain(str(error), 400))
                failures += 1
            else:
                failures = 0
                if now != before and (over or before is not None):
                    await self.bus.publish(ResourceUpdated(uri), caller.user)
                if over:
                    return
                before = now
            await self._clock.sleep(POLL_PAUSES.seconds(failures, self._clock))

    async def _statuses(self, service: Service, caller: Caller, address: Address) -> tuple[Statuses, bool]:
        """Return how it stands, and whether it stays so."""
        try_ons = await service.try_ons(caller=caller)
        if address.task_id is not None:
            try_on = await try_ons.look(address.task_id)
            return ((try_on.task_id, try_on.status),), try_on.finished
        running = [try_on for try_on in await try_ons.recent(MAX_RECENT) if not try_on.finished]
        for try_on in running[:MAX_POLLED]:
            await try_ons.look(try_on.task_id)  # what it finds is written down
        return tuple((try_on.task_id, try_on.status) for try_on in await try_ons.recent(MAX_RECENT)), False


def _log_failure(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("watching a try-on ended unexpectedly", exc_info=error)
