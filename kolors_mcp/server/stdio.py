"""Speaks with the host that started this process, over standard input and output."""

from collections.abc import Callable
from typing import NoReturn

import anyio
from mcp.server.stdio import stdio_server

from kolors_mcp.server.surface import TryOnServer


async def serve_stdio(
    server: TryOnServer, *, begun: Callable[[anyio.CancelScope], None], leave: Callable[[], NoReturn]
) -> None:
    """Serve until the host closes standard input, or until the serving is cancelled.

    Args:
        server: The server.
        begun: Is given the scope that cancels the serving.
        leave: Ends the process. Called once a cancelled serving has put everything away: a thread that waits for
            the host's next line cannot be stopped, and leaving in good order would wait for it.
    """
    async with stdio_server() as (incoming, outgoing):
        with anyio.CancelScope() as serving:
            begun(serving)
            await server.serve(incoming, outgoing)
        if serving.cancel_called:
            leave()
