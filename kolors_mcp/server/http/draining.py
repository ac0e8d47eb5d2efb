"""The end of the service in good order: nothing new is begun, what is under way is answered."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from kolors_mcp.server.http.refusals import refusal

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

RETRY_SECONDS = 5.0
"""After which another replica, or this one again, is likely to be there."""


class Draining:
    """Whether the service is ending, and what is still under way."""

    def __init__(self, *on_begin: Callable[[], None]) -> None:
        """Serve.

        Args:
            *on_begin: Let go of what waits; called once, when the end begins.
        """
        self.has_begun = False
        self._on_begin = on_begin
        self._under_way = 0
        self._none_left = asyncio.Event()
        self._none_left.set()

    def begin(self) -> None:
        """Take nothing new from now on."""
        if not self.has_begun:
            self.has_begun = True
            for let_go in self._on_begin:
                let_go()

    async def none_left(self) -> None:
        """Wait until nothing is under way."""
        await self._none_left.wait()

    def counted(self, application: "ASGIApp") -> "ASGIApp":
        """Return an application before another one: it counts requests, and refuses them once the end has begun."""

        async def count(scope: "Scope", receive: "Receive", send: "Send") -> None:
            if self.has_begun:
                words = "This service is ending, and nothing was done. Send the same request again in a few seconds."
                await refusal(503, words, retry_seconds=RETRY_SECONDS, close=True)(scope, receive, send)
                return
            self._under_way += 1
            self._none_left.clear()
            try:
                await application(scope, receive, send)
            finally:
                self._under_way -= 1
                if not self._under_way:
                    self._none_left.set()

        return count
