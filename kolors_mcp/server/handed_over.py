"""The forms in which models and hosts hand a picture over, brought to one text: an object, a list of one, JSON.

Objects are those of chats and tools: OpenAI's `image_url`, Anthropic's `source`, Gemini's `inlineData`, MCP's content
blocks, LangChain's and the AI SDK's. A picture itself counts before the place that it is said to come from.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, cast

from kolors_mcp.bounds import linear

_CONTENT = frozenset(("data", "base64", "blob", "b64_json", "bytes"))
_PLACES = frozenset(
    ("url", "uri", "path", "file_path", "filepath", "file_uri", "fileuri", "href", "src", "link", "image", "image_path")
)
_AROUND = frozenset(
    ("image_url", "source", "resource", "inlinedata", "inline_data", "filedata", "file_data", "file", "image", "input")
)
"""Keys of objects that hold another one, or the place itself."""
_LIKE_PLACES = re.compile(r".{0,100}(?:url|uri|path|link|image|img|photo|picture)", re.DOTALL)
"""How other keys of places end, such as the names of our own arguments; they count where none of those above is."""
_UPLOADS = frozenset(("file_id", "fileid", "upload_file_id", "attachment_id", "asset_id"))
_MAX_DEPTH = 4
_MAX_MEMBERS = 40
_MAX_JSON_CHARACTERS = 16_384

_FORMS = "give one http(s) link, path, data: URI or base64, as text"
_UPLOAD = (
    "names an upload of the chat, which does not reach this server; give the path that the host shows with it or a "
    "link, or call open_fitting_room"
)


def picture_reference(value: Any) -> Any:
    """Return the text that names a picture, whatever it was wrapped in; anything else as it is.

    Raises:
        ValueError: It names none, or several; the rest of a sentence whose subject is the argument.
    """
    if isinstance(value, str):
        value = _unpacked(value)
    if not isinstance(value, list | dict):
        return value
    found = list(dict.fromkeys(_references(cast("list[Any] | dict[str, Any]", value), 0)))
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(f"names {len(found)} pictures; it takes one: make a call for each")
    kind = "a list" if isinstance(value, list) else "an object"
    raise ValueError(f"is {kind} that names no picture; {_FORMS}" if not _has_upload(value) else _UPLOAD)


@linear(b"[", b"{", b'{"a":', b'"', b"\\", b"9", b"[],", b'{"url":"a"},', opening=b"[", closing=b"]")
def _unpacked(text: str) -> Any:
    """Return what a short text of JSON says if it is a list or an object, and the text itself if not."""
    short = text.strip() if len(text) <= _MAX_JSON_CHARACTERS else ""
    if short[:1] + short[-1:] not in ("{}", "[]"):
        return text
    try:
        # Numbers are not looked at, and reading a long one takes more than in proportion.
        value: Any = json.loads(short, parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        return text  # Markdown begins and ends so too
    return value


def _references(value: Any, depth: int) -> Iterator[str]:
    """Yield what names a picture in an object or a list, the first members of each."""
    if isinstance(value, str):
        if value.strip():
            yield value
    elif isinstance(value, list):
        for member in cast("list[Any]", value)[:_MAX_MEMBERS] if depth <= _MAX_DEPTH else ():
            if not (isinstance(member, dict) and cast("dict[str, Any]", member).get("type") == "text"):
                yield from _references(member, depth + 1)
    elif isinstance(value, dict) and depth <= _MAX_DEPTH:
        yield from _of_object(cast("dict[str, Any]", value), depth)


def _of_object(value: dict[str, Any], depth: int) -> Iterator[str]:
    members = {str(key).lower(): member for key, member in list(value.items())[:_MAX_MEMBERS]}
    for counts in (_CONTENT.__contains__, (_PLACES | _AROUND).__contains__, _LIKE_PLACES.fullmatch):
        found = [
            reference
            for key, member in members.items()
            if counts(key) and isinstance(member, str | list | dict)
            for reference in _references(member, depth + 1)
        ]
        if found:
            yield from found
            return


def _has_upload(value: Any, depth: int = 0) -> bool:
    if isinstance(value, list):
        members = cast("list[Any]", value)[:_MAX_MEMBERS]
    elif isinstance(value, dict):
        members = list(cast("dict[str, Any]", value).values())[:_MAX_MEMBERS]
        if any(str(key).lower() in _UPLOADS for key in cast("dict[str, Any]", value)):
            return True
    else:
        return False
    return depth <= _MAX_DEPTH and any(_has_upload(member, depth + 1) for member in members)
