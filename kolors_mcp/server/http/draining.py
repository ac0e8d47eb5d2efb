"""The end of the service in good order: nothing new is begun, what is under way is answered."""

import asyncio
from typing import TYPE_CHECKING

from kolors_mcp.clock import Ending
from kolors_mcp.server.http.refusals import refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

RETRY_SECONDS = 5.0
"""After which another replica, or this one again, is likely to be there."""
ENDS = "This service is ending, and nothing was done. Send the same request again in a few seconds."
_FULL = "This service has too much to do, and nothing was done. Send the same request again in a few seconds."


class Draining:
    """Whether the service is ending, and what is still under way."""

    def __init__(self) -> None:
        """Serve."""
        self.ending = Ending()
        """The moment in which the end begins."""
        self._let_go: list[Callable[[], None]] = []
        self._under_way = 0
        self._none_left = asyncio.Event()
        self._none_left.set()

    def at_begin(self, let_go: "Callable[[], None]") -> None:
        """Have something called when the end begins, such as what lets go of waiting callers."""
        self._let_go.append(let_go)

    def begin(self) -> None:
        """Take nothing new from now on."""
        if not self.ending.has_begun:
            self.ending.begin()
            for let_go in self._let_go:
                let_go()

    async def none_left(self) -> None:
        """Wait until nothing is under way."""
        await self._none_left.wait()

    def counted(self, application: "ASGIApp", most: int) -> "ASGIApp":
        """Return an application before another one: it counts requests, and refuses them once the end has begun.

        Args:
            application: Answers them.
            most: Requests that are under way at once.
        """

        async def count(scope: "Scope", receive: "Receive", send: "Send") -> None:
            if self.ending.has_begun or self._under_way >= most:
                words = ENDS if self.ending.has_begun else _FULL
                await refusal(503, words, retry_seconds=RETRY_SECONDS)(scope, receive, send)
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
