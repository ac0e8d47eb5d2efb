"""Looks up the addresses of names; a name server that keeps silent holds up its own names and no others.

The system's look-up cannot be ended: it holds a thread until the system gives up, often long after the caller has
gone. So a thread keeps its place until it is back, and the names of one owner have a few places only.
"""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Any

import anyio

from kolors_mcp.images.sources.places import Lines

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""From a host and port to all its IP addresses. Raises `OSError` if there are none."""

AT_ONCE = 128
"""Look-ups under way, those that no caller waits for any more included: so many silent threads take some megabytes."""
OF_TWO_LABELS = 16
"""The same for all names under `example.com`. Under `co.uk` that is all of a country's shops, hence ..."""
OF_THREE_LABELS = 4
"""... the same for all names under `shop.example.com`."""


class Lookups:
    """Asks the operating system, with a thread for each question."""

    def __init__(self) -> None:
        self._all = anyio.Semaphore(AT_ONCE)
        self._two, self._three = Lines(OF_TWO_LABELS), Lines(OF_THREE_LABELS)

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """Return all addresses of a name. A caller that gives up goes on at once; the question is left behind.

        Raises:
            OSError: There are none.
            UnicodeError: It cannot be asked for.
        """
        labels = host.lower().rstrip(".").split(".")
        async with AsyncExitStack() as held:
            # The narrowest line first: a caller that waits in it keeps no other from the wider ones.
            await held.enter_async_context(self._three.place(".".join(labels[-3:])))
            await held.enter_async_context(self._two.place(".".join(labels[-2:])))
            await held.enter_async_context(self._all)
            # Given as bytes, a name is not encoded once more by the standard library.
            asked = _begun(partial(socket.getaddrinfo, host.encode("ascii"), port, type=socket.SOCK_STREAM))
            places = held.pop_all()
            asked.add_done_callback(lambda _: _keep(asyncio.ensure_future(places.aclose())))
        return await asyncio.shield(asked)


_leaving: set[asyncio.Future[None]] = set()


def _keep(task: asyncio.Future[None]) -> None:
    _leaving.add(task)
    task.add_done_callback(_leaving.discard)


def _begun(question: Callable[[], Sequence[tuple[Any, ...]]]) -> asyncio.Future[Sequence[str]]:
    """Ask in a thread that does not keep the process from ending."""
    loop = asyncio.get_running_loop()
    asked: asyncio.Future[Sequence[str]] = loop.create_future()

    def told(addresses: Sequence[str], error: Exception | None) -> None:
        if not asked.done():
            asked.set_result(addresses) if error is None else asked.set_exception(error)
            asked.exception()  # if no caller waits any more, it is told to none

    def ask() -> None:
        addresses: Sequence[str] = ()
        error: Exception | None = None
        try:
            addresses = list(dict.fromkeys(str(answer[-1][0]) for answer in question()))
        except Exception as failure:  # noqa: BLE001  (handed on to the caller)
            error = failure
        with suppress(RuntimeError):  # the loop may be closed by now
            loop.call_soon_threadsafe(told, addresses, error)

    threading.Thread(target=ask, name="name look-up", daemon=True).start()
    return asked
