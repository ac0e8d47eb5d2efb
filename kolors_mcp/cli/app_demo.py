"""`kolors-mcp demo --app`: the fitting room in a small host page on this machine, against the sandbox or one's account.

The page is served at 127.0.0.1 and its sandbox at localhost, because a host and what it shows need two origins.
"""

import asyncio
import base64
import hashlib
import json
import logging
import os
import sys
import webbrowser
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from kolors_mcp.cli.sandbox import open_sandbox
from kolors_mcp.cli.serve import configure_logging, credentials_of_process, settings_of_process, with_photos
from kolors_mcp.cli.terminal import interruptible, is_terminal, print_error, print_line
from kolors_mcp.errors import KolorsError, NotConfiguredError
from kolors_mcp.kling.auth import MISSING
from kolors_mcp.server import Upstream, build_server
from kolors_mcp.settings import Settings
from kolors_mcp.wording import quoted

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.staticfiles import StaticFiles

    from kolors_mcp.server.loopback.guard import Addresses

BRIDGE_MODULES = {
    "@modelcontextprotocol/ext-apps/app-bridge": "@modelcontextprotocol/ext-apps/dist/src/app-bridge.js",
    "@modelcontextprotocol/client": "@modelcontextprotocol/client/dist/index.mjs",
    "@modelcontextprotocol/client/_shims": "@modelcontextprotocol/client/dist/shimsBrowser.mjs",
    "@modelcontextprotocol/core": "@modelcontextprotocol/core/dist/index.mjs",
    "@modelcontextprotocol/core/internal": "@modelcontextprotocol/core/dist/internal.mjs",
    "eventsource": "eventsource/dist/index.js",
    "eventsource-parser": "eventsource-parser/dist/index.js",
    "eventsource-parser/stream": "eventsource-parser/dist/stream.js",
    "pkce-challenge": "pkce-challenge/dist/index.browser.js",
    "jose": "jose/dist/webapi/index.js",
    "zod/v4": "zod/v4/index.js",
}
"""Where the official bridge and what it needs lie in a folder of node modules."""
MODULES_KEPT_SECONDS = 300
"""How long a browser uses them without asking whether they are still the same."""


@dataclass(frozen=True)
class AppOptions:
    """What the person at the terminal chose."""

    port: int
    real: bool
    bridge: Path | None
    """A folder of node modules with the official bridge; None: the small one that comes with this package."""


def run(options: AppOptions) -> int:
    """Serve the host page until it is interrupted."""
    if options.bridge is not None and not options.bridge.is_dir():
        print_error(f"{quoted(str(options.bridge))} is no folder, so it has no @modelcontextprotocol/ext-apps in it.")
        return 1
    try:
        with interruptible():
            if options.real and credentials_of_process()() is None:
                raise NotConfiguredError(MISSING)
            settings = (
                settings_of_process()
                if options.real
                else with_photos(Settings.from_env({**os.environ, "KOLORS_SANDBOX": "1"}))
            )
            configure_logging(settings)
            # What strangers try is refused; it need not be told one by one.
            logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
            asyncio.run(_serve(options, settings))
    except KolorsError as error:
        print_error(str(error))
        return 1
    except (OSError, OverflowError) as error:
        reason = os.strerror(error.errno or 0) if isinstance(error, OSError) else "ports go from 0 to 65535"
        print_error(f"Port {options.port} cannot be used ({reason}). Choose another with --port; 0 takes a free one.")
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


async def _serve(options: AppOptions, settings: Settings) -> None:
    import uvicorn  # noqa: PLC0415  (a web server, only where it runs)

    from kolors_mcp.server.loopback.guard import Addresses  # noqa: PLC0415
    from kolors_mcp.server.loopback.serving import configured, listen  # noqa: PLC0415

    listeners = listen(options.port)
    addresses = Addresses(listeners[0].getsockname()[1])
    async with _upstream(options, settings) as upstream:
        config = configured(application_for(options, settings, upstream, addresses), addresses)
        print_line(f"The fitting room: {addresses.origin}/")
        if options.real:
            print_line("It uses your Kling account: each start by a click costs a unit.")
        else:
            print_line(f"Simulated, free, no account: the sandbox listens at {upstream.api_base}")
        print_line("Ctrl-C ends it.")
        if is_terminal(sys.stdout):
            webbrowser.open(f"{addresses.origin}/")
        await uvicorn.Server(config).serve(sockets=listeners)


@asynccontextmanager
async def _upstream(options: AppOptions, settings: Settings) -> AsyncGenerator[Upstream]:
    if options.real:
        yield Upstream(settings.api_base, credentials_of_process())
    else:
        async with open_sandbox(settings.allowed_hosts) as upstream:
            yield upstream


def application_for(options: AppOptions, settings: Settings, upstream: Upstream, addresses: "Addresses") -> "Starlette":
    """Return the server over HTTP, with the host page beside it."""
    from starlette.routing import Mount, Route  # noqa: PLC0415

    from kolors_mcp.server.loopback.serving import application_of  # noqa: PLC0415

    @asynccontextmanager
    async def opened() -> AsyncGenerator[Upstream]:
        yield upstream

    async def asset(request: "Request") -> "Response":
        return _asset(request.path_params.get("name", "host.html"), options, addresses)

    samples = {} if options.real else _samples()
    folders = {path.parent: None for path in samples.values()}
    readable = settings.model_copy(update={"image_dirs": (*settings.image_dirs, *folders)})
    server = build_server(readable, open_upstream=opened, samples=samples)
    application = application_of(server, addresses)
    if options.bridge is not None:
        application.router.routes.append(Mount("/modules", _modules(options.bridge)))
    application.router.routes += [Route("/", asset), Route("/{name}", asset)]
    return application


def _modules(folder: Path) -> "StaticFiles":
    from starlette.staticfiles import StaticFiles  # noqa: PLC0415

    class Modules(StaticFiles):
        def file_response(self, *args: Any, **kwargs: Any) -> "Response":
            # Over a hundred files, none of them of this project: opened again, the page need not ask for each anew.
            response = super().file_response(*args, **kwargs)
            response.headers["cache-control"] = f"private, max-age={MODULES_KEPT_SECONDS}"
            return response

    return Modules(directory=folder, follow_symlink=True)


def _samples() -> dict[str, Path]:
    """Return the photos that come with the simulation, so that it can be tried without own ones."""
    from kolors_mcp.sandbox.samples import SampleName, sample  # noqa: PLC0415  (only where it runs)

    return {name: sample(name) for name in get_args(SampleName)}


def _asset(name: str, options: AppOptions, addresses: "Addresses") -> "Response":
    from kolors_mcp.server.loopback import serving  # noqa: PLC0415  (only where it runs)

    source = "official.js" if name == "bridge.js" and options.bridge is not None else name
    file = next((each for each in files("kolors_mcp.cli").joinpath("app_host").iterdir() if each.name == source), None)
    text = serving.text_of(name) if file is None else file.read_text(encoding="utf-8")
    if text is None or name.startswith("window."):
        return serving.nothing_here()
    if name != "host.html":
        return serving.part_of_page(name, text, addresses)
    imports = "" if options.bridge is None else _import_map()
    text = text.replace("{{modules}}", imports and f'<script type="importmap">{imports}</script>')
    return serving.host_page(text, addresses, "'self'" + (imports and f" 'sha256-{_digest(imports)}'"))


def _import_map() -> str:
    return json.dumps({"imports": {name: f"/modules/{place}" for name, place in BRIDGE_MODULES.items()}})


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
