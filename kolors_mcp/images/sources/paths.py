"""The paths that a written one may mean on this system: quoted as in a shell, with a variable, or as Windows has it."""

import os
import re
import shlex
from collections.abc import Iterator
from urllib.parse import unquote

from kolors_mcp.bounds import linear
from kolors_mcp.folders import is_wsl

MAX_PATH_CHARACTERS = 4096
"""Characters; no system opens longer paths, and following one takes a look at each of its folders."""

_DRIVE = re.compile(r"([A-Za-z]):[\\/]+(.*)", re.DOTALL)
_MOUNTED = re.compile(r"/(?:mnt/|cygdrive/)?([A-Za-z])/(.*)", re.DOTALL)
_INSIDE_WSL = re.compile(r"[\\/]{2}wsl(?:\$|\.localhost)[\\/]+[^\\/]+([\\/].*)", re.IGNORECASE | re.DOTALL)
_HOME = re.compile(
    r"(?:\$HOME|\$\{HOME\}|\$\{userHome\}|\$env:USERPROFILE|%USERPROFILE%|%HOME%)(?=[\\/])", re.IGNORECASE
)
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")


@linear(b"\\ ", b"'", b'"', b"\\", b"%41", b"@", b"$HOME/", b"C:\\", b"/c/", b"//wsl$/", b"a", b"'a'", b"#")
def readings(written: str) -> list[str]:
    """Return what `written` may mean as a path of this system, as it stands first; whether it is there is not asked."""
    found = [written]
    if len(written) > MAX_PATH_CHARACTERS:
        return found
    for reading in _readings(written, windows=os.name == "nt", wsl=is_wsl()):
        if reading and reading not in found:
            found.append(reading)
    return found


def _readings(written: str, *, windows: bool, wsl: bool) -> Iterator[str]:
    plain = written
    if plain[:1] == "@" and len(plain) > 1:  # as hosts write what is mentioned
        plain = plain[1:].strip("\"'")
        yield plain
    if _HOME.match(plain):
        plain = _HOME.sub("~", plain, count=1)
        yield plain
    there = translated(plain, windows=windows, wsl=wsl)
    if there is not None:
        yield there
    if not windows and any(mark in plain for mark in "\\'\""):
        # As a shell reads it; on Windows a backslash is no escape.
        yield _one_word(plain) or re.sub(r"\\(.)", r"\1", plain)
    if _ESCAPE.search(plain):
        yield unquote(plain)


def translated(written: str, *, windows: bool, wsl: bool) -> str | None:
    """Return a path as this system has it that was written as Windows or WSL has it; None if it is no such.

    Args:
        written: The path.
        windows: Whether this is Windows.
        wsl: Whether this is a Linux inside Windows, which has Windows' disks at `/mnt`.
    """
    if windows:
        mounted = _MOUNTED.match(written)
        return f"{mounted[1].upper()}:\\" + mounted[2].replace("/", "\\") if mounted else None
    if not wsl:
        return None
    inside, drive = _INSIDE_WSL.match(written), _DRIVE.match(written)
    if inside is not None:
        return inside[1].replace("\\", "/")
    return f"/mnt/{drive[1].lower()}/" + drive[2].replace("\\", "/") if drive else None


def foreign_words(written: str) -> str | None:
    """Say of which other system a path is that this one does not have; None if it may be one of this system's."""
    return _foreign_words(written, windows=os.name == "nt", wsl=is_wsl())


def _foreign_words(written: str, *, windows: bool, wsl: bool) -> str | None:
    if not wsl and _INSIDE_WSL.match(written):
        return "is a path into WSL. Give the path of a file on this system: copy it to Downloads, for example."
    if windows or wsl:
        return None
    if _DRIVE.match(written):
        return "is a path of Windows, which this system is not. Give the path of a file here, or an https link."
    if re.match(r"/(?:mnt|cygdrive)/[A-Za-z]/", written):
        return "is a path into Windows from WSL, which this system is not. Give a path here, or an https link."
    return None


def _one_word(written: str) -> str | None:
    try:
        words = shlex.split(written)
    except ValueError:  # a quotation mark without its other half
        return None
    return words[0] if len(words) == 1 else None
