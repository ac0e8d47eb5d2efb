"""How this Kling behaves all the time: its pace, its limits, and where the real one is not documented."""

import base64
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, ConfigDict, Field

from kolors_mcp.sandbox.numbers import Code, Count, Seconds

ExternalIds = Literal["refuse", "return_first", "make_second", "unknown", "ignore"]


def _checked_secret(value: str) -> str:
    base64.b64decode(value.removeprefix("whsec_"), validate=True)
    return value


@dataclass
class Rules:
    """The standing behaviour. Every field may be changed while the sandbox runs; the next request sees it.

    The ranges hold for what comes over HTTP.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    submitted_seconds: Seconds = 1.0
    """How long a new task is `submitted`."""
    finished_seconds: Seconds = 5.0
    """When a task is finished, counted from its creation; `processing` before."""
    speed: Annotated[float, Field(ge=1e-6, le=1e9, allow_inf_nan=False)] = 1.0
    """Divides both times: 10 is ten times as fast."""

    unknown_fields: Literal["refuse", "ignore"] = "refuse"
    """The real Kling ignores `model` in place of `model_name` in silence; a strict one shows the mistake."""

    external_ids: ExternalIds = "refuse"
    """What a create does with `external_task_id`. On a repeat: `refuse` it (1201), `return_first` answers with the
    first task, `make_second` makes another. `unknown` refuses the field itself; `ignore` drops it in silence."""
    shows_external_ids: bool = True
    """Whether answers carry `task_info.external_task_id`."""
    task_ids_as_numbers: bool = False
    """Whether task ids arrive as JSON numbers."""

    list_lag_seconds: Seconds = 0.0
    """How old a task must be before the list shows it."""
    list_shows_external_ids: bool = True
    """Whether the list carries `task_info.external_task_id`, where answers do at all."""
    not_found_reads: Count = 0
    """The first reads of a new task that say, falsely, that it failed with "task not found"."""
    unknown_task_code: Code | None = 1203
    """The code for an id that does not exist; None answers code 0 with a `failed` task, as has been seen."""

    slots: Count | None = None
    """Most tasks of one account that may run at once; 1303 beyond."""
    units: Count = 1000
    """Try-ons in each account's pack; 1102 when used up. A failed task costs nothing."""
    callback_secret: Annotated[str, AfterValidator(_checked_secret)] | None = None
    """Signs callbacks: `whsec_` and the base64 of the key."""
