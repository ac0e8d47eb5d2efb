"""The forms that Kling's endpoints share: the envelope of an answer, its kinds of fields, and a create's body.

Requests are written strictly. Answers are read leniently: whatever is odd in them, a task id that was paid for
is never lost over it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from kolors_mcp.errors import UnexpectedAnswerError
from kolors_mcp.kling.body import Body
from kolors_mcp.models import is_id
from kolors_mcp.pictures import PictureBytes

TRY_LATER = "Try again in a minute."

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS_FROM, _MILLISECONDS_FROM = 1e9, 1e11
"""Numbers from which on a moment is taken for seconds (of 2001 to 5138) and for milliseconds (from 1973 on)."""


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
    # Nothing of Kling's is from before 1973: what would be is written in seconds, or is no moment, as 0.
    milliseconds = value * 1000 if _SECONDS_FROM <= value < _MILLISECONDS_FROM else value
    if milliseconds < _MILLISECONDS_FROM:
        return None
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except (OverflowError, ValueError):
        return None


def _no_truth(value: Any) -> Any:
    # True is 1 to Python, and no code of Kling's.
    return None if isinstance(value, bool) else value


MAX_CODE = 10**40
"""The vendor's codes have one to four digits; what fills a line is none."""
Text = Annotated[str, BeforeValidator(_text_of_number)]
Id = Annotated[str, BeforeValidator(_text_of_number), AfterValidator(_sound_id)]
"""1 to 200 characters of the alphabet of ids."""
Index = Annotated[int | None, Field(ge=0, le=99), Lenient]
Moment = Annotated[datetime | None, BeforeValidator(_moment)]
"""The vendor gives Unix milliseconds."""


class Answer(BaseModel):
    """An object of an answer. What else stands in it is left out."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Envelope(Answer):
    """What every answer is wrapped in. `code` 0 is success; gateways sometimes send it as text."""

    code: Annotated[int, BeforeValidator(_no_truth), Field(ge=-MAX_CODE, le=MAX_CODE)]
    message: Annotated[str | None, Lenient] = None
    request_id: Annotated[Text | None, Lenient] = None
    data: Any = None


def without_data() -> UnexpectedAnswerError:
    """Return the error for an envelope that says success and holds nothing that can be read."""
    return UnexpectedAnswerError("Kling answered success without readable data", TRY_LATER)


@dataclass(frozen=True)
class CreateRequest:
    """A try-on to be made."""

    human_image: PictureBytes
    cloth_image: PictureBytes
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
