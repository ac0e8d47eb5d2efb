"""What the answers of the try-on endpoint say: one task, rows of tasks, or nothing that can be read."""

import re
from typing import Annotated, Any, cast

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from kolors_mcp import errors
from kolors_mcp.bounds import linear
from kolors_mcp.kling.exchange import Reply
from kolors_mcp.kling.task import Task, TaskImage, status_of
from kolors_mcp.kling.wire import TRY_LATER, Answer, Id, Index, Lenient, Moment, without_data
from kolors_mcp.models import REFERENCE_PREFIX
from kolors_mcp.wording import plain

MAX_IMAGES = 16
"""Pictures of a task that are read; Kling makes one (vendor)."""

_LINK = re.compile(r"https?://[!-~]{3,4000}", re.IGNORECASE)
"""What a result's link must look like before it is shown: a web address in visible ASCII."""
_NO_SUCH = re.compile(
    r"\b(?:task|job|id|record)\b[^,.:;]{0,30}?\b(?:not\s?found|notfound|not\s?exist|doesn't\s?exist)"
    r"|\b(?:no\s?such|unknown)\s?(?:task|job|id|record)\b|\A\W{0,9}not\s?found\W{0,9}\Z"
    "|\u4efb\u52a1[^\uff0c\u3002\uff1a]{0,9}?(?:\u4e0d\u5b58\u5728|\u672a\u627e\u5230|\u627e\u4e0d\u5230)"
    "|(?:\u4e0d\u5b58\u5728|\u672a\u627e\u5230|\u627e\u4e0d\u5230)[^\uff0c\u3002\uff1a]{0,9}?\u4efb\u52a1",
    re.IGNORECASE,
)
"""That a task is not there, in Kling's two languages; a face that is not found in a picture is something else."""


@linear(b"https://", b"a", b"%", "é".encode(), opening=b"https://a.example/")
def _is_link(text: str) -> bool:
    return _LINK.fullmatch(text) is not None


@linear(b"not", b" ", b"no ", b"unknown ", b"n't ", "\u4e0d".encode())
def _says_no_such(text: str) -> bool:
    return _NO_SUCH.search(text) is not None


def _readable_images(value: Any) -> Any:
    if not isinstance(value, list):
        return []
    rows = cast("list[Any]", value)[:MAX_IMAGES]
    found = [cast("dict[str, Any]", row) for row in rows if isinstance(row, dict)]
    return [row for row in found if isinstance(row.get("url"), str) and _is_link(row["url"])]


Units = Annotated[float | None, Field(ge=0, le=1_000_000, allow_inf_nan=False), Lenient]


class KlingImage(Answer):
    """One picture of `task_result.images`."""

    index: Index = None
    url: str


class KlingResult(Answer):
    """`task_result`."""

    images: Annotated[tuple[KlingImage, ...], BeforeValidator(_readable_images)] = ()


class KlingInfo(Answer):
    """`task_info`; one copy of the vendor's page leaves it out."""

    external_task_id: Annotated[Id | None, Lenient] = None


class KlingTask(Answer):
    """One task, as create, query and list return it."""

    task_id: Id
    task_status: Annotated[str | None, Lenient] = None
    task_status_msg: Annotated[str | None, Lenient] = None
    created_at: Moment = None
    updated_at: Moment = None
    task_info: Annotated[KlingInfo | None, Lenient] = None
    task_result: Annotated[KlingResult | None, Lenient] = None
    final_unit_deduction: Units = None
    """Text, of a task that has ended (vendor)."""

    @property
    def reference(self) -> str | None:
        """The `external_task_id` it was created with, where the answer carries it."""
        return self.task_info.external_task_id if self.task_info else None

    @property
    def images(self) -> tuple[KlingImage, ...]:
        """The finished pictures."""
        return self.task_result.images if self.task_result else ()

    @property
    def says_not_found(self) -> bool:
        """Whether it only says that there is no such task."""
        # Seen right after a good create: HTTP 200, code 0, "failed". It proves nothing, least of all a failure.
        failed = status_of(self.task_status)[0] == "failed"
        return failed and not self.images and _says_no_such(self.task_status_msg or "")

    def to_task(self) -> Task:
        """Return what it says, without its form."""
        # Whoever shows a task has it: it has not failed for not being there.
        status, odd = ("submitted", None) if self.says_not_found else status_of(self.task_status)
        numbers = [place if image.index is None else image.index for place, image in enumerate(self.images)]
        if len(set(numbers)) < len(numbers):
            numbers = list(range(len(numbers)))  # or one of two could not be asked for
        said = plain(self.task_status_msg) if self.task_status_msg and not self.says_not_found else None
        return Task(
            id=self.task_id,
            reference=self.reference,
            status=status,
            message=odd or said,
            created_at=self.created_at,
            updated_at=self.updated_at,
            images=tuple(TaskImage(number, image.url) for number, image in zip(numbers, self.images, strict=True)),
            units=self.final_unit_deduction,
        )


_TASK = TypeAdapter(KlingTask)


def task(reply: Reply) -> KlingTask:
    """Read the task of an answer.

    Raises:
        UnexpectedAnswerError: There is none that can be read.
    """
    try:
        return _TASK.validate_python(reply.envelope.data)
    except ValidationError:
        # Pydantic's own text would show the data.
        raise without_data() from None


def task_asked_for(reply: Reply, task_id: str) -> KlingTask:
    """Read one task, which has to be the one that was asked for, by Kling's id or by ours.

    An answer to our reference need not repeat it: one copy of the vendor's page leaves `task_info` out.

    Raises:
        UnexpectedAnswerError: It is another one, or it cannot be read.
    """
    read = task(reply)
    silent = read.reference is None and task_id.startswith(REFERENCE_PREFIX)
    if task_id not in (read.task_id, read.reference) and not silent:
        raise errors.UnexpectedAnswerError("Kling answered about another try-on than was asked for", TRY_LATER)
    return read


def tasks(reply: Reply, max_rows: int) -> list[KlingTask]:
    """Read the first `max_rows` rows of a list. Rows without a sound id are left out.

    Raises:
        UnexpectedAnswerError: There is no list.
    """
    # Where there is nothing, some write no list.
    data: Any = [] if reply.envelope.data is None else reply.envelope.data
    if not isinstance(data, list):
        raise without_data()
    rows: list[KlingTask] = []
    for row in cast("list[Any]", data)[:max_rows]:
        try:
            rows.append(_TASK.validate_python(row))
        except ValidationError:
            continue  # a row without an id can be neither shown nor asked for
    return rows
