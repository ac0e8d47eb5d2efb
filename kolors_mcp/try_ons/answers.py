"""What a caller is told: our `TryOn`, made of what Kling says, of what is written down, and of what to do next."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from kolors_mcp.jobs.jobs import Sighting
from kolors_mcp.kling.task import Task, status_of
from kolors_mcp.ledger.job import Job
from kolors_mcp.models import RESULT_LIFETIME, ResultImage, TryOn
from kolors_mcp.try_ons.copied import files_of, shelved_of
from kolors_mcp.try_ons.uris import picture_uri
from kolors_mcp.wording import plain, quoted

_STANDING = {"waiting": "in line", "unconfirmed": "in doubt: Kling did not confirm its start; get_try_on looks for it"}
"""How a create stands that has no task yet, by its state."""


class Answers:
    """Writes answers: all of them as of now, and none that promises what a simulated Kling does not keep."""

    def __init__(
        self, wall: Callable[[], float], *, sandbox: bool, is_local: bool = True, on_shelf: bool = False
    ) -> None:
        """Take what answers depend on.

        Args:
            wall: The clock, in seconds since 1970.
            sandbox: Whether a simulated Kling answers.
            is_local: Whether copies on this machine may be told of, and kept.
            on_shelf: Whether copies lie on the shelf of a service, where they are known by their addresses here.
        """
        self._wall = wall
        self._sandbox = sandbox
        self._is_local = is_local
        self._on_shelf = on_shelf

    def of_task(
        self, seen: Sighting, *, reused: bool = False, notes: tuple[str, ...] | None = None, next_step: bool = True
    ) -> TryOn:
        """Return the answer about what was just seen.

        Args:
            seen: Kling's task, and what is written about it.
            reused: Whether this call was answered with an earlier create.
            notes: What was done to the pictures of this call; left out, to those of the create.
            next_step: False for a row of a list, which says neither notes nor what to do.
        """
        task, job = seen.task, seen.job
        if notes is None:
            notes = () if job is None else job.notes
        try_on = TryOn(
            task_id=task.id,
            reference=task.reference if job is None else job.reference,
            label=None if job is None else job.label,
            status=task.status,
            status_message=task.message if seen.hindrance is None else seen.hindrance,
            created_at=_to_the_second(task.created_at),
            updated_at=_to_the_second(task.updated_at),
            model_name=None if job is None else job.model_name,
            images=self._images_of(task, job),
            reused=reused,
            notes=notes if next_step else (),
            sandbox=self._sandbox,
        )
        return self.with_next_step(try_on, units_of(seen)) if next_step else try_on

    def of_job(self, job: Job, hindrance: str | None = None) -> TryOn | None:
        """Return what is written about a create, where Kling is not asked; None if it has not become a task.

        Args:
            job: The create.
            hindrance: Why Kling could not be asked, if it was to be.
        """
        if job.task_id is None:
            return None
        images = self.copies_of(job)
        status, odd = status_of("succeed" if images else job.status)
        message = odd if hindrance is None else hindrance
        try_on = TryOn(
            task_id=job.task_id,
            reference=job.reference,
            label=job.label,
            status=status,
            status_message=message,
            created_at=_to_the_second(datetime.fromtimestamp(job.created_at, UTC)),
            updated_at=_to_the_second(datetime.fromtimestamp(job.updated_at, UTC)),
            model_name=job.model_name,
            images=images,
            notes=job.notes,
            sandbox=self._sandbox,
        )
        if status == "succeed" and not images:
            step = f"Finished. Call get_try_on with task_id {quoted(job.task_id, 80)} for the link to the picture."
            return try_on.model_copy(update={"next_step": step})
        return self.with_next_step(try_on, job.units)

    def last_known(self, job: Job, error: str) -> TryOn | None:
        """Return what is written about a paid create while Kling cannot be asked, if that says what to do.

        A finished one whose picture is at Kling only is None: without its link it would look like an empty success.
        """
        known = self.of_job(job, plain(f"{error} This is the last known status; the try-on goes on at Kling.", 400))
        return None if known is None or (known.finished and not known.images) else known

    def of_any_job(self, job: Job, place: str | None = None) -> TryOn:
        """Return what is written about a create, also about one that has not become a task yet.

        Args:
            job: The create.
            place: Where it stands in line, in words, if that is known.
        """
        known = self.of_job(job)
        if known is not None:
            return known
        return TryOn(
            task_id=job.reference,
            reference=job.reference,
            label=job.label,
            status="submitted",
            status_message=place or _STANDING.get(job.state, "it is being sent"),
            created_at=_to_the_second(datetime.fromtimestamp(job.created_at, UTC)),
            model_name=job.model_name,
            sandbox=self._sandbox,
        )

    def with_next_step(self, try_on: TryOn, units: float | None = None) -> TryOn:
        """Return a try-on that says what to do with it as it stands; `units` is what it cost, if Kling has said so."""
        step = _next_step(try_on, units, may_save=self._is_local)
        return try_on.model_copy(update={"next_step": step})

    def copies_of(self, job: Job | None) -> tuple[ResultImage, ...]:
        """Return the pictures of a try-on that were saved, with the address of the copy for a link."""
        if job is None or not (self._is_local or self._on_shelf):
            return ()
        return shelved_of(job) if self._on_shelf else files_of(job)

    def _images_of(self, task: Task, job: Job | None) -> tuple[ResultImage, ...]:
        if task.status != "succeed":
            return ()
        # Kling says both times; by the creation, some seconds before the result, a link is good a little shorter.
        since = task.updated_at or task.created_at
        expires_at = None if since is None else _to_the_second(since + RESULT_LIFETIME)
        expired = expires_at is not None and expires_at.timestamp() <= self._wall()
        return tuple(
            ResultImage(
                index=image.index,
                url=image.url,
                # The links of the sandbox end with its process, which may be in a minute.
                expires_at=None if self._sandbox else expires_at,
                expired=expired,
                saved_to=self._saved_to(job, task.id, image.index),
                resource_uri=picture_uri(task.id, image.index),
            )
            for image in task.images
        )

    def _saved_to(self, job: Job | None, task_id: str, index: int) -> str | None:
        saved = None if job is None else job.saved.get(index)
        if saved is not None and self._on_shelf:
            return picture_uri(task_id, index)
        return saved if self._is_local else None


def units_of(seen: Sighting) -> float | None:
    """Return what a try-on cost, if Kling has said so, now or before."""
    known = None if seen.job is None else seen.job.units
    return known if seen.task.units is None else seen.task.units


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


def _next_step(try_on: TryOn, units: float | None, *, may_save: bool) -> str:
    name = quoted(try_on.task_id, 80)
    if try_on.status == "failed":
        return (
            f"This try-on failed for good; {_cost_of_failed(try_on, units)}. {_remedy(try_on.status_message or '')} "
            "before you call create_try_on again, which makes a new one."
        )
    if try_on.status != "succeed":
        is_task = try_on.task_id != try_on.reference
        how = (
            "Not finished; it goes on at Kling"
            if is_task
            else "Kling has not named a task for it yet; it goes on by itself"
        )
        return f"{how}. Call get_try_on with task_id {name} and wait_seconds 30; do not create it again."
    if not try_on.images:
        return f"Kling finished without a picture. Call get_try_on with task_id {name} once more in a minute."
    if not any(image.expired for image in try_on.images):
        kept = " It ends with this server's process, since it is simulated." if try_on.sandbox else ""
        keeping = "" if any(image.saved_to for image in try_on.images) or not may_save else ", save_try_on keeps it"
        shown = f"view_try_on with task_id {name} shows the picture{keeping}."
        return f"Finished. Give the user the link whole; {shown}{kept}{_cost_of_finished(try_on, units)}"
    if any(image.saved_to for image in try_on.images):
        return (
            f"Its link has expired: do not give it on. Give the saved copy; view_try_on with task_id {name} shows it."
        )
    return (
        "Its link has expired and no copy was saved here: do not give it on. Only a new create_try_on makes the "
        "picture again, and costs again."
    )


def _remedy(message: str) -> str:
    """Say what to change where Kling's own words do not."""
    if "risk control" in message.lower():
        return "Kling's content check let the pictures or the result not pass: use other pictures"
    return "Change what status_message names"


def _cost_of_failed(try_on: TryOn, units: float | None) -> str:
    if try_on.sandbox:
        return "nothing was billed, since it is simulated"
    if units is None:
        return "as others report, Kling charges nothing for it"
    return f"Kling says that it cost {_units(units)}"


def _cost_of_finished(try_on: TryOn, units: float | None) -> str:
    if units is None:
        return ""
    return f" Kling {'would say' if try_on.sandbox else 'says'} that it cost {_units(units)}."


def _units(units: float) -> str:
    return f"{units:g} unit{'' if units == 1 else 's'}" if units else "nothing"


def _to_the_second(moment: datetime | None) -> datetime | None:
    """Return a moment as both parts of an answer say it."""
    return None if moment is None else moment.replace(microsecond=0)
