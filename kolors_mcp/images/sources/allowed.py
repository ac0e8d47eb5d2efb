"""Which paths lie in an allowed folder, decided on plain strings and before any link is followed."""
# pathlib hides where links are followed.
# ruff: noqa: PTH100, PTH112, PTH118, PTH206

import os
from collections.abc import Sequence
from pathlib import Path

from kolors_mcp.folders import ANY_NAME

_NEVER = ("/proc", "/sys", "/dev")
"""Where names stand for the system and not for files; below them only an allowed folder that lies there itself."""


class Allowed:
    """The folders that may be read, as they were given and where they really are: one may itself be a link.

    Args:
        folders: Absolute; a part that is `*` stands for any one name that is not hidden.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.real = tuple(dict.fromkeys(os.path.realpath(folder) for folder in folders))
        self.plain = tuple(root for root in self.real if ANY_NAME not in root.split(os.sep))
        """Those from which a relative path may be taken."""
        self._given = tuple(dict.fromkeys((*self.real, *(os.path.abspath(folder) for folder in folders))))

    def root_of(self, path: str) -> str | None:
        """Return the allowed folder that `path` is written as lying in, with no hidden part between; None: in none."""
        return _root_of(path, self._given)

    def has(self, location: str) -> bool:
        """Whether a place whose links have been followed lies in an allowed folder."""
        return _root_of(location, self.real) is not None

    def may_list(self, folder: str) -> bool:
        """Whether the names in a folder may be known."""
        anything = os.path.join(folder, "x")
        return self.root_of(anything) is not None and self.has(os.path.join(os.path.realpath(folder), "x"))

    def has_hidden_part(self, path: str) -> bool:
        """Whether `path` lies in no allowed folder only because a part of it begins with a dot."""
        parts = [part.lstrip(".") or "x" if part.startswith(".") else part for part in path.split(os.sep)]
        return self.root_of(path) is None and self.root_of(os.sep.join(parts)) is not None

    def shown(self, most: int = 8) -> list[str]:
        """Return the folders that are there, as people are told of them."""
        return [root for root in self.plain if os.path.isdir(root)][:most] or list(self.real[:most])


def _root_of(path: str, roots: Sequence[str]) -> str | None:
    return next((found for root in roots if (found := _root_above(path, root)) is not None), None)


def _root_above(path: str, root: str) -> str | None:
    """Return `root`, its `*` filled in, if `path` lies below it with no hidden part between."""
    parts, wanted = (_parts(os.path.normcase(one)) for one in (path, root))
    above, below = parts[: len(wanted)], parts[len(wanted) :]
    if not below or any(part.startswith(".") for part in below):
        return None
    if any(
        part != name and (name != ANY_NAME or not part or part.startswith("."))
        for part, name in zip(above, wanted, strict=True)
    ):
        return None
    special = any(path == never or path.startswith(never + "/") for never in _NEVER)
    if special and not any(root.startswith(never + "/") for never in _NEVER[2:]):
        return None
    return os.sep.join(_parts(path)[: len(wanted)]) or os.sep


def _parts(path: str) -> list[str]:
    """Return the components of an absolute path; the root alone has one, which is empty."""
    return path.replace(os.altsep or os.sep, os.sep).rstrip(os.sep).split(os.sep)
