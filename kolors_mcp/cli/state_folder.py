"""Where the ledger lies unless KOLORS_LEDGER says otherwise, and the kept photos: in the user's state folder."""

import sys
from collections.abc import Mapping
from pathlib import Path

from kolors_mcp.errors import LedgerError, NotConfiguredError

FILE_NAME = "ledger.sqlite3"
SHELF_FOLDER = "shelf"
"""Folder beside the ledger of pictures that a service keeps for its users."""
PHOTOS_FOLDER = "photos"
"""Folder in it of the photos that the user keeps by name."""


def default_url(environment: Mapping[str, str], platform: str = sys.platform) -> str:
    """Return the `sqlite:///` URL of the user's own ledger. Nothing is looked up on the disk.

    Raises:
        LedgerError: The environment does not say where the user's files are.
    """
    return f"sqlite:///{state_folder(environment, platform) / FILE_NAME}"


def folder_beside(ledger: str | None, environment: Mapping[str, str]) -> str:
    """Return the folder for pictures beside a ledger that is a file, else in the state folder.

    Raises:
        NotConfiguredError: The environment does not say where that is.
    """
    _, scheme, path = (ledger or "").partition("sqlite:///")
    try:
        return str((Path(path).expanduser().parent if scheme and path else state_folder(environment)) / SHELF_FOLDER)
    except LedgerError:
        raise NotConfiguredError(
            "There is no place for pictures: this process has no home. Set KOLORS_SHELF to a folder, or to s3://, "
            "gs:// or az://."
        ) from None


def state_folder(environment: Mapping[str, str], platform: str = sys.platform) -> Path:
    """Return the folder for what a program remembers, by the platform's own custom.

    Windows: `%LOCALAPPDATA%`. macOS: `~/Library/Application Support`. Elsewhere the XDG base directories:
    `XDG_STATE_HOME`, which counts only if it is absolute, or `~/.local/state`.

    Raises:
        LedgerError: The environment does not say where the user's files are.
    """
    if platform == "win32":
        if local := environment.get("LOCALAPPDATA"):
            return Path(local) / "kolors-mcp"
        return _home(environment, "USERPROFILE") / "AppData" / "Local" / "kolors-mcp"
    if platform == "darwin":
        return _home(environment, "HOME") / "Library" / "Application Support" / "kolors-mcp"
    state = environment.get("XDG_STATE_HOME", "")
    if Path(state).is_absolute():
        return Path(state) / "kolors-mcp"
    return _home(environment, "HOME") / ".local" / "state" / "kolors-mcp"


def _home(environment: Mapping[str, str], variable: str) -> Path:
    home = environment.get(variable)
    if not home:
        raise LedgerError(
            f"The ledger has no place: {variable} is not set. Set KOLORS_LEDGER to sqlite:///PATH or postgresql://..."
        )
    return Path(home)
