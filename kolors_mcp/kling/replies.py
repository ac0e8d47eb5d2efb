"""What an answer of Kling's says: one task, rows of tasks, packs of units, or nothing that can be read."""

from pydantic import ValidationError

from kolors_mcp import errors
from kolors_mcp.kling.exchange import Reply
from kolors_mcp.kling.wire import MOST_PACKS, PACKS, TASK, KlingTask, ResourcePack, tasks_of
from kolors_mcp.models import REFERENCE_PREFIX

_TRY_LATER = "Try again in a minute."


def _without_data() -> errors.UnexpectedAnswerError:
    return errors.UnexpectedAnswerError("Kling answered success without readable data", _TRY_LATER)


def task(reply: Reply) -> KlingTask:
    """Read the task of an answer.

    Raises:
        UnexpectedAnswerError: There is none that can be read.
    """
    try:
        return TASK.validate_python(reply.envelope.data)
    except ValidationError:
        # Pydantic's own text would show the data.
        raise _without_data() from None


def task_asked_for(reply: Reply, task_id: str) -> KlingTask:
    """Read one task, which has to be the one that was asked for, by Kling's id or by ours.

    An answer to our reference need not repeat it: one copy of the vendor's page leaves `task_info` out.

    Raises:
        UnexpectedAnswerError: It is another one, or none that can be read.
    """
    read = task(reply)
    silent = read.reference is None and task_id.startswith(REFERENCE_PREFIX)
    if task_id not in (read.task_id, read.reference) and not silent:
        raise errors.UnexpectedAnswerError("Kling answered about another try-on than was asked for", _TRY_LATER)
    return read


def tasks(reply: Reply, most: int) -> list[KlingTask]:
    """Read the rows of a list, as many as were asked for.

    Raises:
        UnexpectedAnswerError: There is no list that can be read.
    """
    rows = tasks_of(reply.envelope.data, most)
    if rows is None:
        raise _without_data()
    return rows


def packs(reply: Reply) -> list[ResourcePack]:
    """Read the packs of units.

    Raises:
        UnexpectedAnswerError: There are none that can be read.
    """
    data = reply.envelope.data
    try:
        return PACKS.validate_python(data["resource_pack_subscribe_infos"][:MOST_PACKS])
    except (TypeError, LookupError, ValidationError):
        raise _without_data() from None


def unknown_task(task_id: str, code: int | None) -> errors.TaskNotFoundError:
    """Return what is said of an id that Kling does not know."""
    return errors.TaskNotFoundError(
        f"Kling knows no try-on {errors.quoted(task_id, 80)}",
        "If it was created a moment ago, call get_try_on again in some seconds. Otherwise check the id with "
        "list_try_ons: ids belong to one account and region, and results are kept for 30 days.",
        code=code,
    )


def says_not_found(task: KlingTask) -> bool:
    """Whether a task that was read is none."""
    # Seen right after a good create: HTTP 200, code 0, "failed". It proves nothing, least of all a failure.
    return task.task_status == "failed" and "not found" in (task.task_status_msg or "").lower() and not task.images
