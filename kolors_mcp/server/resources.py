"""Try-ons as resources: which there are, what they are called, and what is read from them."""

import base64
import logging
from typing import TYPE_CHECKING

from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    Annotations,
    BlobResourceContents,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    TextResourceContents,
)
from pydantic_core import to_json

from kolors_mcp.errors import (
    ArgumentError,
    KolorsError,
    RequestRefusedError,
    ResultUnavailableError,
    TaskNotFoundError,
)
from kolors_mcp.models import TryOn
from kolors_mcp.server.service import Service
from kolors_mcp.try_ons.uris import (
    PICTURE_TEMPLATE,
    RECENT_URI,
    TRY_ON_TEMPLATE,
    Address,
    address_of,
    picture_uri,
    try_on_uri,
)
from kolors_mcp.wording import plain, quoted

if TYPE_CHECKING:
    from kolors_mcp.try_ons.try_ons import TryOns

logger = logging.getLogger(__name__)

JSON, JPEG = "application/json", "image/jpeg"

SHRUNK_KEY = "kolors-mcp/shrunk"
"""Stands in `_meta` of a picture that has fewer pixels than the one behind its link."""
MAX_RECENT = 20
"""Try-ons in `tryon://recent`."""
MAX_RESOURCES = 10
"""Try-ons in the list of resources, each with its picture."""
RUNNING_TTL_MS, FINISHED_TTL_MS, PICTURE_TTL_MS = 2_000, 3_600_000, 86_400_000
"""How long a host may keep what it read: as long as our own looks last, an hour, and a day, since pictures never change
and their links live 30 days."""

_FOR_BOTH = Annotations(audience=["user", "assistant"])
_NOT_FOUND = (TaskNotFoundError, ArgumentError, RequestRefusedError, ResultUnavailableError)


def list_templates() -> list[ResourceTemplate]:
    """Return how the address of a try-on and of its picture are made."""
    return [
        ResourceTemplate(
            uri_template=TRY_ON_TEMPLATE,
            name="try-on",
            title="A try-on",
            description="Status, links and notes of one try-on, as get_try_on gives them.",
            mime_type=JSON,
            annotations=_FOR_BOTH,
        ),
        ResourceTemplate(
            uri_template=PICTURE_TEMPLATE,
            name="try-on-picture",
            title="A finished picture",
            description="The picture as a JPEG of at most 700,000 bytes: shrunk if it is larger; its link has all.",
            mime_type=JPEG,
            annotations=_FOR_BOTH,
        ),
    ]


async def list_resources(service: Service) -> list[Resource]:
    """Return the resources that are there now. Nothing is opened for it: a host asks for it at its start."""
    found = [
        Resource(
            uri=RECENT_URI,
            name="recent-try-ons",
            title="Recent try-ons",
            description=f"The latest {MAX_RECENT} try-ons that were made here, with status, links and expiry dates.",
            mime_type=JSON,
            annotations=_FOR_BOTH,
        )
    ]
    if service.is_open:
        try_ons = await service.try_ons()
        for try_on in await try_ons.recent(MAX_RESOURCES):
            found += _resources_of(try_on, try_ons)
    return found


async def read_resource(service: Service, uri: str) -> ReadResourceResult:
    """Read a resource, with a hint how long it stays as it is.

    Raises:
        MCPError: There is no such resource, it has nothing to read yet, or it cannot be had now.
    """
    address = address_of(uri)
    shown = plain(uri)
    if address is None:
        raise MCPError(
            INVALID_PARAMS,
            f"There is no resource {quoted(uri)}; there are {RECENT_URI}, {TRY_ON_TEMPLATE} and {PICTURE_TEMPLATE}.",
            {"uri": shown},
        )
    try:
        return await _read(await service.try_ons(), address, uri)
    except KolorsError as error:
        raise MCPError(
            INVALID_PARAMS if isinstance(error, _NOT_FOUND) else INTERNAL_ERROR, str(error), {"uri": shown}
        ) from error
    except Exception as error:
        logger.exception("reading a resource failed unexpectedly")
        raise MCPError(
            INTERNAL_ERROR,
            f"Reading failed inside this server ({type(error).__name__}); its log has the details.",
            {"uri": shown},
        ) from error


async def _read(try_ons: "TryOns", address: Address, uri: str) -> ReadResourceResult:
    if address.task_id is None:
        rows = [try_on.model_dump(mode="json") for try_on in await try_ons.refreshed(MAX_RECENT)]
        return _text(uri, to_json({"try_ons": rows}).decode(), RUNNING_TTL_MS)
    if address.index is None:
        try_on = await try_ons.look(address.task_id)
        return _text(uri, try_on.model_dump_json(), FINISHED_TTL_MS if try_on.finished else RUNNING_TTL_MS)
    jpeg, shrunk = await try_ons.picture(address.task_id, address.index)
    contents = BlobResourceContents(
        uri=uri, mime_type=JPEG, blob=base64.b64encode(jpeg).decode(), _meta={SHRUNK_KEY: True} if shrunk else None
    )
    return ReadResourceResult(contents=[contents], ttl_ms=PICTURE_TTL_MS, cache_scope="private")


def _text(uri: str, text: str, ttl_ms: int) -> ReadResourceResult:
    contents = TextResourceContents(uri=uri, mime_type=JSON, text=text)
    return ReadResourceResult(contents=[contents], ttl_ms=ttl_ms, cache_scope="private")


def _resources_of(try_on: TryOn, try_ons: "TryOns") -> list[Resource]:
    changed = f"{try_on.updated_at:%Y-%m-%dT%H:%M:%SZ}" if try_on.updated_at else None
    annotations = Annotations(audience=["user", "assistant"], last_modified=changed)
    called = f"Try-on {try_on.task_id}" + (f" ({quoted(try_on.label, 80)})" if try_on.label else "")
    found = [
        Resource(
            uri=try_on_uri(try_on.task_id),
            name=f"try-on-{try_on.task_id}",
            title=f"{called}: {try_on.status}",
            mime_type=JSON,
            annotations=annotations,
        )
    ]
    if try_on.status == "succeed":
        # Kling makes one picture of each try-on.
        found += [
            Resource(
                uri=picture_uri(try_on.task_id, index),
                name=f"try-on-{try_on.task_id}-{index}.jpg",
                title=f"Picture {index} of {called[0].lower()}{called[1:]}",
                mime_type=JPEG,
                size=try_ons.size_of(try_on.task_id, index),
                annotations=annotations,
            )
            for index in [image.index for image in try_on.images] or [0]
        ]
    return found
