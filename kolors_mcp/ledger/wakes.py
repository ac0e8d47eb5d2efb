"""Wakes whoever waits for what is written down: in this process at once, in others where a server passes it on.

A wake-up says that something may have changed, and never what: whoever is woken reads it. Nobody may rely on being
woken, since a server that is between us and the database may swallow it; so they look from time to time as well.
"""

import asyncio
import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Connection, make_url, text

from kolors_mcp.clock import Backoff, Clock
from kolors_mcp.ledger.opening import silence_for

logger = logging.getLogger(__name__)

CHANNEL = "kolors_mcp_line"
MOVES_LINE = "+"
"""Stands before a name where who waits in line may be let in now."""
RECONNECT = Backoff(initial_seconds=1.0, max_seconds=15.0)
MAX_NAME_CHARACTERS = 1000
"""Of a name that is passed on; a server takes 8,000 bytes. Who waits for a longer one has to look."""

_NOTIFY = text(f"SELECT pg_notify('{CHANNEL}', :told)")


class Wakes:
    """The wake-ups of one process. All of it belongs to its event loop, but for `tell`."""

    def __init__(self, url: str, clock: Clock) -> None:
        """Hear nothing from others yet.

        Args:
            url: Of the ledger.
            clock: Spreads the tries to connect.
        """
        self._url = url
        self._clock = clock
        self._is_server = not url.startswith("sqlite")
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self.line = asyncio.Event()
        """Set when somebody in line may be let in; whoever takes notice clears it."""
        self._heard: list[Callable[[str | None], None]] = []
        self._listening: asyncio.Task[None] | None = None
        self.is_listening = asyncio.Event()
        """Set while others are heard."""

    def listen(self) -> None:
        """Begin to hear what other processes tell, if the database passes it on."""
        if self._is_server and self._listening is None:
            self._listening = asyncio.create_task(self._listen_for_ever())

    async def aclose(self) -> None:
        """Hear nothing more."""
        if self._listening is not None:
            self._listening.cancel()
            with suppress(asyncio.CancelledError):
                await self._listening
            self._listening = None

    @contextmanager
    def waiting(self, name: str) -> Generator[asyncio.Event]:
        """Give an event that is set when something may have changed about a create, by its reference or Kling's id."""
        event = asyncio.Event()
        self._waiting.setdefault(name, set()).add(event)
        try:
            yield event
        finally:
            others = self._waiting[name]
            others.discard(event)
            if not others:
                del self._waiting[name]

    def also(self, heard: Callable[[str | None], None]) -> None:
        """Let `heard` be called, too, with each name that is told of; with None where it may have been any."""
        self._heard.append(heard)

    def tell(self, connection: Connection, name: str, *, moves_line: bool) -> None:
        """Tell other processes, once the transaction is committed."""
        if self._is_server and len(name) <= MAX_NAME_CHARACTERS:
            connection.execute(_NOTIFY, {"told": f"{MOVES_LINE if moves_line else ' '}{name}"})

    def wake(self, name: str, *, moves_line: bool) -> None:
        """Wake who waits in this process."""
        for heard in self._heard:
            heard(name)
        for event in self._waiting.get(name, ()):
            event.set()
        if moves_line:
            self.line.set()

    async def _listen_for_ever(self) -> None:
        failures = 0
        while True:
            try:
                await self._listen()
            except Exception as error:  # noqa: BLE001  (the driver's own; whoever waits looks from time to time)
                logger.warning("other processes are not heard: %s", type(error).__name__)
            finally:
                failures = 0 if self.is_listening.is_set() else failures + 1
                self.is_listening.clear()
            await self._clock.tick(RECONNECT.seconds(failures, self._clock, at_least=0.1))

    async def _listen(self) -> None:
        """Hear what others tell until the connection ends."""
        import psycopg  # noqa: PLC0415  (only a server needs it)

        parts = make_url(self._url).set(drivername="postgresql")
        conninfo = parts.render_as_string(hide_password=False)
        silence: dict[str, Any] = {**silence_for(parts)}
        connection = await psycopg.AsyncConnection.connect(conninfo, autocommit=True, **silence)
        async with connection:
            await connection.execute(f"LISTEN {CHANNEL}".encode())
            self.is_listening.set()
            self._wake_all()
            async for told in connection.notifies():
                self.wake(told.payload[1:], moves_line=told.payload.startswith(MOVES_LINE))

    def _wake_all(self) -> None:
        # Whatever was told while nobody listened was not heard.
        for heard in self._heard:
            heard(None)
        for events in self._waiting.values():
            for event in events:
                event.set()
        self.line.set()
