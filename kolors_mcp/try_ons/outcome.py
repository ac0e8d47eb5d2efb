"""What Kling's answer means to a caller: our `TryOn`, made of Kling's task and what we know beside it."""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

from kolors_mcp.models import ResultImage, Status, TryOn
from kolors_mcp.wording import plain, quoted

if TYPE_CHECKING:
    from kolors_mcp.kling.wire import KlingTask

KEPT = timedelta(days=30)
"""How long Kling keeps a result (vendor)."""


@dataclass
class Known:
    """What we know of a try-on and Kling does not tell."""

    reference: str | None = None
    model_name: str | None = None
    notes: tuple[str, ...] = ()
    saved: dict[int, Path] = field(default_factory=dict[int, Path])
    """Where the picture of an index was saved."""


def try_on_of(task: "KlingTask", known: Known, *, sandbox: bool) -> TryOn:
    """Make our answer of Kling's; nothing of theirs goes through unchecked."""
    status, odd = _status(task.task_status)
    images: list[ResultImage] = []
    for number, image in enumerate(task.images if status == "succeed" else ()):
        index = number if image.index is None else image.index
        saved = known.saved.get(index)
        images.append(
            ResultImage(
                index=index,
                url=image.url,
                expires_at=task.updated_at + KEPT if task.updated_at else None,
                saved_to=str(saved) if saved else None,
            )
        )
    return TryOn(
        task_id=task.task_id,
        reference=task.reference or known.reference,
        status=status,
        status_message=odd or (plain(task.task_status_msg) if task.task_status_msg else None),
        created_at=task.created_at,
        updated_at=task.updated_at,
        model_name=known.model_name,
        images=tuple(images),
        notes=known.notes,
        sandbox=sandbox,
        next_step=_next_step(task.task_id, status, images=bool(images)),
    )


def _status(word: str | None) -> tuple[Status, str | None]:
    if word == "succeeded":  # newer pages of the vendor's
        return "succeed", None
    if word in get_args(Status):
        return cast("Status", word), None
    if word is None:
        return "submitted", None
    # Neither finished nor failed as far as anyone can tell: waiting goes on, and the word is shown.
    return "processing", f"Kling reports a status this version does not know: {quoted(word, 40)}"


def file_name_of(task_id: str) -> str:
    """Return the id as part of a file name: whatever else an upstream may put into it is left out."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", task_id)[:64]


def _next_step(task_id: str, status: Status, *, images: bool) -> str:
    name = quoted(task_id, 80)
    if status == "failed":
        return "This try-on is final. Mend what status_message names before you call create_try_on again."
    if status != "succeed":
        return f"Not finished. Call get_try_on with task_id {name} and wait_seconds 30; do not create it again."
    if images:
        return f"Finished. Give the user the link whole; view_try_on with task_id {name} shows the picture."
    return f"Kling finished without a picture. Call get_try_on with task_id {name} once more in a minute."


def why_no_picture(try_on: TryOn, index: int) -> str:
    """Say why there is no picture with this index, and what to do."""
    name = quoted(try_on.task_id, 80)
    if try_on.status == "failed":
        return f"Try-on {name} failed, so there is no picture: {quoted(try_on.status_message or 'no reason given')}."
    if try_on.status != "succeed":
        return f"Try-on {name} is not finished ({try_on.status}). {try_on.next_step}"
    if not try_on.images:
        return f"Try-on {name} has no picture. {try_on.next_step}"
    known = ", ".join(str(image.index) for image in try_on.images)
    return f"Try-on {name} has no picture with index {index}; it has {known}."
