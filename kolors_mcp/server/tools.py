"""The tools: their names and texts, and one delegating line each."""

from typing import TYPE_CHECKING, Any

from mcp.server.mcpserver.tools import Tool
from mcp_types import ContentBlock, Icon, ToolAnnotations

from kolors_mcp.models import Account, SavedPicture, TryOn, TryOnPage
from kolors_mcp.server.answers import picture_content, sheet_content
from kolors_mcp.server.arguments import (
    CallbackUrl,
    ClothImage,
    Compare,
    FileName,
    HumanImage,
    Index,
    Label,
    LowerClothImage,
    ModelName,
    NewRender,
    PageNum,
    PageSize,
    TaskId,
    TaskIds,
    WaitSeconds,
)
from kolors_mcp.server.request import ToolContext, calling
from kolors_mcp.server.small_first import LARGE
from kolors_mcp.server.tool import TryOnTool
from kolors_mcp.try_ons.request import TryOnRequest

if TYPE_CHECKING:
    from collections.abc import Callable


async def create_try_on(
    ctx: ToolContext,
    human_image: HumanImage,
    cloth_image: ClothImage,
    lower_cloth_image: LowerClothImage = None,
    model_name: ModelName = None,
    callback_url: CallbackUrl = None,
    wait_seconds: WaitSeconds = 0,
    new_render: NewRender = False,
    label: Label = None,
) -> TryOn:
    """Dress a person in a garment with Kling, for one paid unit (about 0.07 US dollars); then call get_try_on.

    Use it when the user wants to see a garment on a person. Only the garment changes: for another pose or background
    ask for another photo. A dress goes alone: for a jacket over it, let the dress finish, then give its task_id as
    human_image. Several garments take one call each, side by side; they wait for a busy account as long as
    wait_seconds; compare_try_ons shows them. It takes 20 to 60 seconds and cannot be undone. Create each try-on once,
    however long it took; where one is in doubt, look with get_try_on or list_try_ons before creating again.
    """
    # However small the message is: what its links lead to is not.
    LARGE.set(True)
    request = TryOnRequest(human_image, cloth_image, lower_cloth_image, model_name, callback_url, new_render, label)
    async with calling(ctx, wait_seconds) as try_ons:
        return await try_ons.create(request)


async def get_try_on(ctx: ToolContext, task_id: TaskId, wait_seconds: WaitSeconds = 20) -> TryOn:
    """See how one try-on stands and get the links to its pictures, at no cost; then view_try_on shows it.

    Use it after create_try_on until the status is succeed or failed; it waits up to wait_seconds for that. Links are
    signed and live 30 days: give them to the user whole, but none that is expired.
    """
    async with calling(ctx, wait_seconds) as try_ons:
        return await try_ons.get(task_id)


async def list_try_ons(ctx: ToolContext, page_num: PageNum = 1, page_size: PageSize = 30) -> TryOnPage:
    """Find earlier try-ons, with labels, status and links, newest first, at no cost; then go on with a task_id.

    Use it also when a create is in doubt. Rows are short: get_try_on has notes and the next step, view_try_on the
    picture. If has_more is true, the next page_num may hold more.
    """
    async with calling(ctx) as try_ons:
        return await try_ons.list(page_num, page_size)


async def view_try_on(
    ctx: ToolContext, task_id: TaskId, index: Index = 0, compare: Compare = False
) -> list[ContentBlock]:
    """Show a finished picture here, small, at no cost; then give the user its link, or save_try_on keeps it.

    Use it when status is succeed and you or the user want to see the result, at most 768 pixels. With compare true the
    person's photo stands to the left of the result, if it is still at hand.
    """
    async with calling(ctx) as try_ons:
        view = await try_ons.view(task_id, index, compare=compare)
    return picture_content(view, compare=compare)


async def compare_try_ons(ctx: ToolContext, task_ids: TaskIds) -> list[ContentBlock]:
    """Lay 2 to 9 finished try-ons side by side in one picture, at no cost; then view_try_on shows one larger.

    Use it when several garments were tried on. Each has its number and label below it, the person's photo stands first
    where it is at hand, and a line of text for each has its link, or says why it is not shown.
    """
    async with calling(ctx) as try_ons:
        return sheet_content(await try_ons.compare(task_ids))


async def save_try_on(ctx: ToolContext, task_id: TaskId, index: Index = 0, name: FileName = None) -> SavedPicture:
    """Save a finished picture whole on this machine, at no cost; then tell the user where it lies.

    Use it when the user wants to keep a picture: Kling's links die after 30 days. It goes to KOLORS_SAVE_DIR, or else
    to "try-ons" in the user's Pictures; nothing there is written over.
    """
    async with calling(ctx) as try_ons:
        return await try_ons.save(task_id, index, name)


async def get_account(ctx: ToolContext) -> Account:
    """Tell how many try-on units are left, and how many went today, at no cost; then the user decides what to try.

    Use it when the user asks what is left, or before several try-ons. Kling's figures can be 12 hours late, and packs
    of other products pay for no try-on; what is unknown is none.
    """
    async with calling(ctx) as try_ons:
        return await try_ons.account()


def all_tools(icons: list[Icon]) -> list[Tool]:
    """Return the tools, each with title, text, and all four hints."""
    look = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=True)
    make = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True)
    keep = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=True)
    table: list[tuple[Callable[..., Any], str, ToolAnnotations]] = [
        (create_try_on, "Create a Kling virtual try-on", make),
        (get_try_on, "Get a Kling virtual try-on", look),
        (list_try_ons, "List Kling virtual try-ons", look),
        (view_try_on, "View a Kling virtual try-on", look),
        (compare_try_ons, "Compare Kling virtual try-ons", look),
        (get_account, "Get what is left on the Kling account", look),
        (save_try_on, "Save a picture of a Kling virtual try-on", keep),
    ]
    return [
        TryOnTool.of(
            fn,
            title=title,
            annotations=hints,
            icons=icons,
            told_before=fn is not create_try_on and fn is not get_account,
        )
        for fn, title, hints in table
    ]
