"""What a caller is told: our `TryOn`, made of what Kling says, of what is written down, and of what to do next."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kolors_mcp.jobs.jobs import Sighting
from kolors_mcp.kling.task import status_of
from kolors_mcp.ledger.job import Job
from kolors_mcp.models import ResultImage, Status, TryOn
from kolors_mcp.try_ons.uris import picture_uri
from kolors_mcp.wording import quoted

RESULTS_KEPT = timedelta(days=30)
"""How long Kling keeps a result (vendor)."""


def try_on_of(seen: Sighting, *, sandbox: bool, reused: bool = False) -> TryOn:
    """Make our answer of Kling's task and of what we know beside it."""
    task, job = seen.task, seen.job
    saved: Mapping[int, str] = {} if job is None else job.saved
    images = tuple(
        ResultImage(
            index=image.index,
            url=image.url,
            expires_at=task.updated_at + RESULTS_KEPT if task.updated_at else None,
            saved_to=saved.get(image.index),
            resource_uri=picture_uri(task.id, image.index),
        )
        for image in (task.images if task.status == "succeed" else ())
    )
    return TryOn(
        task_id=task.id,
        reference=task.reference if job is None else job.reference,
        status=task.status,
        status_message=task.message if seen.hindrance is None else seen.hindrance,
        created_at=task.created_at,
        updated_at=task.updated_at,
        model_name=None if job is None else job.model_name,
        images=images,
        reused=reused,
        notes=() if job is None else job.notes,
        sandbox=sandbox,
        next_step=next_step(task.id, task.status, images=bool(images)),
    )


def recent_of(job: Job, *, sandbox: bool) -> TryOn | None:
    """Return what is known of a create without asking Kling; None if it is not known to have become a task."""
    if job.task_id is None:
        return None
    images = copies_of(job)
    status, odd = status_of("succeed" if images else job.status)
    return TryOn(
        task_id=job.task_id,
        reference=job.reference,
        status=status,
        status_message=odd,
        created_at=datetime.fromtimestamp(job.created_at, UTC),
        updated_at=datetime.fromtimestamp(job.updated_at, UTC),
        model_name=job.model_name,
        images=images,
        notes=job.notes,
        sandbox=sandbox,
        next_step=next_step(job.task_id, status, images=bool(images)),
    )


def copies_of(job: Job | None) -> tuple[ResultImage, ...]:
    """Return the pictures of a try-on that were saved, with the address of the copy for a link."""
    if job is None or job.task_id is None:
        return ()
    return tuple(
        ResultImage(
            index=index,
            url=Path(path).absolute().as_uri(),
            saved_to=path,
            resource_uri=picture_uri(job.task_id, index),
        )
        for index, path in sorted(job.saved.items())
    )


def numbered(images: Sequence[ResultImage], index: int) -> ResultImage | None:
    """Return the picture with this index; if there is none, the first for 0, should Kling count from another number."""
    exact = next((image for image in images if image.index == index), None)
    return images[0] if exact is None and index == 0 and images else exact


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
