"""The arguments of the tools: what each takes, what is said of it, and what a wrong one is told."""

import json
import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from kolors_mcp.bounds import linear
from kolors_mcp.models import MAX_LABEL_CHARACTERS, REFERENCE_PREFIX, Model, is_id, looks_like_an_id
from kolors_mcp.pictures import Given, InlinePicture
from kolors_mcp.server.handed_over import picture_reference
from kolors_mcp.try_ons.uris import SCHEME, address_of
from kolors_mcp.wording import plain

MAX_CALLBACK_CHARACTERS = 2_000
"""Characters of a callback address."""
MAX_SHEET_TRY_ONS = 9
"""Try-ons on one sheet."""
MAX_TRY_ON_NAME_CHARACTERS = 240
"""Characters of whatever names a try-on: an id of 200 in its address."""

_AROUND_IDS = " \t\r\n\"'`<>()[]{}#*.,;:"
_CALLED = re.compile(r"(?:try-?on(?!:/)|task[ _-]?id|task|reference|id)[\s\"'`:=#*]{1,6}+", re.IGNORECASE)

PICTURE_ENDINGS = frozenset({"jpg", "jpeg", "png", "webp"})
"""Of names that people give to a finished picture."""


def refuse_boolean(value: Any) -> Any:
    """Return an argument that is to be a number, unless it is true or false, which Python takes for one.

    Raises:
        ValueError: It is; the rest of a sentence whose subject is the argument.
    """
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")  # noqa: TRY004  (only ValueError becomes a complaint)
    return value


def _text_of_id(value: Any) -> Any:
    # Kling's ids are digits, and some assistants send them as numbers, or with blanks around.
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= 64 else value  # noqa: PLR2004  (an id fits into 64 bits)


def _listed(value: Any) -> Any:
    # Some assistants write a list as text.
    if not isinstance(value, str) or len(value) > MAX_SHEET_TRY_ONS * (MAX_TRY_ON_NAME_CHARACTERS + 10):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return [part.strip() for part in value.replace("\n", ",").split(",") if part.strip()]


def _is_label(text: str) -> bool:
    return 0 < len(text) <= MAX_LABEL_CHARACTERS and bool(text.strip(".")) and text not in ("null", "0")


@linear(b"task", b"8", b"k-", b" ", b'"', b"(", b":", b"tryon://", opening=b"task id: ")
def _told_id(value: str) -> str | None:
    """Return the id, reference or address that is written as in an answer or a text ("Try-on 8...:", `task_id: 8...`).

    None if it is not that alone: who is told that a try-on does not exist may have it made and paid again.
    """
    text = value.strip(_AROUND_IDS)
    text = text[called.end() :] if (called := _CALLED.match(text)) else text
    text = text.lower() if text[: len(REFERENCE_PREFIX)].lower() == REFERENCE_PREFIX else text
    address = address_of(text)
    return text if looks_like_an_id(text) or (address is not None and address.task_id is not None) else None


def _require_name(value: str) -> str:
    """Return a try-on's id, reference or address as it is, and a label as labels are written."""
    if (told := _told_id(value)) is not None:
        return told
    address = address_of(value)
    if is_id(value) or (address is not None and address.task_id is not None):
        return value
    label = plain(value, MAX_TRY_ON_NAME_CHARACTERS)
    if value.startswith(SCHEME) or not _is_label(label):
        raise ValueError("is neither a task_id nor a label, as create_try_on and list_try_ons give them")
    return label


def _one_line(value: Any) -> Any:
    # What is far too long is refused as it is.
    return (
        plain(value, MAX_TRY_ON_NAME_CHARACTERS)
        if isinstance(value, str) and len(value) <= MAX_TRY_ON_NAME_CHARACTERS
        else value
    )


def _require_label(value: str | None) -> str | None:
    if value is not None and (looks_like_an_id(value) or not _is_label(value)):
        raise ValueError("cannot be told from an id, or from nothing; give words, or leave it out")
    return value


def _without_ending(value: str | None) -> str | None:
    # The picture's content decides on the ending; some assistants write one all the same.
    stem, _, ending = (value or "").rpartition(".")
    return stem if stem.strip(" .") and ending.strip().lower() in PICTURE_ENDINGS else value


