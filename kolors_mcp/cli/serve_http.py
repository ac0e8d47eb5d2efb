"""`kolors-mcp serve --http`: the service for many users. Beyond this machine it starts only if it knows who calls."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio

from kolors_mcp.cli.serve import configure_logging, credentials_of_process, end_after, sandbox_of, settings_of_process
from kolors_mcp.cli.state_folder import folder_beside
from kolors_mcp.cli.terminal import print_error, print_line
from kolors_mcp.clock import Clock
from kolors_mcp.errors import LedgerError, NotConfiguredError
from kolors_mcp.ledger.opening import require_place
from kolors_mcp.server import build_server
from kolors_mcp.server.http.application import MCP_PATH, application_of
from kolors_mcp.server.http.authentication import Authentication
from kolors_mcp.server.http.bounds import FOR_SERVICE
from kolors_mcp.server.http.callbacks import CallbackAddresses, Callbacks
from kolors_mcp.server.http.draining import Draining
from kolors_mcp.server.http.guard import addresses_of
from kolors_mcp.server.http.logs import REQUESTS, JsonFormatter
from kolors_mcp.server.http.memory import give_pieces_back
from kolors_mcp.server.http.metrics import Metrics, time_operations
from kolors_mcp.server.http.rates import Rates
from kolors_mcp.server.http.serving import Web, connections_at_most, end, listen, web_of
from kolors_mcp.server.http.sharing import sharing_of
from kolors_mcp.server.http.upload_links import UploadLinks
from kolors_mcp.server.http.uploads import Uploads, forget_used
from kolors_mcp.server.http.user_photos import UserPhotos
from kolors_mcp.server.service import Service
from kolors_mcp.server.small_first import SmallFirstLoop
from kolors_mcp.service_settings import DAILY_LIMIT, ServiceSettings, is_loopback
from kolors_mcp.settings import Settings
from kolors_mcp.shelf.shelf import Shelf

if TYPE_CHECKING:
    import socket
    from types import FrameType

    from starlette.routing import BaseRoute

    from kolors_mcp.images.pictures import Pictures

logger = logging.getLogger(__name__)

WITHOUT_EFFECT = ("KOLORS_IMAGE_DIRS", "KOLORS_SAVE_DIR")
"""Variables of folders, which belong to the one user of a desktop."""
MAX_ENDING_SECONDS = 28.0
"""From the first signal to the end of the process, whatever still hangs."""
LINGER_SECONDS = 3.0
"""For which a service that was told to end still answers that it does, so that proxies turn away from it."""
OPEN_NOTICE = (
    "KOLORS_PUBLIC_URL is an address for the world, but nobody has to say who they are: whoever reaches "
    "this service through a proxy spends this account's money. Set KOLORS_TOKENS or KOLORS_ISSUER."
)


def run_http(host: str, port: int) -> int:
    """Serve until SIGTERM or Ctrl-C; a second one ends at once."""
    try:
        settings = _over_http(settings_of_process())
        service = ServiceSettings.from_env(os.environ)
        _require_authentication(service, host)
        if settings.ledger is not None:
            require_place(settings.ledger)
        shelf = Shelf.at(service.shelf or folder_beside(settings.ledger, os.environ))
        listener = listen(host, port)
    except (NotConfiguredError, LedgerError) as error:
        print_error(f"kolors-mcp: {error}")
        return 2
    _configure_logging(settings)
    if not service.authenticates and not is_loopback(urlsplit(service.public_url or "//localhost").hostname or ""):
        logger.warning("%s", OPEN_NOTICE)
    for name in WITHOUT_EFFECT:
        if os.environ.get(name, "").strip():
            logger.warning("%s has no effect over HTTP: no file of this machine is read or kept for callers", name)
    give_pieces_back()
    # By anyio, which then knows that it runs on asyncio: else it looks for that many times in each call.
    anyio.run(_serve, settings, service, shelf, listener, backend_options={"loop_factory": SmallFirstLoop})
    return 0


async def _serve(settings: Settings, service: ServiceSettings, shelf: Shelf, listener: "socket.socket") -> None:
    clock = Clock()
    addresses = addresses_of(service.public_url, listener.getsockname()[1])
    authentication = Authentication(service, addresses.origin + MCP_PATH, clock)
    metrics = Metrics()
    credentials = credentials_of_process()
    # On this machine alone nobody calls back.
    called_back = CallbackAddresses(service.public_url, credentials)
    photos, links = UserPhotos(shelf), UploadLinks(addresses.origin, credentials, clock)
    server = build_server(
        settings,
        credentials,
        open_upstream=sandbox_of(settings),
        clock=clock,
        caller=authentication.caller,
        over_http=True,
        observer=metrics,
        sharing=sharing_of(service, shelf, clock, photos=photos, links=links, callback_address=called_back.address_of),
    )
    draining = Draining()

    def routes(running: Callable[[], Service]) -> "list[BaseRoute]":
        callbacks = Callbacks(called_back, service.callback_secret, lambda name: running().look_soon(name), clock)
        drawing = partial(_pictures, running)
        uploads = Uploads(links, shelf, photos, drawing, draining, bounds=FOR_SERVICE, clock=clock)
        return [*authentication.routes, callbacks.route, uploads.route]

    time_operations(server, metrics, clock)
    application = application_of(
        server,
        addresses,
        draining,
        clock=clock,
        bounds=FOR_SERVICE,
        rates=Rates(service.calls_per_minute, clock),
        caller=authentication.caller,
        authenticate=authentication.before,
        routes=routes,
        probes=[authentication.can_let_in],
    )
    web = web_of(application, replace(FOR_SERVICE, connections=connections_at_most(FOR_SERVICE.connections)))
    _end_on_signals(web, draining)
    tidying = asyncio.create_task(forget_used(shelf, clock))
    print_line(f"Serving MCP at {addresses.origin}{MCP_PATH}")
    try:
        await web.serve([listener])
    finally:
        tidying.cancel()
        await authentication.aclose()


async def _pictures(running: Callable[[], Service], seconds: float) -> "Pictures":
    return await running().pictures(seconds)


def _configure_logging(settings: Settings) -> None:
    """Log lines of JSON to standard error: those of requests always, of other programs' parts only failures."""
    configure_logging(settings)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(JsonFormatter())
    for name in ("mcp", "uvicorn", "starlette", "sse_starlette", "asyncio"):
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.getLogger(REQUESTS).setLevel(min(logging.INFO, logging.getLogger().level))


