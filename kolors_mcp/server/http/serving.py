"""Serves the application on sockets: from the first request until a signal, and then to a good end."""

import asyncio
import errno
import os
import socket
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, cast

import uvicorn

from kolors_mcp.errors import NotConfiguredError
from kolors_mcp.server.http.bounds import Bounds
from kolors_mcp.server.http.connection import Connection, Idle

if TYPE_CHECKING:
    from collections.abc import Generator

    from starlette.types import ASGIApp

    from kolors_mcp.server.http.draining import Draining

MAX_DRAINING_SECONDS = 20.0
"""For what is under way to be answered, once the end has begun."""
CLOSING_SECONDS = 3
"""For what is not, to be cancelled."""
MAX_PORT = 65535
OTHER_FILES = 300
"""Files that a process may need beside its connections: pictures, the ledger, calls to others."""
BACKLOG = 2048
"""Connections that wait to be taken."""


def listen(host: str, port: int) -> socket.socket:
    """Listen at an address of this machine, or at all of them.

    Raises:
        NotConfiguredError: It cannot be listened at; the text says why.
    """
    if not 0 <= port <= MAX_PORT:
        raise NotConfiguredError(f"--port is {port}; ports go from 0 to {MAX_PORT}, and 0 takes a free one.")
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        return socket.create_server(address, family=family, backlog=BACKLOG)
    except (socket.gaierror, UnicodeError):
        raise NotConfiguredError(
            f"--host {host} is no address of this machine. 127.0.0.1 serves this machine alone, 0.0.0.0 all networks."
        ) from None
    except OSError as error:
        reason = {
            errno.EADDRINUSE: "another program has it",
            errno.EACCES: "this user may not take it; ports below 1024 are the system's",
            errno.EADDRNOTAVAIL: "this machine has no such address",
        }.get(error.errno or 0, os.strerror(error.errno or 0))
        raise NotConfiguredError(
            f"Port {port} of {host} cannot be used ({reason}). Choose another with --port or --host."
        ) from None


class Web(uvicorn.Server):
    """A web server inside a program that answers signals itself."""

    @contextmanager
    def capture_signals(self) -> "Generator[None]":
        """Leave them alone."""
        yield


def connections_at_most(wanted: int) -> int:
    """Let this process have files enough for so many connections, and return for how many it has.

    Each connection is a file to the system, and many systems allow 1,024 of them unless they are asked.
    """
    try:
        import resource  # noqa: PLC0415  (not on every system)
    except ImportError:
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted + OTHER_FILES:
        soft = wanted + OTHER_FILES if hard == resource.RLIM_INFINITY else min(wanted + OTHER_FILES, hard)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return wanted if soft == resource.RLIM_INFINITY else max(1, min(wanted, soft - OTHER_FILES))


def web_of(application: "ASGIApp", bounds: Bounds) -> Web:
    """Return the server of an application; it writes nothing anywhere but through this program's loggers."""
    connection = partial(Connection, bounds=bounds, idle=Idle())
    config = uvicorn.Config(
        application,
        http=cast("type[Connection]", connection),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        # What a proxy says of its client is not believed, for nothing here depends on it.
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=round(bounds.idle_seconds),
        timeout_graceful_shutdown=CLOSING_SECONDS,
    )
    return Web(config)


async def end(web: Web, draining: "Draining", seconds: float) -> None:
    """Let the serving end: what is under way is answered, within bounds.

    Args:
        web: The server.
        draining: Has begun.
        seconds: For which refusals are answered at least, so that whoever distributes requests sees them.
    """
    linger = asyncio.create_task(asyncio.sleep(seconds))
    answered = asyncio.create_task(draining.none_left())
    await asyncio.wait((linger, answered), timeout=MAX_DRAINING_SECONDS)
    web.should_exit = True
    linger.cancel()
    answered.cancel()
