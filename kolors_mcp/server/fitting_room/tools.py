"""The tools of the fitting room: one that opens it, one that only its page calls, and the others bound to it."""

import inspect
from collections.abc import Sequence
from typing import Annotated, Any

from mcp.server.mcpserver.tools import Tool
from mcp_types import ContentBlock, Icon, TextContent, ToolAnnotations
from pydantic import Field

from kolors_mcp.server.fitting_room.extension import URI
from kolors_mcp.server.tool import TryOnTool
from kolors_mcp.server.tools import Call, create_try_on

_OPENED = (
    "The fitting room is open beside this conversation. There the user chooses photos, starts a try-on with a click "
    "and compares the result; the photos do not pass through you. Do not create a try-on for the user meanwhile. "
    "What they got reaches you as a line of context; list_try_ons shows it too."
)
_NO_VIEWS = (
    "This host shows no views, so the fitting room cannot be seen here; nothing is lost without it. Ask the user for "
    "the person's photo and the garment's photo (links, or paths of files on this machine) and call create_try_on; "
    "get_try_on follows it, view_try_on shows the picture, list_try_ons shows earlier ones."
)

Photo = Annotated[str, Field(description="A photo as data: URI.")]


async def open_fitting_room(ctx: Call) -> list[ContentBlock]:
    """Open the fitting room: a view in which the user picks photos, starts a Kling try-on and compares the result.

    Use it when the user wants to try garments on with photos of their own, which you cannot hand over, or to look
    through earlier try-ons. Opening costs nothing; each try-on costs a unit, and starts only by the user's click.
    """
    from mcp.server.apps import client_supports_apps  # noqa: PLC0415  (beside its use)

    return [TextContent(type="text", text=_OPENED if client_supports_apps(ctx) else _NO_VIEWS)]


async def start_try_on(
    ctx: Call,
    human_image: Photo,
    cloth_image: Photo,
    lower_cloth_image: Annotated[str | None, Field(description="A lower garment's photo as data: URI.")] = None,
    new_render: Annotated[bool, Field(description="True: pay for a fresh picture of the same photos.")] = False,
) -> Any:  # A try-on; not said in the type, so that the list of tools does not carry its schema once more.
    """Start a try-on from the fitting room's page, after the user's click. Costs a unit. Assistants: create_try_on."""
    return await create_try_on(ctx, human_image, cloth_image, lower_cloth_image, new_render=new_render)


def with_fitting_room(tools: Sequence[Tool], icons: list[Icon]) -> list[Tool]:
    """Bind the try-on tools to the page, and add the page's own.

    Hosts with MCP Apps show the page beside each bound tool's result, and keep `start_try_on` from their model. To any
    other host the binding means nothing, and `start_try_on` is not listed; called all the same, it is a `create_try_on`
    with all its promises.
    """
    opening = TryOnTool.of(
        open_fitting_room,
        title="Open the Kling fitting room",
        description=inspect.getdoc(open_fitting_room) or "",
        annotations=ToolAnnotations(
            read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
        icons=icons,
    )
    starting = TryOnTool.of(
        start_try_on,
        title="Start a Kling try-on (fitting room)",
        description=inspect.getdoc(start_try_on) or "",
        annotations=ToolAnnotations(
            read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True
        ),
        icons=icons,
    )
    for tool in (*tools, opening):
        tool.meta = {**(tool.meta or {}), "ui": {"resourceUri": URI}}
    starting.meta = {"ui": {"resourceUri": URI, "visibility": ["app"]}}
    return [*tools, opening, starting]
