"""Completes what a user begins to type: ids of known try-ons, and the few words that prompts take."""

from collections.abc import Sequence

from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, CompleteRequestParams, Completion, PromptReference

from kolors_mcp.server.prompts import GARMENT_NUMBERS, OCCASIONS, template_of
from kolors_mcp.server.service import Service
from kolors_mcp.try_ons.uris import PICTURE_TEMPLATE, TRY_ON_TEMPLATE
from kolors_mcp.wording import quoted

MAX_VALUES = 100
"""In one answer (the protocol's limit)."""
_WORDS: dict[str, Sequence[str]] = {"most": GARMENT_NUMBERS, "occasion": OCCASIONS}


async def complete(service: Service, params: CompleteRequestParams) -> Completion:
    """Return the values that begin as what was typed, the newest try-ons first.

    Raises:
        MCPError: There is no such prompt or template.
    """
    name, typed = params.argument.name, params.argument.value
    if isinstance(params.ref, PromptReference):
        if name not in template_of(params.ref.name).arguments:
            values = ()
        else:
            values = await _ids(service, finished=True) if name == "person" else _WORDS.get(name, ())
    elif params.ref.uri not in (TRY_ON_TEMPLATE, PICTURE_TEMPLATE):
        raise MCPError(
            INVALID_PARAMS,
            f"There is no template {quoted(params.ref.uri)}; there are {TRY_ON_TEMPLATE} and {PICTURE_TEMPLATE}.",
        )
    elif name == "task_id":
        values = await _ids(service, finished=params.ref.uri == PICTURE_TEMPLATE)
    else:
        # Kling makes one picture of each try-on.
        values = ("0",) if name == "index" and params.ref.uri == PICTURE_TEMPLATE else ()
    found = [value for value in values if value.startswith(typed)]
    return Completion(values=found[:MAX_VALUES], total=len(found), has_more=len(found) > MAX_VALUES)


async def _ids(service: Service, *, finished: bool) -> list[str]:
    try_ons = await (await service.try_ons()).recent(MAX_VALUES)
    return [try_on.task_id for try_on in try_ons if try_on.status == "succeed" or not finished]
