"""`kolors-mcp`: the server over stdio. Standard output carries nothing but the protocol."""

import logging
import os
import sys
from collections.abc import Callable
from functools import partial

from kolors_mcp.cli.terminal import complain
from kolors_mcp.errors import LedgerError, NotConfiguredError
from kolors_mcp.ledger.place import default_url
from kolors_mcp.server import build_server
from kolors_mcp.settings import Credentials, Settings

INTERRUPTED = 130


def run_stdio() -> int:
    """Serve until the host closes standard input."""
    try:
        settings = settings_of_process()
    except NotConfiguredError as error:
        complain(f"kolors-mcp: {error}")
        return 2
    configure_logging(settings)
    server = build_server(settings, credentials_of_process(), open_upstream=_sandbox(settings))
    try:
        server.run("stdio")
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def configure_logging(settings: Settings) -> None:
    """Log to standard error; the HTTP clients' own logs would show whole links and stay off."""
    logging.basicConfig(
        stream=sys.stderr, level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for name in ("httpx", "httpcore", "httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))


def settings_of_process() -> Settings:
    """Return the settings, with the ledger in its usual place unless they say otherwise.

    Raises:
        NotConfiguredError: One of them cannot be used; the text names the variable.
    """
    settings = Settings.from_env(os.environ)
    if settings.ledger or settings.sandbox:
        return settings
    try:
        url = default_url(os.environ)
    except LedgerError as error:
        # Looking works without a ledger; the first create is told that this one has no place.
        complain(f"kolors-mcp: {error}")
        url = "sqlite:///"
    return settings.model_copy(update={"ledger": url})


def credentials_of_process() -> Callable[[], Credentials | None]:
    """Return what reads the keys anew each time, so that they can be rotated while the process runs."""
    return partial(Credentials.from_env, os.environ)


def _sandbox(settings: Settings):  # noqa: ANN202  (an upstream of the sandbox, or none)
    if not settings.sandbox:
        return None
    from kolors_mcp.cli.sandbox import open_sandbox  # noqa: PLC0415  (only where it is asked for)

    return open_sandbox
