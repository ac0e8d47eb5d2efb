"""What is said on the user's own machine and not over HTTP: files of this machine, and what only its operator can do.

Texts are written for those who run this server themselves. Over HTTP somebody else does: every answer passes here on
its way out, so that none names a path, a variable or another setting of the server, whatever it was about.
"""

import json
import logging
import re
from typing import Any, cast

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError

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
    ("is a file path, and this server reads no local files.", "is a path, which leads to nothing here."),
    ("Give an https link or the base64", "Give an https link or a data: URI"),
    ("Give it as a file, or ask", "Ask"),
    ("Or give the picture as a file.", "Or give the picture as a data: URI."),
    ("give the file", "give it as a data: URI"),
    (" (links, or paths of files on this machine)", " (links, or data: URIs)"),
    # Of prompts.
    ("a path, a link, photo:NAME, or the task_id", "a link, photo:NAME, or the task_id"),
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
_SIGNS = ("KOLORS_", "KLING_", "SSL", "HTTP", "ALL_", "NO_", "kolors-mcp ", "his machine", "ts log")
"""Without one of these nothing of that is in a text; looking for them is cheap."""
_IN_PASSING = re.compile(r" \((?:KOLORS|KLING)_[A-Z_]{1,40}\)")
_PIECES = re.compile(r"(?<=[.;]) ")
_LEDGER = re.compile(r'\b([Tt])he ledger (?:"[^"]{1,999}"|in memory|[a-z]{4,20}://\S{1,999}) ')
_DRIVER = re.compile(r' \((?:SQLSTATE \w{1,20}|SQLITE_\w{1,40}|"[^"]{1,999}"|\w{1,60}(?:Error|Exception))\)')
_MAX_LOGGED_CHARACTERS = 500
_NO_TEXTS = frozenset({"data", "blob", "icons"})
"""Members whose values are pictures."""
_SAME_FOR_ALL = frozenset({"initialize", "server/discover", "tools/list", "resources/templates/list"})
"""Methods whose answers are those of `tests/contract_http.json`."""
_NOTHING_LEFT = "This cannot be done here just now; the operator of this service can see why."


@linear(b"(KOLORS_A)", b"KOLORS_AB", b". ", b"; ", b'The ledger "', b'"', b" (SQLITE_", b" (", b"give the file")
def discreet(text: str, held_back: list[str] | None = None) -> str:
    """Return a text of this server as it is said over HTTP; what is held back of it for the operator is added there."""
    held_back = [] if held_back is None else held_back
    if " " not in text:
        return text  # an id, a moment, a link: most of an answer
    for here, there in WORDS:
        text = text.replace(here, there)
    if "he ledger" in text and _LEDGER.search(text) is not None:
        held_back.append(text)
        text = _DRIVER.sub("", _LEDGER.sub(r"\1he ledger of paid try-ons ", text))
    if not any(sign in text for sign in _SIGNS):
        return text
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
    """Let an answer out as it is said over HTTP; what is held back for the operator goes to the log."""
    held_back: list[str] = []
    try:
        result = await call_next(ctx)
    except MCPError as error:
        said = discreet(error.error.message, held_back)
        if said == error.error.message:
            raise
        raise MCPError(error.error.code, said, error.error.data) from error
    else:
        return result if ctx.method in _SAME_FOR_ALL else _mapped(result, held_back)
    finally:
        if held_back:
            logger.warning("for the operator: %s", plain(" ".join(held_back), _MAX_LOGGED_CHARACTERS))


def _mapped(value: Any, held_back: list[str]) -> Any:
    """Return a value of JSON with each of its texts as it is said over HTTP; pictures and pages are no texts."""
    if isinstance(value, str):
        return _text(value, held_back)
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        if str(members.get("mimeType", "")).startswith("text/html"):
            return members
        return {key: one if key in _NO_TEXTS else _mapped(one, held_back) for key, one in members.items()}
    if isinstance(value, list):
        return [_mapped(one, held_back) for one in cast("list[Any]", value)]
    return value


def _text(text: str, held_back: list[str]) -> str:
    said = discreet(text, held_back)
    if said == text or not text.startswith("{"):
        return said
    # A resource is JSON as text, of which each text is looked at by itself.
    return json.dumps(_mapped(json.loads(text), []), ensure_ascii=False)
