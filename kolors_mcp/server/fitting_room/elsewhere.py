"""The fitting room for hosts that show no views: a link to it, opened in the user's browser if the user says so."""

import asyncio
import logging
import secrets
from typing import TYPE_CHECKING

import anyio
from mcp.shared.exceptions import MCPError
from mcp_types import (
    ContentBlock,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitRequestURLParams,
    ElicitResult,
    InputRequiredResult,
    TextContent,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from kolors_mcp.server.request import ToolContext

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

MAX_ASKING_SECONDS = 30.0
"""How long the user is waited for where the question holds the call: hosts cut calls at 45 and 60."""
_ANSWER = "room"
_ADDING = "Open a page in your browser where you add the photo? It does not pass the chat, and nothing is paid there."
_QUESTION = "Open the fitting room in your browser? It runs on this machine; nothing is paid without a click there."
_FORM = ElicitRequestFormParams(
    message=_QUESTION,
    requested_schema={
        "type": "object",
        "properties": {"open": {"type": "boolean", "title": "Open it now"}},
        "required": ["open"],
    },
)
_NO_VIEWS = (
    "This host shows no views, so the fitting room cannot be seen here; nothing is lost without it. Ask the user for "
    "the person's photo and the garment's photo (links, or paths of files on this machine) and call create_try_on; "
    "get_try_on follows it, view_try_on shows the picture, list_try_ons shows earlier ones."
)
_THERE = (
    "There the user chooses photos and starts a try-on with a click, which list_try_ons shows too. A photo that they "
    'keep there with "Use in chat" is in list_pictures as photo:NAME: give that to create_try_on. Do not create a '
    "try-on for the user meanwhile."
)


_HANDED_OVER = (
    "There the user chooses a photo, which goes straight to this service and passes no model; nothing is paid there. "
    "It works once, for 15 minutes, on a phone too. The page then says under which name the photo is kept, and "
    "list_pictures shows it as photo:NAME: give that to create_try_on as human_image or as a garment. For a second "
    "photo call open_fitting_room again."
)


async def open_elsewhere(ctx: ToolContext) -> list[ContentBlock] | InputRequiredResult:
    """Answer with a link to the room on this machine, or with how to do without it where there can be none."""
    service = ctx.request_context.lifespan_context
    if service.sharing is not None and service.sharing.upload_link is not None:
        return await _handed_over(ctx, service.sharing.upload_link(service.caller().user))
    if service.local_room is None:
        return _said(_NO_VIEWS)
    try:
        link = await service.open_room(ctx.mcp_server)
    except OSError as error:
        logger.warning("the fitting room cannot be opened on this machine (%s)", error)
        return _said(_NO_VIEWS)
    by_host, open_browser = _can_open(ctx), service.local_room.open_browser
    opened = False
    if by_host or (_can_ask(ctx) and open_browser is not None):
        answer = await _asked(ctx, _by_host(link, _QUESTION) if by_host else _FORM)
        if isinstance(answer, InputRequiredResult):
            return answer
        if answer is not None and answer.action == "accept":
            opened = by_host or ((answer.content or {}).get("open") is True and await _opened(open_browser, link))
    where = (
        f"The fitting room is open in the user's browser; its link is {link} ."
        if opened
        else f"Give the user this link to the fitting room: {link} . It works in a browser on this machine."
    )
    return _said(f"{where} It ends with this server's process. {_THERE}")


async def _handed_over(ctx: ToolContext, link: str) -> list[ContentBlock] | InputRequiredResult:
    """Answer with a link for one photo; a host that can open links has it opened, so that no model sees it."""
    # In the older manner a service without sessions cannot ask anything.
    if _can_open(ctx) and ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
        answer = await _asked(ctx, _by_host(link, _ADDING))
        if isinstance(answer, InputRequiredResult):
            return answer
        if answer is not None and answer.action == "accept":
            return _said(f"A page for the photo is open in the user's browser. {_HANDED_OVER}")
    return _said(f"Give the user this link, whole: {link} . {_HANDED_OVER}")


def _can_ask(ctx: ToolContext) -> bool:
    return ctx.client_capabilities is not None and ctx.client_capabilities.elicitation is not None


def _can_open(ctx: ToolContext) -> bool:
    elicitation = ctx.client_capabilities.elicitation if ctx.client_capabilities is not None else None
    return elicitation is not None and elicitation.url is not None


def _by_host(link: str, question: str) -> ElicitRequestURLParams:
    return ElicitRequestURLParams(message=question, url=link, elicitation_id=secrets.token_hex(8))


async def _asked(
    ctx: ToolContext, params: ElicitRequestURLParams | ElicitRequestFormParams
) -> ElicitResult | InputRequiredResult | None:
    """Ask the user by the host's own means: what they answered; what asks them; None if there is no answer in time."""
    if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
        if ctx.input_responses is None:
            return InputRequiredResult(input_requests={_ANSWER: ElicitRequest(params=params)})
        answer = ctx.input_responses.get(_ANSWER)
        return answer if isinstance(answer, ElicitResult) else None
    # In the manner of the protocols before 2026 the call waits meanwhile.
    session, number = ctx.request_context.session, ctx.request_context.request_id
    with anyio.move_on_after(MAX_ASKING_SECONDS):
        try:
            if isinstance(params, ElicitRequestURLParams):
                return await session.elicit_url(params.message, params.url, params.elicitation_id or "", number)
            return await session.elicit_form(params.message, params.requested_schema, number)
        except (MCPError, ValidationError) as error:
            logger.info("the user could not be asked (%s)", type(error).__name__)
    return None


async def _opened(open_browser: "Callable[[str], bool] | None", link: str) -> bool:
    try:
        return open_browser is not None and await asyncio.to_thread(open_browser, link)
    except OSError as error:
        logger.info("no browser could be opened (%s)", type(error).__name__)
        return False


def _said(text: str) -> list[ContentBlock]:
    return [TextContent(type="text", text=text)]
