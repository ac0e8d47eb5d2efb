"""What Kling's answer means to a caller: our `TryOn`, made of Kling's task and of what we wrote down beside it."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, cast, get_args
from urllib.parse import quote

from kolors_mcp.models import ResultImage, Status, TryOn
from kolors_mcp.wording import plain, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kolors_mcp.kling.wire import KlingTask

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


def try_on_of(task: "KlingTask", known: Known, *, sandbox: bool, reused: bool = False) -> TryOn:
    """Make our answer of Kling's; nothing of theirs goes through unchecked."""
    status, odd = status_of(task.task_status)
    images: list[ResultImage] = []
    for number, image in enumerate(task.images if status == "succeed" else ()):
        index = number if image.index is None else image.index
        images.append(
            ResultImage(
                index=index,
                url=image.url,
                expires_at=task.updated_at + KEPT if task.updated_at else None,
                saved_to=known.saved.get(index),
                resource_uri=picture_uri(task.task_id, index),
            )
        )
    return TryOn(
        task_id=task.task_id,
        reference=known.reference or task.reference,
        status=status,
        status_message=odd or (plain(task.task_status_msg) if task.task_status_msg else None),
        created_at=task.created_at,
        updated_at=task.updated_at,
        model_name=known.model_name,
        images=tuple(images),
        reused=reused,
        notes=known.notes,
        sandbox=sandbox,
        next_step=next_step(task.task_id, status, images=bool(images)),
    )


def status_of(word: str | None) -> tuple[Status, str | None]:
    """Return the status that Kling's word means, and what is odd about the word if anything is."""
    if word == "succeeded":  # newer pages of the vendor's
        return "succeed", None
    if word in get_args(Status):
        return cast("Status", word), None
    if word is None:
        return "submitted", None
    # Neither finished nor failed as far as anyone can tell: waiting goes on, and the word is shown.
    return "processing", f"Kling reports a status this version does not know: {quoted(word, 40)}"


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
