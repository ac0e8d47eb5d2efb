"""What the environment says of the service over HTTP, read once, checked, and frozen.

Nothing here touches the network or the disk.
"""

import base64
import binascii
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from kolors_mcp.egress.allowed import read_host
from kolors_mcp.errors import NotConfiguredError
from kolors_mcp.variables import folder_of, read_count, read_secret, read_value, split_origin

DAILY_LIMIT = 50
"""Most paid creates of a user and day, unless `KOLORS_DAILY_LIMIT` says otherwise."""
SHELF_SCHEMES = ("s3", "gs", "az")
"""Object stores, as `KOLORS_SHELF` names them."""
_KEEP_RESULTS = "?results=keep"
"""Behind the place of the shelf: that copies of finished pictures are kept there."""
_SECRET_PREFIX = "whsec_"  # noqa: S105  (how the vendor's secrets begin)
_USUAL_PORTS = {"http": 80, "https": 443}


class ServiceSettings(BaseModel):
    """Everything that can be set of the service over HTTP, with its default. `Settings` has what both ways share."""

    model_config = ConfigDict(frozen=True)

    public_url: str | None = None
    """Origin under which the world reaches the service, as browsers write it: `https://try-on.shop.example`."""
    tokens: Path | None = None
    """File of static tokens."""
    issuer: str | None = None
    """Identifier of the authorization server whose tokens are taken; letter for letter as its tokens name it."""
    audience: str | None = None
    """What those tokens must be made for; none: the address of the MCP endpoint."""
    slots: Annotated[int, Field(ge=1)] = 5
    """Tasks that the Kling account runs at once."""
    calls_per_minute: Annotated[int, Field(ge=1)] = 1200
    """Most calls of a user, in this process."""
    max_waiting: Annotated[int, Field(ge=1)] = 100
    """Most wishes of a user that are in line."""
    max_wait_seconds: Annotated[int, Field(ge=1)] = 600
    """Longest estimated time in line that is accepted."""
    shelf: str | None = None
    """Absolute path of a folder, or URL of an object store, for waiting pictures and kept results; none: a folder
    beside the ledger."""
    keep_results: bool = False
    """Whether copies of finished pictures are kept on the shelf."""
    callback_secret: SecretStr | None = None
    """With which Kling signs its callbacks."""

    @property
    def authenticates(self) -> bool:
        """Whether callers have to show who they are."""
        return self.tokens is not None or self.issuer is not None

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> "ServiceSettings":
        """Read the variables. Blank counts as absent; values are trimmed.

        Raises:
            NotConfiguredError: A value that cannot be used; the text names the variable and what it takes.
        """
        tokens = read_value(environment, "KOLORS_TOKENS")
        shelf = read_value(environment, "KOLORS_SHELF")
        keep_results = shelf is not None and shelf.endswith(_KEEP_RESULTS)
        given = {
            "public_url": _public_url(read_value(environment, "KOLORS_PUBLIC_URL")),
            "tokens": None if tokens is None else folder_of(tokens),
            "issuer": _issuer(read_value(environment, "KOLORS_ISSUER")),
            "audience": read_value(environment, "KOLORS_AUDIENCE"),
            "slots": read_count(environment, "KOLORS_SLOTS"),
            "calls_per_minute": read_count(environment, "KOLORS_CALLS_PER_MINUTE"),
            "max_waiting": read_count(environment, "KOLORS_MAX_WAITING"),
            "max_wait_seconds": read_count(environment, "KOLORS_MAX_WAIT_SECONDS"),
            "shelf": _shelf(shelf.removesuffix(_KEEP_RESULTS) if keep_results and shelf is not None else shelf),
            "keep_results": keep_results,
            "callback_secret": _callback_secret(environment),
        }
        return cls.model_validate({name: value for name, value in given.items() if value is not None})


def is_loopback(host: str) -> bool:
    """Whether a host, as it stands in an address, can only be this machine."""
    host = host.strip("[]").lower()
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _public_url(value: str | None) -> str | None:
    if value is None:
        return None
    example = "https://try-on.shop.example"
    parts = split_origin(value)
    if parts is None:
        raise NotConfiguredError(
            f"KOLORS_PUBLIC_URL is not an address such as {example}. Give scheme and host, without a path."
        )
    try:
        host, port = read_host(parts.netloc)
    except ValueError as error:
        raise NotConfiguredError(
            f"KOLORS_PUBLIC_URL has a host that cannot be one: {error}. Give an address such as {example}."
        ) from None
    if parts.scheme == "http" and not is_loopback(host):
        raise NotConfiguredError(
            "KOLORS_PUBLIC_URL begins with http://, over which tokens and photos can be read on their way. Give an "
            "https:// address; http is taken for this machine's own addresses only."
        )
    written = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{written}" + ("" if port in (None, _USUAL_PORTS[parts.scheme]) else f":{port}")


def _issuer(value: str | None) -> str | None:
    if value is None:
        return None
    try:
        parts = urlsplit(value)
        usable = bool(parts.hostname) and parts.port != 0 and parts.username is None
    except ValueError:
        parts, usable = None, False
    if parts is None or not usable or parts.query or parts.fragment or not value.isascii() or " " in value:
        raise NotConfiguredError(
            "KOLORS_ISSUER is not an address such as https://login.shop.example/realms/shop. Give the issuer exactly "
            "as its tokens name it, without a query."
        )
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise NotConfiguredError(
            "KOLORS_ISSUER does not begin with https://. Give an https:// address; http is taken for this machine's "
            "own addresses only."
        )
    return value


def _shelf(value: str | None) -> str | None:
    if value is None or "://" not in value:
        return None if value is None else str(folder_of(value))
    scheme, _, rest = value.partition("://")
    if scheme.lower() not in SHELF_SCHEMES or not rest.strip("/") or "@" in rest or "?" in rest:
        raise NotConfiguredError(
            "KOLORS_SHELF takes a folder, or s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX; "
            "?results=keep behind it keeps copies of finished pictures there. Keys of the store stand in its own "
            "variables."
        )
    return f"{scheme.lower()}://{rest}"


def _callback_secret(environment: Mapping[str, str]) -> SecretStr | None:
    secret = read_secret(environment, "KOLORS_CALLBACK_SECRET")
    if secret is None:
        return None
    begins, _, encoded = secret.get_secret_value().partition(_SECRET_PREFIX)
    try:
        usable = not begins and bool(base64.b64decode(encoded, validate=True))
    except binascii.Error:
        usable = False
    if not usable:
        # The value itself is never shown.
        raise NotConfiguredError(
            f"KOLORS_CALLBACK_SECRET is not a webhook secret of Kling's, which is {_SECRET_PREFIX} with base64 behind "
            "it. Copy it again."
        )
    return secret
