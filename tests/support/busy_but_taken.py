"""A Kling that takes a create although it says that the account is busy, and shows it in its list a little later."""

from dataclasses import replace
from typing import Any

from kolors_mcp.sandbox import faults
from tests.support.wishing import World

TAKEN = faults.Refuse(1303, accepted=True)
LAG_SECONDS = 3.0
BY_REFERENCE_NEVER = 10**9


def shown_in_list_only(world: World, *, lag: float = 0.0, external_ids: Any = "refuse") -> None:
    world.kling.rules = replace(
        world.kling.rules, not_found_reads=BY_REFERENCE_NEVER, list_lag_seconds=lag, external_ids=external_ids
    )


def the_task(world: World) -> tuple[str, str]:
    """The id and the reference of the only task that was made."""
    [task] = world.kling.tasks.all
    return task.id, task.request.external_task_id or ""