def _require_web_address(value: str | None) -> str | None:
    if value is None:
        return None
    if len(value) > MAX_CALLBACK_CHARACTERS:
        raise ValueError(f"must have at most {MAX_CALLBACK_CHARACTERS} characters, or be left out")
    try:
        parts = urlsplit(value)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
    except ValueError:
        sound = False
    if not sound or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("must be an http or https address without user name, or be left out")
    return value


class _AsPicture:
    """Takes what names a picture, in whatever form; told of as text, which it is on the way here."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind

    def __get_pydantic_core_schema__(self, _source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(_picture, handler.generate_schema(self._kind))


def _picture(value: Any, as_text: core_schema.ValidatorFunctionWrapHandler) -> Any:
    return value if isinstance(value, InlinePicture) else as_text(picture_reference(value))


HumanImage = Annotated[
    Given,
    _AsPicture(str),
    Field(
        description="The person's photo, one person, front view works best: an http(s) URL, a path or file:// URL "
        "on this machine, a data: URI, bare base64, photo:NAME of a photo that the user keeps, or the "
        "task_id of an earlier try-on to go on from. Any common format; each side at least 300 pixels. "
        "A photo in the chat itself does not reach this server: give the path that the host shows with "
        "it, or call open_fitting_room."
    ),
]
ClothImage = Annotated[
    Given,
    _AsPicture(str),
    Field(
        description="The garment's photo, given as human_image is, or the link of a shop's page: an upper, a lower "
        "or a dress, best on a white background."
    ),
]
LowerClothImage = Annotated[
    Given | None,
    _AsPicture(str | None),
    Field(
        description="Optional: a lower garment, given likewise, to wear with an upper one in cloth_image for the "
        "same unit (uses kolors-virtual-try-on-v1-5). Not with a dress, and no jacket."
    ),
]
ModelName = Annotated[Model | None, Field(description="Optional: Kling's model. Left out: the server's default.")]
CallbackUrl = Annotated[
    str | None,
    AfterValidator(_require_web_address),
    Field(description="Optional: an http(s) address that Kling notifies when the status changes."),
]
WaitSeconds = Annotated[
    float,
    Field(
        ge=0,
        le=300,
        allow_inf_nan=False,
        description="Seconds to wait for the finished picture, 0 to 300; then the answer has a task_id to go on with.",
    ),
    BeforeValidator(refuse_boolean),
]
NewRender = Annotated[
    bool, Field(description="True: pay for a fresh picture even if the same request was made a moment ago.")
]
Label = Annotated[
    str | None,
    Field(
        min_length=1,
        max_length=MAX_LABEL_CHARACTERS,
        description="Optional: what the user calls this look, 1 to 60 characters; other tools find it by that. Never "
        "sent to Kling. Left out: the garment's file or page names it.",
    ),
    BeforeValidator(_one_line),
    AfterValidator(_require_label),
]
TaskId = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_TRY_ON_NAME_CHARACTERS,
        description="Kling's task_id, the reference (k-...), tryon://TASK_ID, or the label if only one has it.",
    ),
    BeforeValidator(_text_of_id),
    AfterValidator(_require_name),
]
TaskIds = Annotated[
    list[Annotated[str, BeforeValidator(_text_of_id), AfterValidator(_require_name)]],
    Field(
        min_length=2,
        max_length=MAX_SHEET_TRY_ONS,
        description="2 to 9 of them, each a task_id, reference or label; the sheet keeps their order.",
    ),
    BeforeValidator(_listed),
]
Index = Annotated[
    int,
    Field(ge=0, le=99, description="Which picture of the try-on, 0 to 99; the first is 0."),
    BeforeValidator(refuse_boolean),
]
Compare = Annotated[
    bool,
    Field(description="True: put the person's photo, or else the garment, to the left of the result."),
]
FileName = Annotated[
    str | None,
    Field(
        min_length=1,
        max_length=60,
        description="Optional: the file's name, 1 to 60 characters, in words that the user will know it by.",
    ),
    AfterValidator(_without_ending),
]
PageNum = Annotated[
    int, Field(ge=1, le=1000, description="Number of the page, 1 to 1000."), BeforeValidator(refuse_boolean)
]
PageSize = Annotated[
    int, Field(ge=1, le=500, description="Most try-ons on the page, 1 to 500."), BeforeValidator(refuse_boolean)
]
