"""The tools with which the fitting room's page checks a photo, keeps it for the assistant by name, and removes it."""

import base64
from typing import Annotated, Literal

from mcp.server.mcpserver.tools import Tool
from mcp_types import CallToolResult, ImageContent, TextContent, ToolAnnotations
from pydantic import AfterValidator, BeforeValidator, Field

from kolors_mcp.errors import ArgumentError
from kolors_mcp.local_pictures import KeptPhotos
from kolors_mcp.server.handed_over import picture_reference
from kolors_mcp.server.request import ToolContext, calling
from kolors_mcp.server.tool import TryOnTool

_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


def _require_name(value: str) -> str:
    if not _CHARACTERS.issuperset(value):
        raise ValueError("takes letters from a to z, digits, _ and - only")
    return value


PhotoName = Annotated[
    str,
    Field(min_length=1, max_length=60, description="1 to 60 of a-z, A-Z, 0-9, _ and -."),
    AfterValidator(_require_name),
]
Image = Annotated[str, Field(description="The photo."), BeforeValidator(picture_reference)]


async def check_photo(
    ctx: ToolContext,
    picture: Annotated[str, BeforeValidator(picture_reference), Field(description="As create_try_on takes it.")],
    role: Annotated[
        Literal["human_image", "cloth_image", "lower_cloth_image"], Field(description="What it is to be.")
    ] = "human_image",
) -> CallToolResult:
    """Check a photo for the fitting room's page before anything is paid, and show it small. It costs nothing."""
    _require_page(ctx, "check_photo")
    async with calling(ctx) as try_ons:
        photo = await try_ons.check(picture, role)
    shown = ImageContent(type="image", data=base64.b64encode(photo.jpeg).decode(), mime_type="image/jpeg")
    about = TextContent(type="text", text=f"{photo.label}: {photo.width} x {photo.height} pixels.")
    facts = {"name": photo.label, "width": photo.width, "height": photo.height, "notes": list(photo.notes)}
    return CallToolResult(content=[shown, about], structured_content=facts)


async def keep_photo(ctx: ToolContext, image: Image, name: PhotoName) -> KeptPhotos:
    """Keep a photo here, so that the assistant can use it as photo:NAME. For the fitting room's page only."""
    _require_page(ctx, "keep_photo")
    async with calling(ctx) as try_ons:
        return await try_ons.photos.keep(image, name)


async def remove_photo(ctx: ToolContext, name: PhotoName) -> KeptPhotos:
    """Remove a kept photo for good. For the fitting room's page only."""
    _require_page(ctx, "remove_photo")
    async with calling(ctx) as try_ons:
        return await try_ons.photos.remove(name)


def photo_tools(page_uri: str) -> list[Tool]:
    """Return the tools, which hosts keep from their models."""
    writing = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
    removing = writing.model_copy(update={"destructive_hint": True})
    looking = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=True)
    made = (
        TryOnTool.of(check_photo, title="Check a photo (fitting room)", annotations=looking, icons=[]),
        TryOnTool.of(keep_photo, title="Keep a photo (Kling fitting room)", annotations=writing, icons=[]),
        TryOnTool.of(remove_photo, title="Remove a kept photo (Kling fitting room)", annotations=removing, icons=[]),
    )
    meta = {"ui": {"resourceUri": page_uri, "visibility": ["app"]}}
    # The page knows what comes back; the list of tools is long enough.
    return [
        tool.model_copy(
            update={"meta": meta, "fn_metadata": tool.fn_metadata.model_copy(update={"output_schema": None})}
        )
        for tool in made
    ]


def _require_page(ctx: ToolContext, name: str) -> None:
    """Refuse a model that has guessed the name: what is kept of a person is for that person to say.

    Raises:
        ArgumentError: The host shows no pages, so it was none.
    """
    from mcp.server.apps import client_supports_apps  # noqa: PLC0415  (beside its use)

    if not client_supports_apps(ctx):
        raise ArgumentError(
            f"{name} is for the fitting room's page. Nothing was done. Call open_fitting_room, where the user does it."
        )
