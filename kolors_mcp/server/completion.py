"""Completes what a user begins to type: ids of known try-ons, also by their labels, and the words that prompts take."""

from collections.abc import Sequence

from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, CompleteRequestParams, Completion, PromptReference

from kolors_mcp.models import MAX_LABEL_CHARACTERS
from kolors_mcp.server.prompts import GARMENT_NUMBERS, OCCASIONS, template_of
from kolors_mcp.server.service import Service
from kolors_mcp.try_ons.uris import PICTURE_TEMPLATE, TRY_ON_TEMPLATE
from kolors_mcp.wording import folded, quoted

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
        is_known = name in template_of(params.ref.name).arguments
        if is_known and name == "person":
            values = await _ids(service, typed, finished=True)
        else:
            values = _begun(_WORDS.get(name, ()) if is_known else (), typed)
    elif params.ref.uri not in (TRY_ON_TEMPLATE, PICTURE_TEMPLATE):
        raise MCPError(
            INVALID_PARAMS,
            f"There is no template {quoted(params.ref.uri)}; there are {TRY_ON_TEMPLATE} and {PICTURE_TEMPLATE}.",
        )
    elif name == "task_id":
        values = await _ids(service, typed, finished=params.ref.uri == PICTURE_TEMPLATE)
    else:
        # Kling makes one picture of each try-on.
        values = _begun(("0",), typed) if name == "index" and params.ref.uri == PICTURE_TEMPLATE else ()
    return Completion(values=list(values[:MAX_VALUES]), total=len(values), has_more=len(values) > MAX_VALUES)


def _begun(words: Sequence[str], typed: str) -> Sequence[str]:
    return [word for word in words if word.startswith(typed)]


async def _ids(service: Service, typed: str, *, finished: bool) -> Sequence[str]:
    """Return the ids of the latest try-ons that begin as what was typed, or whose labels do, whatever their case."""
    try_ons = await (await service.try_ons()).recent(MAX_VALUES)
    label = folded(typed[:MAX_LABEL_CHARACTERS])
    return [
        try_on.task_id
        for try_on in try_ons
        if (try_on.status == "succeed" or not finished)
        and (try_on.task_id.startswith(typed) or folded(try_on.label or "").startswith(label))
    ]
