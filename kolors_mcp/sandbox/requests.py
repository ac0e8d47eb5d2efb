"""The strict checks of what is sent: every limit of the vendor's page, with the page's codes."""

import base64
import binascii
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast, get_args
from urllib.parse import urlsplit

from PIL import Image

from kolors_mcp.models import V1, Model
from kolors_mcp.sandbox.codes import Refusal
from kolors_mcp.sandbox.rules import Rules

MAX_PICTURE_BYTES = 10 * 1024 * 1024
"""Decoded from base64 (vendor's page: "cannot exceed 10MB")."""
MIN_SIDE_PIXELS = 300
"""Of each side (vendor's page)."""
MAX_EXTERNAL_ID_CHARACTERS = 128
_MAX_DECODED_PIXELS = 150_000_000  # Ours: a picture that unpacks to more would only exhaust the machine.
_MAX_NAME_CHARACTERS = 100  # Of a name that is repeated in an answer.
_MAX_DIGITS = 15  # Milliseconds since 1970 have 13.
_FIELDS = {"model_name", "human_image", "cloth_image", "callback_url"}

OwnResult = Callable[[str], bytes | None]
"""Gives the picture behind a link of this sandbox; None for any other URL."""


@dataclass(frozen=True)
class CreateRequest:
    """A create that passed every check; the pictures are decoded bytes."""

    model_name: str
    human: bytes = field(repr=False)
    cloth: bytes = field(repr=False)
    callback_url: str | None
    external_task_id: str | None


def check_create(content_type: str, body: bytes, rules: Rules, own_result: OwnResult) -> CreateRequest:
    """Check a create's body.

    Raises:
        Refusal: 1200 for a body that is no JSON object, 1201 for a wrong key or value, named in the message.
    """
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise Refusal(1200, "Content-Type must be application/json")
    try:
        parsed: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refusal(1200, "The request body is not valid JSON") from error
    if not isinstance(parsed, dict):
        raise Refusal(1200, "The request body must be a JSON object")
    fields = cast("dict[str, Any]", parsed)
    known = _FIELDS if rules.external_ids == "unknown" else _FIELDS | {"external_task_id"}
    for name in fields:
        if name not in known and (rules.unknown_fields == "refuse" or name == "external_task_id"):
            raise Refusal(1201, f"Unknown field: {name[:_MAX_NAME_CHARACTERS]}")
    model_name = fields.get("model_name", V1)
    if model_name not in get_args(Model):
        raise Refusal(1201, f"model_name value is invalid; it must be one of {', '.join(get_args(Model))}")
    external_id = _external_id(fields)
    return CreateRequest(
        model_name=model_name,
        callback_url=_callback_url(fields),
        external_task_id=None if rules.external_ids == "ignore" else external_id,
        human=_picture(fields, "human_image", own_result),
        cloth=_picture(fields, "cloth_image", own_result),
    )


def check_page(query: Mapping[str, str]) -> tuple[int, int]:
    """Return page number (1 to 1000) and page size (1 to 500) of a list request; 1 and 30 if not given.

    Raises:
        Refusal: 1201 with the name of the parameter.
    """
    for name in query:
        if name not in ("pageNum", "pageSize"):
            raise Refusal(1201, f"Unknown parameter: {name[:_MAX_NAME_CHARACTERS]}")
    return _whole(query, "pageNum", default=1, most=1000), _whole(query, "pageSize", default=30, most=500)


def check_window(query: Mapping[str, str]) -> tuple[float, float]:
    """Return the window of a costs request, in seconds (the query has milliseconds).

    Raises:
        Refusal: 1201 with the name of the parameter.
    """
    moments: list[float] = []
    for name in ("start_time", "end_time"):
        text = query.get(name, "")
        if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
            raise Refusal(1201, f"{name} must be a Unix timestamp in ms")
        moments.append(int(text) / 1000)
    if moments[0] >= moments[1]:
        raise Refusal(1201, "start_time must be before end_time")
    return moments[0], moments[1]


def _whole(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS and 1 <= int(text) <= most):
        raise Refusal(1201, f"{name} must be an integer from 1 to {most}")
    return int(text)


def _external_id(fields: Mapping[str, Any]) -> str | None:
    if "external_task_id" not in fields:
        return None
    value = fields["external_task_id"]
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_EXTERNAL_ID_CHARACTERS:
        raise Refusal(1201, f"external_task_id must be a string of 1 to {MAX_EXTERNAL_ID_CHARACTERS} characters")
    return value


def _callback_url(fields: Mapping[str, Any]) -> str | None:
    if "callback_url" not in fields:
        return None
    value = fields["callback_url"]
    if not isinstance(value, str) or not _is_web_url(value):
        raise Refusal(1201, "callback_url must be an http or https URL")
    return value


def _is_web_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and " " not in text


def _picture(fields: Mapping[str, Any], name: str, own_result: OwnResult) -> bytes:
    value = fields.get(name)
    if value is None or value == "":
        raise Refusal(1201, f"{name} can't be empty")
    if not isinstance(value, str):
        raise Refusal(1201, f"{name} must be a string")
    if _is_web_url(value[:2048]):
        content = own_result(value)
        if content is None:
            raise Refusal(1201, f"{name}: image url not accessible")
    else:
        try:
            # Strict: no prefix, no white space, no other alphabet, padding as the standard has it.
            content = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError) as error:
            raise Refusal(1201, f"{name}: File is not in a valid base64 format") from error
    if len(content) > MAX_PICTURE_BYTES:
        raise Refusal(1201, f"{name}: Image file size exceeds 10MB")
    _check_pixels(content, name)
    return content


def _check_pixels(content: bytes, name: str) -> None:
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as image:
            width, height = image.size
            fits = min(width, height) >= MIN_SIDE_PIXELS and width * height <= _MAX_DECODED_PIXELS
            if fits:
                # A JPEG is read at an eighth of its size, which still walks all of it.
                image.draft(None, (width // 8, height // 8))
                image.load()
    # What a decoder may raise on hostile bytes is not a closed set; here each of them is one refusal.
    except Exception as error:
        raise Refusal(1201, f"{name}: Image format is invalid, it must be jpg, jpeg or png") from error
    if not fits:
        raise Refusal(1201, f"{name}: Image pixel is invalid")