def _over_http(settings: Settings) -> Settings:
    """Return the settings with a limit for each user and day, though none is set."""
    return settings.model_copy(update={"daily_limit": settings.daily_limit or DAILY_LIMIT})


def _require_authentication(service: ServiceSettings, host: str) -> None:
    """Refuse to serve strangers.

    Raises:
        NotConfiguredError: It would listen beyond this machine, and something is missing, which the text names.
    """
    if is_loopback(host):
        return
    missing: list[str] = []
    if not service.authenticates:
        missing.append("KOLORS_TOKENS or KOLORS_ISSUER, which say who may call")
    if service.public_url is None:
        missing.append("KOLORS_PUBLIC_URL, the https:// address under which the service is reached")
    if missing:
        raise NotConfiguredError(
            f"--host {host} is reached from other machines, so this also needs {'; and '.join(missing)}. "
            "For this machine alone leave --host out."
        )


def _end_on_signals(web: Web, draining: Draining) -> None:
    """Let the first SIGTERM or Ctrl-C end the service in good order, and the second one at once."""
    loop = asyncio.get_running_loop()
    ending: set[asyncio.Task[None]] = set()

    def begin(seconds: float) -> None:
        draining.begin()
        ending.add(asyncio.create_task(end(web, draining, seconds)))

    def at_once(number: int, _frame: "FrameType | None") -> None:
        os._exit(128 + number)

    def stop(number: int, _frame: "FrameType | None") -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, at_once)
        end_after(MAX_ENDING_SECONDS, 0)
        # A person at a terminal waits for the end; proxies have to learn of it.
        loop.call_soon_threadsafe(partial(begin, LINGER_SECONDS if number == signal.SIGTERM else 0.0))

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, stop)
