"""What the environment says, read once, checked, and frozen. Nothing here touches the network."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from kolors_mcp.errors import NotConfiguredError
from kolors_mcp.folders import default_folders, pictures_folder
from kolors_mcp.models import Model
from kolors_mcp.variables import folder_of, read_count, read_secret, read_switch, read_value, split_origin
from kolors_mcp.wording import quoted

DEFAULT_API_BASE = "https://api-singapore.klingai.com"
"""Kling's origin for everywhere but China (vendor); `https://api-beijing.klingai.com` is China's."""

CHOSEN_NAME = "try-ons"
"""Folder, in the user's own for pictures, of those that the user asks to keep."""

_DEFAULT_FOLDERS = "default"
"""An entry of `KOLORS_IMAGE_DIRS` that stands for the folders that are read when nothing is set."""

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


SENT_SIDES = range(1024, 8001)
"""Pixels: a try-on is rendered at about the first, and decoders begin to refuse beyond the last."""
SentSide = int | Literal["original"]
"""Longest side of a picture that is sent, in pixels, or whatever it has."""


class Credentials(BaseModel):
    """Either a static API key, or the pair of keys that signs a JWT. The key wins where both are given."""

    model_config = ConfigDict(frozen=True)

    api_key: SecretStr | None = None
    access_key: SecretStr | None = None
    secret_key: SecretStr | None = None

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> "Credentials | None":
        """Read the three `KLING_*KEY` variables; none if neither kind is there.

        Raises:
            NotConfiguredError: Only one half of the pair is set, or a key has characters no header can carry.
        """
        api_key = read_secret(environment, "KLING_API_KEY")
        access_key = read_secret(environment, "KLING_ACCESS_KEY")
        secret_key = read_secret(environment, "KLING_SECRET_KEY")
        if api_key is not None:
            return cls(api_key=api_key)
        if access_key is None and secret_key is None:
            return None
        if access_key is None or secret_key is None:
            missing = "KLING_ACCESS_KEY" if access_key is None else "KLING_SECRET_KEY"
            raise NotConfiguredError(
                f"{missing} is not set, but its other half is. Set both KLING_ACCESS_KEY and KLING_SECRET_KEY, "
                "or KLING_API_KEY alone."
            )
        return cls(access_key=access_key, secret_key=secret_key)


class Settings(BaseModel):
    """Everything that can be set, with its default. See the README's table of variables."""

    model_config = ConfigDict(frozen=True)

    api_base: str = DEFAULT_API_BASE
    sandbox: bool = False
    model: Model | None = None
    image_dirs: tuple[Path, ...] = ()
    """A part that is `*` stands for any one name, as in `kolors_mcp.folders`."""
    allowed_hosts: frozenset[str] = frozenset()
    """What may be fetched although private or on another port, as `egress.allowed.read_entries` writes it."""
    fetch_proxy: Annotated[str | None, Field(repr=False)] = None
    """URL of the proxy for pictures, or `env`; may hold a password."""
    sent_side: SentSide = 2048
    save_dir: Path | None = None
    """Where every finished picture is saved; none: nowhere."""
    chosen_dir: Path | None = None
    """Where a picture is saved that the user asks to keep, if there is no `save_dir`; none: nowhere."""
    photos_dir: Path | None = None
    """Where photos lie that the user keeps by name; none: they cannot be kept."""
    ledger: Annotated[str | None, Field(repr=False)] = None
    """May hold a password."""
    daily_limit: Annotated[int | None, Field(ge=1)] = None
    log_level: LogLevel = "WARNING"

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> "Settings":
        """Read the variables. Blank counts as absent; values are trimmed.

        Raises:
            NotConfiguredError: A value that cannot be used; the text names the variable and what it takes.
        """
        model = read_value(environment, "KOLORS_MODEL")
        if model is not None and model not in get_args(Model):
            raise NotConfiguredError(f"KOLORS_MODEL is {quoted(model)}; it takes {' or '.join(get_args(Model))}.")
        level = (read_value(environment, "KOLORS_LOG_LEVEL") or "WARNING").upper()
        if level not in get_args(LogLevel):
            raise NotConfiguredError(f"KOLORS_LOG_LEVEL is {quoted(level)}; it takes {', '.join(get_args(LogLevel))}.")
        save_dir = read_value(environment, "KOLORS_SAVE_DIR")
        pictures = pictures_folder(environment)
        folders = read_value(environment, "KOLORS_IMAGE_DIRS")
        return cls.model_validate(
            {
                "api_base": _origin(read_value(environment, "KLING_API_BASE") or DEFAULT_API_BASE),
                "sandbox": read_switch(environment, "KOLORS_SANDBOX"),
                "model": model,
                "image_dirs": default_folders(environment) if folders is None else _folders(folders, environment),
                "allowed_hosts": _hosts(read_value(environment, "KOLORS_ALLOWED_HOSTS")),
                "fetch_proxy": _fetch_proxy(read_value(environment, "KOLORS_FETCH_PROXY")),
                "sent_side": _sent_side(read_value(environment, "KOLORS_SENT_SIDE") or "2048"),
                "save_dir": None if save_dir is None else folder_of(save_dir),
                "chosen_dir": None if pictures is None else pictures / CHOSEN_NAME,
                "ledger": read_value(environment, "KOLORS_LEDGER"),
                "daily_limit": read_count(environment, "KOLORS_DAILY_LIMIT"),
                "log_level": level,
            }
        )


