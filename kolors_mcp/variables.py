"""Reads one environment variable at a time: blank counts as absent, and a refusal names it and says what it takes."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

from kolors_mcp.errors import NotConfiguredError
from kolors_mcp.wording import quoted


def read_value(environment: Mapping[str, str], name: str) -> str | None:
    """Return a variable without blanks around it; None if nothing is left."""
    return environment.get(name, "").strip() or None


def read_secret(environment: Mapping[str, str], name: str) -> SecretStr | None:
    """Return a key or a password.

    Raises:
        NotConfiguredError: It has a character that no header can carry. The value itself is never shown.
    """
    value = read_value(environment, name)
    if value is None:
        return None
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise NotConfiguredError(f"{name} has a blank or a character inside that no key has: copy it again.")
    return SecretStr(value)


def read_switch(environment: Mapping[str, str], name: str) -> bool:
    """Return whether something is switched on; it is off if nothing is said.

    Raises:
        NotConfiguredError: Neither yes nor no.
    """
    value = read_value(environment, name)
    if value is None or value.lower() in ("0", "false", "no", "off"):
        return False
    if value.lower() in ("1", "true", "yes", "on"):
        return True
    raise NotConfiguredError(f"{name} is {quoted(value)}; it takes 1 or 0.")


def read_count(environment: Mapping[str, str], name: str) -> int | None:
    """Return how many, 1 and more.

    Raises:
        NotConfiguredError: No number is written so.
    """
    value = read_value(environment, name)
    if value is None:
        return None
    if not re.fullmatch(r"0*[1-9][0-9]{0,8}", value):
        raise NotConfiguredError(f"{name} is {quoted(value)}; it takes a whole number above 0.")
    return int(value)


def split_origin(value: str) -> SplitResult | None:
    """Return the parts of a web address that has a scheme, a host and perhaps a port, and nothing else; else None."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return None
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.username is not None
        or not re.fullmatch(r"[\w.:\[\]-]+", parts.netloc)
        or parts.path not in ("", "/")
        or parts.query
        or parts.fragment
        or port == 0
    ):
        return None
    return parts


def folder_of(value: str) -> Path:
    """Return a folder as people write it; no link is followed yet."""
    return Path(os.path.abspath(os.path.expanduser(value)))  # noqa: PTH100, PTH111  (see above)
