"""What is said on the user's own machine and not over HTTP: files of this machine, and what only its operator can do.

Texts are written for those who run this server themselves. Over HTTP somebody else does: every answer passes here on
its way out, so that none names a path, a variable or another setting of the server, whatever it was about.
"""

import logging
import re
from collections.abc import Callable
from typing import Any, cast

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CallToolResult,
    GetPromptResult,
    ListPromptsResult,
    ReadResourceResult,
    TextContent,
    TextResourceContents,
)

from kolors_mcp.bounds import linear
from kolors_mcp.server.service import Service
from kolors_mcp.wording import plain

logger = logging.getLogger(__name__)

WORDS = (
    # Of pictures: there are no files here that a caller could mean.
    ("an https link, the path of a file, a data: URI or bare base64", "an https link, a data: URI or bare base64"),
    ("neither a link nor a path nor the base64", "neither a link nor the base64"),
    ("Give the path that the host shows with it or an https link", "Give an https link or a data: URI"),
    ("give the path that the host shows with it or a link", "give a link or a data: URI"),
    ("one http(s) link, path, data: URI or base64", "one http(s) link, data: URI or base64"),
    ("Give the path of a file on this one.", "Give an https link or a data: URI."),
    ("Give an https link or the base64.", "Give an https link or a data: URI."),
    ("Give it as a file, or ask", "Ask"),
    ("Or give the picture as a file.", "Or give the picture as a data: URI."),
    ("give the file", "give it as a data: URI"),
    (" (links, or paths of files on this machine)", " (links, or data: URIs)"),
    ("; the user keeps one in the fitting room (open_fitting_room)", ""),
    # Of prompts.
    ("a path, a link, photo:NAME, or the task_id", "a link, or the task_id"),
    ("a path or a link", "a link"),
    ("This machine's IP address", "The address of this service"),
    ("trusted on this machine", "trusted here"),
    # Of results: they are not kept on the machine of the service.
    (", or save_try_on keeps it", ""),
    (", and save_try_on keeps it", ""),
    (", save_try_on keeps those that I choose", ""),
    (", and no copy was saved here", ""),
    (" and no copy was saved here", ""),
    ("; after that only a saved copy is left", ""),
    (", or give its saved copy", ""),
)
"""What is said on the user's own machine, and what instead."""

_OPERATORS = re.compile(
    r"\b(?:KOLORS|KLING|SSL|HTTPS?|ALL|NO)_[A-Z]{2}|\bSSLKEYLOGFILE\b|\bkolors-mcp \w|\b[Tt]his machine\b|\bIts log\b"
)
"""In what only the operator of the service can act upon."""
_IN_PASSING = re.compile(r" \((?:KOLORS|KLING)_[A-Z_]{1,40}\)")
_PIECES = re.compile(r"(?<=[.;]) ")
_LEDGER = re.compile(r'\b([Tt])he ledger (?:"[^"]{1,999}"|in memory|[a-z]{4,20}://\S{1,999}) ')
_DRIVER = re.compile(r' \((?:SQLSTATE \w{1,20}|SQLITE_\w{1,40}|"[^"]{1,999}"|\w{1,60}(?:Error|Exception))\)')
_MAX_LOGGED_CHARACTERS = 500
_NOTHING_LEFT = "This cannot be done here just now; the operator of this service can see why."


@linear(b"(KOLORS_A)", b"KOLORS_AB", b". ", b"; ", b'The ledger "', b'"', b" (SQLITE_", b" (", b"give the file")
def discreet(text: str, held_back: list[str] | None = None) -> str:
    """Return a text of this server as it is said over HTTP; what is held back of it for the operator is added there."""
    held_back = [] if held_back is None else held_back
    for here, there in WORDS:
        text = text.replace(here, there)
    found = _LEDGER.search(text)
    if found is not None:
        held_back.append(text)
        text = _DRIVER.sub("", _LEDGER.sub(r"\1he ledger of paid try-ons ", text))
    text = _IN_PASSING.sub("", text)
    if _OPERATORS.search(text) is None:
        return text
    return "\n".join(filter(None, (_without_operators_part(line, held_back) for line in text.split("\n"))))


def _without_operators_part(line: str, held_back: list[str]) -> str:
    if _OPERATORS.search(line) is None:
        return line
    kept: list[str] = []
    for piece in _PIECES.split(line):
        (kept if _OPERATORS.search(piece) is None else held_back).append(piece)
    said = " ".join(kept)
    said = f"{said[:-1]}." if said.endswith(";") else said
    # What begins the line may be all that is left, which says that something went wrong and not what.
    return said if said not in ("", "Error:") else f"{said} {_NOTHING_LEFT}".lstrip()


async def say_discreetly(ctx: ServerRequestContext[Service, Any], call_next: CallNext) -> HandlerResult:
    """Let an answer out as it is said over HTTP; what is held back of an error goes to the log."""
    try:
        result = await call_next(ctx)
    except MCPError as error:
        held_back: list[str] = []
        said = discreet(error.error.message, held_back)
        if said == error.error.message:
            raise
        _log(held_back)
        raise MCPError(error.error.code, said, error.error.data) from error
    if isinstance(result, CallToolResult):
        return _of_tool(result)
    if isinstance(result, GetPromptResult | ListPromptsResult | ReadResourceResult):
        return _of_parts(result)
    return result


def _of_tool(result: CallToolResult) -> CallToolResult:
    held_back: list[str] = []
    changes: dict[str, Any] = {"content": [_part(part, held_back) for part in result.content]}
    if result.structured_content is not None:
        changes["structured_content"] = _mapped(result.structured_content, discreet)
    _log(held_back)
    return result.model_copy(update=changes)


def _log(held_back: list[str]) -> None:
    if held_back:
        logger.warning("for the operator: %s", plain(" ".join(held_back), _MAX_LOGGED_CHARACTERS))


def _part(part: Any, held_back: list[str] | None = None) -> Any:
    if not isinstance(part, TextContent):
        return part
    return part.model_copy(update={"text": discreet(part.text, held_back)})


def _of_parts(result: GetPromptResult | ListPromptsResult | ReadResourceResult) -> HandlerResult:
    if isinstance(result, ReadResourceResult):
        contents = [
            one.model_copy(update={"text": discreet(one.text)})
            if isinstance(one, TextResourceContents) and one.mime_type == "application/json"
            else one
            for one in result.contents
        ]
        return result.model_copy(update={"contents": contents})
    if isinstance(result, GetPromptResult):
        messages = [message.model_copy(update={"content": _part(message.content)}) for message in result.messages]
        return result.model_copy(update={"messages": messages})
    said = _mapped(result.model_dump(mode="json", by_alias=True, exclude_none=True), discreet)
    return ListPromptsResult.model_validate(said)


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    """Return a value of JSON with each of its texts changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _mapped(one, change) for key, one in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_mapped(one, change) for one in cast("list[Any]", value)]
    return value
