"""The room in the user's own browser: opened by the first call that wants it, gone with the process or when idle."""

import asyncio
import contextvars
import hmac
import logging
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from kolors_mcp.clock import Clock
from kolors_mcp.server.loopback import serving
from kolors_mcp.server.loopback.guard import Addresses

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send


ROOM_IDLE_SECONDS = 2 * 60 * 60.0
"""Without a request for so long, the room is closed; the next call opens another, at another port."""
PAGE_PATH = "/room"
_STALE = "This link is not valid any more. Ask the assistant to open the fitting room again."


class LoopbackRoom:
    """Serves the fitting room at 127.0.0.1, with the tools of the very process that serves it.

    Args:
        server: Whose tools the page calls.
        context: In which the server finds its service, see `service.LENT`.
        clock: Tells how long no request came.
    """

    def __init__(self, server: "MCPServer[Any]", context: contextvars.Context, clock: Clock) -> None:
        self._server = server
        self._context = context
        self._clock = clock
        self._used_at = clock.monotonic()
        self._changing = asyncio.Lock()
        self._web: serving.QuietServer | None = None
        self._serving: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._addresses: Addresses | None = None

    @property
    def link(self) -> str | None:
        """Where the room is, with the key to it; None while it is closed."""
        if self._addresses is None or self._serving is None or self._serving.done():
            return None
        return f"{self._addresses.origin}{PAGE_PATH}?key={self._addresses.token}"

    async def open(self) -> str:
        """Open the room unless it is open, and return its link.

        Raises:
            OSError: No port is free.
        """
        async with self._changing:
            self._used_at = self._clock.monotonic()
            if (link := self.link) is not None:
                return link
            await self._close()
            self._begin()
            link = self.link
            assert link is not None
            return link

    async def aclose(self) -> None:
        """Close the room, if it is open: its port is free then, and its link leads nowhere."""
        async with self._changing:
            await self._close()

    def _begin(self) -> None:
        listeners = serving.listen(0)
        self._addresses = addresses = Addresses(listeners[0].getsockname()[1])
        application = serving.application_of(self._server, addresses)
        application.router.routes += [Route(PAGE_PATH, self._page), Route("/{name}", self._part)]

        async def counted(scope: "Scope", receive: "Receive", send: "Send") -> None:
            self._used_at = self._clock.monotonic()
            await application(scope, receive, send)

        # Connections wait at the listeners until it is up, so there is no need to wait for that here.
        self._web = serving.QuietServer(serving.configured(counted, addresses))
        # A context of its own: what belongs to the call that opens it ends with that call.
        self._serving = asyncio.create_task(self._web.serve(listeners), context=self._context)
        self._serving.add_done_callback(_tell)
        self._watching = asyncio.create_task(self._close_when_idle(), context=contextvars.Context())

    async def _close(self) -> None:
        if self._watching is not None and self._watching is not asyncio.current_task():
            self._watching.cancel()
        if self._web is not None and self._serving is not None:
            self._web.end()
            await asyncio.wait((self._serving,))
        self._web = self._serving = self._watching = self._addresses = None

    async def _close_when_idle(self) -> None:
        while True:
            while (left := self._idle_at() - self._clock.monotonic()) > 0:
                await self._clock.tick(left)
            async with self._changing:
                if self._idle_at() <= self._clock.monotonic():  # no request came meanwhile
                    await self._close()
                    return

    def _idle_at(self) -> float:
        return self._used_at + ROOM_IDLE_SECONDS

    async def _page(self, request: "Request") -> "Response":
        assert self._addresses is not None
        key = request.query_params.get("key", "").encode()
        text = serving.text_of("window.html")
        if text is None or not hmac.compare_digest(key, self._addresses.token.encode()):
            return serving.nothing_here(_STALE)
        return serving.host_page(text, self._addresses)

    async def _part(self, request: "Request") -> "Response":
        name: str = request.path_params["name"]
        text = None if name == "window.html" else serving.text_of(name)
        if text is None or self._addresses is None:
            return serving.nothing_here()
        return serving.part_of_page(name, text, self._addresses)


def _tell(ended: "asyncio.Task[None]") -> None:
    if not ended.cancelled() and (error := ended.exception()) is not None:
        logging.getLogger(__name__).error("the fitting room was closed by an error", exc_info=error)
