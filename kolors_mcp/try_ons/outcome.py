"""What Kling's answer means to a caller: our `TryOn`, made of Kling's task and of what we wrote down beside it."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

from kolors_mcp.kling.task import Task
from kolors_mcp.models import ResultImage, Status, TryOn
from kolors_mcp.wording import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping


KEPT = timedelta(days=30)
"""How long Kling keeps a result (vendor)."""


@dataclass(frozen=True)
class Known:
    """What we know of a try-on and Kling does not tell."""

    reference: str | None = None
    model_name: str | None = None
    notes: tuple[str, ...] = ()
    saved: "Mapping[int, str]" = field(default_factory=dict[int, str])
    """Where the picture of an index was saved."""


def try_on_of(task: Task, known: Known, *, sandbox: bool, reused: bool = False) -> TryOn:
    """Make our answer of Kling's."""
    images = tuple(
        ResultImage(
            index=image.index,
            url=image.url,
            expires_at=task.updated_at + KEPT if task.updated_at else None,
            saved_to=known.saved.get(image.index),
            resource_uri=picture_uri(task.id, image.index),
        )
        for image in (task.images if task.status == "succeed" else ())
    )
    return TryOn(
        task_id=task.id,
        reference=known.reference or task.reference,
        status=task.status,
        status_message=task.message,
        created_at=task.created_at,
        updated_at=task.updated_at,
        model_name=known.model_name,
        images=images,
        reused=reused,
        notes=known.notes,
        sandbox=sandbox,
        next_step=next_step(task.id, task.status, images=bool(images)),
    )


def try_on_uri(task_id: str) -> str:
    """Return the address under which a try-on is known here, in Kling's id or our reference."""
    return f"tryon://{quote(task_id, safe='')}"


def picture_uri(task_id: str, index: int) -> str:
    """Return the address under which a finished picture is known here."""
    return f"{try_on_uri(task_id)}/images/{index}"


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


def next_step(task_id: str, status: Status, *, images: bool) -> str:
    """Say what to do with a try-on in this state."""
    name = quoted(task_id, 80)
    if status == "failed":
        return "This try-on is final. Mend what status_message names before you call create_try_on again."
    if status != "succeed":
        return f"Not finished. Call get_try_on with task_id {name} and wait_seconds 30; do not create it again."
    if images:
        return f"Finished. Give the user the link whole; view_try_on with task_id {name} shows the picture."
    return f"Kling finished without a picture. Call get_try_on with task_id {name} once more in a minute."
