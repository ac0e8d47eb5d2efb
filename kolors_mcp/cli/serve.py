"""`kolors-mcp`: the server over stdio. Standard output carries nothing but the protocol."""

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import anyio

from kolors_mcp.cli.browser import browser_of
from kolors_mcp.cli.log_lines import log_handler
from kolors_mcp.cli.state_folder import PHOTOS_FOLDER, default_url, state_folder
from kolors_mcp.cli.terminal import EXIT_INTERRUPTED, is_terminal, leave, print_error
from kolors_mcp.errors import LedgerError, NotConfiguredError
from kolors_mcp.freed_memory import keep_freed_memory
from kolors_mcp.server import LocalRoom, build_server
from kolors_mcp.server.stdio import serve_stdio
from kolors_mcp.settings import Credentials, Settings

if TYPE_CHECKING:
    from types import FrameType

    from kolors_mcp.server.service import OpenUpstream

MAX_INTERRUPTED_SECONDS = 2.0
"""How long an interrupted server may take to put away what it has begun."""
MAX_CLOSING_SECONDS = 4.0
"""The same once the host has closed standard input: hosts allow some 5 seconds for the whole end."""
KEPT_BYTES = 1024 * 1024
"""A block of this size is more than a create holds at once; twice as much stays with the process when it is free."""
TERMINAL_NOTICE = """\
kolors-mcp is a server that assistants talk to: their host starts it, and now it waits for a host's messages here.
How hosts are told of it stands in the README under "Install". To try it without one:
  kolors-mcp demo    makes a try-on, simulated and free
  kolors-mcp doctor  checks keys, network and folders
Ctrl-C ends it."""


def run_stdio() -> int:
    """Serve until the host closes standard input, or Ctrl-C interrupts."""
    if sys.stdin is None or sys.stdout is None:  # pyright: ignore[reportUnnecessaryComparison]  # closed at the start
        print_error(
            "kolors-mcp: standard input and output are where a host talks to this server; one of them is closed."
        )
        return 2
    try:
        settings = settings_of_process()
    except NotConfiguredError as error:
        print_error(f"kolors-mcp: {error}")
        return 2
    configure_logging(settings)
    keep_freed_memory(KEPT_BYTES)
    if is_terminal(sys.stdin):
        print_error(TERMINAL_NOTICE)
    server = build_server(
        settings,
        credentials_of_process(),
        open_upstream=sandbox_of(settings),
        local_room=LocalRoom(browser_of(os.environ)),
    )
    anyio.run(partial(serve_stdio, server, on_begin=_stop_when_interrupted, on_closed=_end_in_time, leave=leave))
    return 0


def _stop_when_interrupted(serving: anyio.CancelScope) -> None:
    """Let the first Ctrl-C put everything away, within bounds, and the second one end at once."""
    loop = asyncio.get_running_loop()

    def at_once(_number: int, _frame: "FrameType | None") -> None:
        os._exit(EXIT_INTERRUPTED)

    def stop(_number: int, _frame: "FrameType | None") -> None:
        signal.signal(signal.SIGINT, at_once)
        end_after(MAX_INTERRUPTED_SECONDS, EXIT_INTERRUPTED)
        loop.call_soon_threadsafe(serving.cancel)

    signal.signal(signal.SIGINT, stop)


def _end_in_time() -> None:
    """Bound the time in which a server ends whose host has closed standard input.

    A thread that waits for the ledger, which another program has locked, cannot be stopped. Whatever is not settled by
    then stands in the ledger as open, and is looked for after the next start.
    """
    end_after(MAX_CLOSING_SECONDS, 0)


def end_after(seconds: float, code: int) -> None:
    """End the process after so many seconds, with this exit code, whatever still hangs."""
    limit = threading.Timer(seconds, os._exit, (code,))
    limit.daemon = True
    limit.start()


def configure_logging(settings: Settings) -> None:
    """Log to standard error; the HTTP clients' own logs would show whole links and stay off."""
    logging.basicConfig(
        handlers=[log_handler(sys.stderr)],
        level=settings.log_level,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    for name in ("httpx", "httpcore", "httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))


def settings_of_process() -> Settings:
    """Return the settings, with the ledger in its usual place unless they say otherwise.

    Raises:
        NotConfiguredError: One of them cannot be used; the text names the variable.
    """
    settings = with_photos(Settings.from_env(os.environ))
    if settings.ledger or settings.sandbox:
        return settings
    try:
        url = default_url(os.environ)
    except LedgerError as error:
        # Looking works without a ledger; the first create is told that this one has no place.
        print_error(f"kolors-mcp: {error}")
        url = "sqlite:///"
    return settings.model_copy(update={"ledger": url})


def with_photos(settings: Settings) -> Settings:
    """Return settings with which photos can be kept by name, in the user's state folder."""
    try:
        return settings.model_copy(update={"photos_dir": state_folder(os.environ) / PHOTOS_FOLDER})
    except LedgerError:  # there is no home; keeping one says so
        return settings


def credentials_of_process() -> Callable[[], Credentials | None]:
    """Return what reads the keys anew each time, so that they can be rotated while the process runs."""
    return partial(Credentials.from_env, os.environ)


def sandbox_of(settings: Settings) -> "OpenUpstream | None":
    """Return how to come by a simulated Kling, where one is asked for."""
    if not settings.sandbox:
        return None
    from kolors_mcp.cli.sandbox import open_sandbox  # noqa: PLC0415  (only where it is asked for)

    return partial(open_sandbox, settings.allowed_hosts)
