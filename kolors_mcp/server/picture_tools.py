"""The tool that lists pictures of the user's own, so that a model need not guess paths."""

from typing import Annotated

from mcp.server.mcpserver.tools import Tool
from mcp_types import Icon, ToolAnnotations
from pydantic import BeforeValidator, Field

from kolors_mcp.local_pictures import LocalPictures
from kolors_mcp.server.arguments import refuse_boolean
from kolors_mcp.server.request import ToolContext, calling
from kolors_mcp.server.tool import TryOnTool

Query = Annotated[
    str | None,
    Field(min_length=1, max_length=100, description="Optional: words in the names; photo: lists kept photos alone."),
]
Limit = Annotated[int, Field(ge=1, le=50, description="Most files, 1 to 50."), BeforeValidator(refuse_boolean)]


async def list_pictures(ctx: ToolContext, query: Query = None, limit: Limit = 20) -> LocalPictures:
    """List pictures here that may be used, at no cost; then give one's path, or photo:NAME, to create_try_on.

    Use it when the user names a photo without its path, or has kept one in the fitting room. Only names are read,
    never content; the newest come first.
    """
    async with calling(ctx) as try_ons:
        return await try_ons.photos.list(query or "", limit)


def picture_tools(icons: list[Icon]) -> list[Tool]:
    """Return the tool, with all four hints."""
    hints = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
    return [TryOnTool.of(list_pictures, title="List pictures for Kling try-ons", annotations=hints, icons=icons)]
