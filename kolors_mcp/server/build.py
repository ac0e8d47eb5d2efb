"""Puts the server together: who it is, what it offers, and what lives as long as it does."""

import base64
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from mcp.server.mcpserver import MCPServer
from mcp_types import Icon

from kolors_mcp import __version__
from kolors_mcp.clock import Clock
from kolors_mcp.observer import UNOBSERVED, Observer
from kolors_mcp.server.caller import LOCAL, Caller
from kolors_mcp.server.fitting_room.binding import FittingRoom, page_tools, with_fitting_room
from kolors_mcp.server.handlers import TryOnServer
from kolors_mcp.server.picture_tools import picture_tools
from kolors_mcp.server.service import LENT, LocalRoom, OpenUpstream, Service, Upstream
from kolors_mcp.server.tasks import Tasks, refuse_undeclared_subscription
from kolors_mcp.server.tools import all_tools
from kolors_mcp.settings import Credentials, Settings

if TYPE_CHECKING:
    from kolors_mcp.server.sharing import Sharing

INSTRUCTIONS = """\
Dress a person in a garment with Kling's Kolors Virtual Try-On.
1. create_try_on with the person's and the garment's picture (links, files, data: URIs, base64, photo:NAME, or an \
earlier task_id to go on from). A photo that only the chat has cannot be handed over: call open_fitting_room. It costs \
money: create each try-on once, and only when the user wants it.
2. get_try_on with its task_id until the status is succeed or failed, usually 20 to 60 seconds.
3. Give the user the links whole; view_try_on shows a picture here, compare_try_ons several. Links live 30 days.
If an answer says that a create is in doubt, look with get_try_on or list_try_ons before creating again.
"""

_SHIRT = (
    # Short, since it stands in each tool of the list.
    b"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'>"
    b"<path fill='#53e' d='M8 5L4 9l2 3 2-1v9h8v-9l2 1 2-3-4-4c-2 3-6 3-8 0z'/></svg>"
)


def build_server(
    settings: Settings,
    credentials: Callable[[], Credentials | None] = lambda: None,
    *,
    open_upstream: OpenUpstream | None = None,
    clock: Clock | None = None,
    local_room: LocalRoom | None = None,
    samples: Mapping[str, Path] | None = None,
    caller: Callable[[], Caller] = lambda: LOCAL,
    over_http: bool = False,
    observer: Observer = UNOBSERVED,
    sharing: "Sharing | None" = None,
) -> TryOnServer:
    """Build the server. Nothing is opened before the first tool call.

    Args:
        settings: What can be set.
        credentials: Asked at every request to Kling, so that keys can be rotated without a restart.
        clock: Time, sleep and chance.
        open_upstream: How to come by a Kling; left out, it is the one at `settings.api_base`.
        local_room: That hosts without MCP Apps may have the fitting room shown in the browser of this machine.
        samples: Photos with which the fitting room can be tried, by name; the settings must let them be read.
        caller: Says whose a call is, during the call.
        over_http: Whether it is for users of other machines: nothing is read or kept here for them, and nothing said
            of this machine.
        observer: Hears what an operator may want counted and timed.
        sharing: What an account needs that many users share; without it there is one user, whose creates are sent as
            they come.
    """
    # Clients may check that it is a URI; the protocol asks for base64.
    shirt = f"data:image/svg+xml;base64,{base64.b64encode(_SHIRT).decode()}"
    icons = [Icon(src=shirt, mime_type="image/svg+xml", sizes=["any"])]
    tools = [*with_fitting_room(all_tools(icons), icons), *picture_tools(icons)]
    making, instructions, middleware = page_tools, INSTRUCTIONS, [refuse_undeclared_subscription]
    if over_http:
        from kolors_mcp.server.http import surface  # noqa: PLC0415  (not at the start of one that serves its user)

        shown = surface.over_http(settings, tools, page_tools)
        settings, tools, making, instructions = shown.settings, shown.tools, shown.page_tools, shown.instructions
        middleware = [*shown.middleware, *middleware]

    @asynccontextmanager
    async def kling() -> AsyncGenerator[Upstream]:
        yield Upstream(settings.api_base, credentials)

    @asynccontextmanager
    async def lifespan(_server: MCPServer[Service]) -> AsyncGenerator[Service]:
        if (lent := LENT.get(None)) is not None:
            yield lent
            return
        service = Service(settings, open_upstream or kling, clock or Clock(), local_room, caller, observer, sharing)
        try:
            yield service
        finally:
            # What is open is closed although the serving is cancelled. `cli.serve` bounds how long that may take.
            with anyio.CancelScope(shield=True):
                await service.aclose()

    return TryOnServer(
        clock=clock or Clock(),
        caller=caller,
        name="kolors-mcp",
        title="Kling Kolors Virtual Try-On",
        description="Dresses a person in a garment: two pictures in, pictures of the person wearing it out.",
        instructions=instructions,
        version=__version__,
        icons=icons,
        page_tools=making,
        tools=tools,
        extensions=[Tasks(clock or Clock()), FittingRoom(settings, samples or {}, over_http=over_http)],
        middleware=middleware,
        log_level=settings.log_level,
        lifespan=lifespan,
    )
