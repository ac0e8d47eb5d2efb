"""The event loop of the tests: its time stands still until a test turns it, so no deadline comes by itself.

What the product bounds in real seconds (anyio's deadlines, `asyncio.timeout`, the time-outs of the HTTP client) is
counted by the loop's time. On this loop a slow machine meets none of them, and a test that is about one of them turns
the time on. A test that hangs is ended by pytest, with the process that runs it, which then
shows the stacks of all its threads.
"""

import asyncio
import selectors
import socket
from collections.abc import Callable
from typing import Any

SMALL_BUFFER = 64 * 1024
"""Bytes that the system holds of what a test sends: a larger body that is not read does not leave whole."""
LONGER_THAN_ANY = 400.0
"""Seconds beyond every bound of the product; its longest is that of a create that somebody waits for."""

Condition = Callable[[], bool]


class _Selector(selectors.DefaultSelector):
    """Asks, before it waits, whether there is something else to do."""

    has_run_dry: Condition = staticmethod(lambda: False)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        waits = timeout is None or timeout > 0
        return super().select(0 if waits and self.has_run_dry() else timeout)


class StillLoop(asyncio.SelectorEventLoop):
    """The system's event loop with another time, with small buffers, and with an ear for the moment of silence."""

    def __init__(self) -> None:
        self._now = 1000.0
        self._until: list[tuple[Condition, asyncio.Future[None]]] = []
        selector = _Selector()
        selector.has_run_dry = self._has_run_dry
        super().__init__(selector)

    def time(self) -> float:
        """Return seconds that pass only when they are turned."""
        return self._now

    def turn(self, seconds: float) -> None:
        """Let so many seconds pass at once; whatever was to happen within them happens in the loop's next round."""
        self._now += seconds

    async def until(self, condition: Condition) -> None:
        """Wait for what is true at a moment when this loop has nothing to do but wait."""
        waiting = (condition, self.create_future())
        self._until.append(waiting)
        try:
            await waiting[1]
        finally:
            self._until.remove(waiting)

    def _has_run_dry(self) -> bool:
        found = [future for condition, future in self._until if not future.done() and condition()]
        for future in found:
            future.set_result(None)
        return bool(found)

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """Connect with a small buffer; the system fits it to the connection otherwise."""
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BUFFER)
        await super().sock_connect(sock, address)


def _loop() -> StillLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, StillLoop)
    return loop


def turn(seconds: float = LONGER_THAN_ANY) -> None:
    """Let time pass for what runs in the loop of this test."""
    _loop().turn(seconds)


async def until(condition: Condition) -> None:
    """Wait for what something in this loop brings about: without looking all the time, where its time stands still."""
    loop = asyncio.get_running_loop()
    if isinstance(loop, StillLoop):
        await loop.until(condition)
        return
    while not condition():  # noqa: ASYNC110  (no other loop tells when it has run dry)
        await asyncio.sleep(0)


async def idle() -> None:
    """Wait until everything else in this loop waits."""
    await until(lambda: True)
