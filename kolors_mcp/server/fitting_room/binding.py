"""How hosts get the fitting room: the page as a resource, a tool that opens it, and one that only the page calls."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mcp.server.extension import Extension, ResourceBinding
from mcp.server.mcpserver.resources import FunctionResource
from mcp.server.mcpserver.tools import Tool
from mcp_types import (
    Annotations,
    ContentBlock,
    Icon,
    InputRequiredResult,
    TextContent,
    ToolAnnotations,
)

from kolors_mcp.server.request import ToolContext
from kolors_mcp.server.tool import TryOnTool, without_descriptions
from kolors_mcp.settings import Settings

URI = "ui://kolors-mcp/fitting-room.html"
"""Where hosts read the page."""
MEDIA_TYPE = "text/html;profile=mcp-app"
"""The only kind of page that hosts show (MCP Apps, 2026-01-26)."""


_OPENED = (
    "The fitting room is open beside this conversation. There the user chooses photos, starts a try-on with a click "
    "and compares the result; the photos do not pass through you. Do not create a try-on for the user meanwhile. "
    "What they got reaches you as a line of context; list_try_ons shows it too."
)


class FittingRoom(Extension):
    """Serves the page. The SDK's own `Apps` would do the same and costs every start a few milliseconds more."""

    identifier = "io.modelcontextprotocol/ui"

    def __init__(self, settings: Settings, samples: Mapping[str, Path], *, over_http: bool = False) -> None:
        """Read nothing yet.

        Args:
            settings: Say whether a simulation answers.
            samples: Photos that can be tried with.
            over_http: Whether what is kept lies on another machine than the user's.
        """
        self._over_http = over_http
        self._sandbox = settings.sandbox
        self._samples = tuple((name, str(path)) for name, path in samples.items())

    def resources(self) -> Sequence[ResourceBinding]:
        """Return the page, with what it asks of a host: no origin at all, the camera, and a frame around it."""
        nowhere: dict[str, list[str]] = {
            name: [] for name in ("connectDomains", "resourceDomains", "frameDomains", "baseUriDomains")
        }
        page = FunctionResource(
            uri=URI,
            name="fitting_room",
            title="Fitting room",
            description="A page on which people choose photos, start a Kling try-on and compare the result.",
            mime_type=MEDIA_TYPE,
            annotations=Annotations(audience=["user"]),
            meta={"ui": {"csp": nowhere, "permissions": {"camera": {}}, "prefersBorder": True}},
            fn=self._page,
        )
        return (ResourceBinding(page),)

    def _page(self) -> str:
        from kolors_mcp.server.fitting_room.page import page  # noqa: PLC0415  (read on first use, not at every start)

        return page(sandbox=self._sandbox, samples=self._samples, over_http=self._over_http)


async def open_fitting_room(ctx: ToolContext) -> list[ContentBlock] | InputRequiredResult:
    """Open the fitting room, where the user picks photos and tries garments on, at no cost; then wait for the user.

    Use it when the user wants to try garments on with photos of their own, which you cannot hand over, or to look
    through earlier try-ons. A try-on there costs a unit of the Kling account, and starts only by the user's click.
    """
    from mcp.server.apps import client_supports_apps  # noqa: PLC0415  (beside its use)

    if client_supports_apps(ctx):
        return [TextContent(type="text", text=_OPENED)]
    from kolors_mcp.server.fitting_room.elsewhere import open_elsewhere  # noqa: PLC0415  (not at every start)

    return await open_elsewhere(ctx)


def with_fitting_room(tools: Sequence[Tool], icons: list[Icon]) -> list[Tool]:
    """Bind the try-on tools to the page, and add the page's own.

    Hosts with MCP Apps show the page beside each bound tool's result, and keep `start_try_on` from their model. To any
    other host the binding means nothing, and `start_try_on` is not listed; called all the same, it is the
    `create_try_on` that it was made of, with all its promises.
    """
    opening = TryOnTool.of(
        open_fitting_room,
        title="Open the Kling fitting room",
        annotations=ToolAnnotations(
            read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
        icons=icons,
    )
    bound = [
        tool.model_copy(update={"meta": {**(tool.meta or {}), "ui": {"resourceUri": URI}}})
        for tool in (*tools, opening)
    ]
    create = next(tool for tool in tools if tool.name == "create_try_on")
    starting = create.model_copy(
        update={
            "name": "start_try_on",
            "title": "Start a Kling try-on (fitting room)",
            "description": "Start a try-on from the fitting room's page, after the user's click. Costs a unit. "
            "Assistants: create_try_on.",
            # The page knows what a try-on looks like, and what it takes; the list has both often enough.
            "icons": None,
            "parameters": without_descriptions(create.parameters),
            "fn_metadata": create.fn_metadata.model_copy(update={"output_schema": None}),
            "meta": {"ui": {"resourceUri": URI, "visibility": ["app"]}},
        }
    )
    return [*bound, starting]


def page_tools() -> list[Tool]:
    """Return the tools for the page alone; only a host that shows views has them made."""
    from kolors_mcp.server.fitting_room.photos import photo_tools  # noqa: PLC0415  (not at every start)

    return photo_tools(URI)
