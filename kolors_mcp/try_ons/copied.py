"""Copies of finished pictures, as answers show them: files of the user's own machine, or what a service's shelf has."""

from datetime import UTC, datetime
from pathlib import Path

from kolors_mcp.jobs.copies import LINK_SECONDS
from kolors_mcp.ledger.job import Job
from kolors_mcp.models import ResultImage
from kolors_mcp.try_ons.uris import picture_uri


def files_of(job: Job) -> tuple[ResultImage, ...]:
    """Return the pictures that were saved on the user's own machine, with the file's address for a link."""
    return tuple(
        ResultImage(
            index=index,
            url=Path(path).absolute().as_uri(),
            saved_to=path,
            resource_uri=picture_uri(job.task_id or job.reference, index),
        )
        for index, path in sorted(job.saved.items())
    )


def shelved_of(job: Job) -> tuple[ResultImage, ...]:
    """Return the pictures that the shelf has, by their addresses here; a link is signed for whoever is shown one."""
    uris = {index: picture_uri(job.task_id or job.reference, index) for index in sorted(job.saved)}
    return tuple(
        ResultImage(index=index, url=uri, expired=True, saved_to=uri, resource_uri=uri) for index, uri in uris.items()
    )


def linked(image: ResultImage, link: str | None, now: float) -> ResultImage:
    """Return a picture with a link to its copy, if there is one, which also stands for Kling's where that has expired.

    Args:
        image: The picture.
        link: Just signed, to the copy.
        now: Seconds since 1970.
    """
    if link is None:
        return image
    changed: dict[str, object] = {"saved_to": link}
    if image.expired:
        until = datetime.fromtimestamp(now + LINK_SECONDS, UTC).replace(microsecond=0)
        changed |= {"url": link, "expired": False, "expires_at": until}
    return image.model_copy(update=changed)