def _sent_side(value: str) -> SentSide:
    if value.lower() == "original":
        return "original"
    if re.fullmatch(r"[0-9]{1,9}", value) and int(value) in SENT_SIDES:
        return int(value)
    raise NotConfiguredError(
        f"KOLORS_SENT_SIDE is {quoted(value)}; it takes a whole number of pixels from {SENT_SIDES.start} to "
        f"{SENT_SIDES.stop - 1}, or the word original."
    )


def _origin(value: str) -> str:
    parts = split_origin(value)
    if parts is None:
        raise NotConfiguredError(
            f"KLING_API_BASE is not an origin such as {DEFAULT_API_BASE}. Give scheme and host, without a path."
        )
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _folders(value: str, environment: Mapping[str, str]) -> tuple[Path, ...]:
    folders: list[Path] = []
    for part in filter(None, map(str.strip, value.split(os.pathsep))):
        if part.lower() == _DEFAULT_FOLDERS:
            folders += default_folders(environment)
        elif not os.path.isabs(os.path.expanduser(part)):  # noqa: PTH111, PTH117  (as `folder_of` reads it)
            # Hosts replace no variables: "$HOME/x" would be a folder below whichever one this process works in.
            raise NotConfiguredError(
                f"KOLORS_IMAGE_DIRS has the entry {quoted(part)}, which is no absolute path. Write it from the root, "
                f'or from ~; "{_DEFAULT_FOLDERS}" stands for the folders that are read when nothing is set.'
            )
        else:
            folders.append(folder_of(part))
    return tuple(dict.fromkeys(folders))


def _hosts(value: str | None) -> frozenset[str]:
    if value is None:
        return frozenset()
    from kolors_mcp.egress.allowed import read_entries  # noqa: PLC0415  (not at every start)

    try:
        return read_entries(value)
    except ValueError as error:
        raise NotConfiguredError(
            f"KOLORS_ALLOWED_HOSTS {error}. It takes hosts, host:port, *.host and address ranges such as "
            "198.18.0.0/15, separated by commas."
        ) from None


def _fetch_proxy(value: str | None) -> str | None:
    if value is None:
        return None
    from kolors_mcp.egress.proxies import ENVIRONMENT, FETCH_PROXY, read_proxy  # noqa: PLC0415  (not at every start)

    if value.lower() == ENVIRONMENT:
        return ENVIRONMENT
    read_proxy(value, FETCH_PROXY)
    return value
