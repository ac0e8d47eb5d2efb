"""What goes over the wire to Kling and what comes back, exactly as the vendor's page names it.

Requests are written strictly. Answers are read leniently: whatever is odd in them, a task id that was paid for
is never lost over it.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from kolors_mcp.bounds import linear
from kolors_mcp.kling.body import Body
from kolors_mcp.kling.task import Task, TaskImage, status_of
from kolors_mcp.models import Picture, is_id
from kolors_mcp.wording import plain

TRY_ON_PATH = "/v1/images/kolors-virtual-try-on"
"""Create, list, and with `/{id}` read one. The page's `/v1images/...` in its single query is a misprint."""
COSTS_PATH = "/account/costs"

_LINK = re.compile(r"https?://[!-~]{3,4000}", re.IGNORECASE)
"""What a result's link must look like before it is shown to anyone: a web address in visible ASCII."""

MOST_IMAGES = 16
"""Pictures of a task; Kling makes one (vendor)."""
MOST_PACKS = 200

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _or_none(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    try:
        return handler(value)
    except ValidationError:
        return None


Lenient = WrapValidator(_or_none)
"""A field that is not worth an error: what cannot be read counts as absent."""


def _text_of_number(value: Any) -> Any:
    # Newer ids are 18 digits, above 2^53, and have been seen as JSON numbers; they have no sign.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) and value > 0 else value


def _sound_id(text: str) -> str:
    # An id is printed, written down and asked for: what could disguise or break a line is none.
    if not is_id(text):
        raise ValueError("is no id")
    return text


def _moment(value: Any) -> Any:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return _EPOCH + timedelta(milliseconds=value)
    except (OverflowError, ValueError):
        return None


def _readable_images(value: Any) -> Any:
    if not isinstance(value, list):
        return []
    rows = cast("list[Any]", value)[:MOST_IMAGES]
    found = [cast("dict[str, Any]", row) for row in rows if isinstance(row, dict)]
    return [row for row in found if isinstance(row.get("url"), str) and _is_link(row["url"])]


@linear(b"https://", b"a", b"%", "é".encode(), opening=b"https://a.example/")
def _is_link(text: str) -> bool:
    return _LINK.fullmatch(text) is not None


Text = Annotated[str, BeforeValidator(_text_of_number)]
Id = Annotated[str, BeforeValidator(_text_of_number), AfterValidator(_sound_id)]
"""1 to 200 characters of the alphabet of ids."""
Index = Annotated[int | None, Field(ge=0, le=99), Lenient]
Quantity = Annotated[float | None, Field(allow_inf_nan=False), Lenient]
Moment = Annotated[datetime | None, BeforeValidator(_moment)]
"""The vendor gives Unix milliseconds."""


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class KlingImage(_Answer):
    """One picture of `task_result.images`."""

    index: Index = None
    url: str


class KlingResult(_Answer):
    """`task_result`."""

    images: Annotated[list[KlingImage], BeforeValidator(_readable_images)] = []


class KlingInfo(_Answer):
    """`task_info`; one copy of the vendor's page leaves it out."""

    external_task_id: Annotated[Id | None, Lenient] = None


class KlingTask(_Answer):
    """One task, as create, query and list return it."""

    task_id: Id
    task_status: Annotated[str | None, Lenient] = None
    task_status_msg: Annotated[str | None, Lenient] = None
    created_at: Moment = None
    updated_at: Moment = None
    task_info: Annotated[KlingInfo | None, Lenient] = None
    task_result: Annotated[KlingResult | None, Lenient] = None

    @property
    def reference(self) -> str | None:
        """The `external_task_id` it was created with, where the answer carries it."""
        return self.task_info.external_task_id if self.task_info else None

    @property
    def images(self) -> list[KlingImage]:
        """The finished pictures."""
        return self.task_result.images if self.task_result else []

    def to_task(self) -> Task:
        """Return what it says, without its form."""
        status, odd = status_of(self.task_status)
        said = plain(self.task_status_msg) if self.task_status_msg else None
        return Task(
            id=self.task_id,
            reference=self.reference,
            status=status,
            message=odd or said,
            created_at=self.created_at,
            updated_at=self.updated_at,
            images=tuple(
                TaskImage(number if image.index is None else image.index, image.url)
                for number, image in enumerate(self.images)
            ),
        )


class ResourcePack(_Answer):
    """One pack of units of `GET /account/costs`."""

    resource_pack_name: str = ""
    status: str = ""
    remaining_quantity: Quantity = None
    total_quantity: Quantity = None


class Envelope(_Answer):
    """What every answer is wrapped in. `code` 0 is success; gateways sometimes send it as text."""

    code: int
    message: Annotated[str | None, Lenient] = None
    request_id: Annotated[Text | None, Lenient] = None
    data: Any = None


TASK = TypeAdapter(KlingTask)
PACKS = TypeAdapter(list[ResourcePack])


def tasks_of(data: Any, most: int) -> list[KlingTask] | None:
    """Read the first `most` rows of a list; rows without a sound id are left out. None if it is no list at all."""
    if not isinstance(data, list):
        return None
    rows: list[KlingTask] = []
    for row in cast("list[Any]", data)[:most]:
        try:
            rows.append(TASK.validate_python(row))
        except ValidationError:
            continue  # a row without an id can be neither shown nor asked for
    return rows


@dataclass(frozen=True)
class CreateRequest:
    """A try-on to be made."""

    human_image: Picture
    cloth_image: Picture
    model_name: str | None = None
    callback_url: str | None = None
    external_task_id: str | None = None

    def close(self) -> None:
        """Let go of the files behind the pictures."""
        self.human_image.close()
        self.cloth_image.close()

    def body(self) -> Body:
        """Return the JSON body: the page's fields, and no others."""
        return Body(
            {
                "model_name": self.model_name,
                "human_image": self.human_image,
                "cloth_image": self.cloth_image,
                "callback_url": self.callback_url,
                "external_task_id": self.external_task_id,
            }
        )
