"""Where a person's pictures lie: the system's folders, under whatever name, and where hosts keep what is pasted.

A part of a folder that is written `*` stands for any one name that is not hidden: `~/.gemini/tmp/*/images` is the
folder `images` of every project. So the pictures are reached, and the transcripts beside them are not.
"""

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

ANY_NAME = "*"
"""A part of an allowed folder that stands for any one name."""

_USUAL = ("Pictures", "Downloads", "Desktop", "Documents")
_USER_DIRECTORIES = ("PICTURES", "DOWNLOAD", "DESKTOP", "DOCUMENTS")
"""The same, as freedesktop's `user-dirs.dirs` names them."""
_USER_DIRECTORY = re.compile(r'XDG_([A-Z]{1,20})_DIR="((?:[^"\\\n]|\\.){1,4096})"')
_MAX_USER_DIRECTORIES_BYTES = 64 * 1024

_SHELL_FOLDERS = r"Software\Microsoft\Windows\CurrentVersion\Explorer\User Shell Folders"
_SHELL_FOLDER_NAMES = ("My Pictures", "{374DE290-123F-4565-9164-39C4925E467B}", "Desktop", "Personal")
"""The same, as the registry of Windows names them; downloads have no name but this."""
_ONE_DRIVE = ("OneDrive", "OneDriveConsumer", "OneDriveCommercial")
"""Variables in which OneDrive's program says where it keeps its files (Microsoft)."""

# Where hosts put a picture that is pasted into them, or that a tool has answered with, in the newest version at hand.
_HOSTS: tuple[tuple[str | None, str, tuple[str, ...]], ...] = (
    # Claude Code 2.1: pasted; answers of tools.
    ("CLAUDE_CONFIG_DIR", "~/.claude", ("image-cache", "projects/*/*/tool-results")),
    # Gemini CLI 0.61 and Qwen Code 0.15, which was made of it.
    ("GEMINI_CLI_HOME", "~", (".gemini/tmp/*/images",)),
    ("QWEN_HOME", "~/.qwen", ("tmp/clipboard",)),
    # Codex 0.171 pastes into the folder for temporary files; what it has drawn lies here.
    ("CODEX_HOME", "~/.codex", ("generated_images",)),
    (None, "~/.cursor", ("projects/*/assets",)),
    (None, "~/.kimi", ("prompt-cache/images",)),
    # Kimi Code 2.1: pasted, the same before it was made smaller, and pasted behind a command.
    ("KIMI_CODE_HOME", "~/.kimi-code", ("sessions/*/*/attachments", "sessions/*/*/media-originals", "cache")),
)
"""For each host: the variable that moves its folder, where it is else, and where in it pictures lie."""

ReadShellFolder = Callable[[str], str | None]
"""From a name in the registry to the folder that it holds."""


def default_folders(
    environment: Mapping[str, str],
    *,
    platform: str = sys.platform,
    read_shell_folder: ReadShellFolder | None = None,
) -> tuple[Path, ...]:
    """Return where pictures may be read on a desktop where nothing else is said.

    The person's Pictures, Downloads, Desktop and Documents, also under their local names and in OneDrive, where hosts
    keep pictures, the working and the temporary folder. Never the root of a disk.
    """
    folders = dict.fromkeys(
        folder
        for folder in (*_personal(environment, platform, read_shell_folder), *_of_process())
        if os.path.realpath(folder) != folder.anchor
    )
    return tuple(folders)


def pictures_folder(
    environment: Mapping[str, str],
    *,
    platform: str = sys.platform,
    read_shell_folder: ReadShellFolder | None = None,
) -> Path | None:
    """Return the person's own folder for pictures, under whatever name; None where there is no home."""
    try:
        home = Path("~").expanduser()
    except RuntimeError:
        return None
    if platform == "win32":
        named = _of_windows(environment, read_shell_folder or _shell_folder, _SHELL_FOLDER_NAMES[:1])
    else:
        named = _of_user_directories(environment, home, _USER_DIRECTORIES[:1])
    return next(named, home / _USUAL[0])


def _personal(
    environment: Mapping[str, str], platform: str, read_shell_folder: ReadShellFolder | None
) -> Iterator[Path]:
    try:
        home = Path("~").expanduser()
    except RuntimeError:  # there is no home, as for a number without a name in a container
        return
    for name in _USUAL:
        yield home / name
    if platform == "win32":
        yield from _of_windows(environment, read_shell_folder or _shell_folder, _SHELL_FOLDER_NAMES)
    else:
        yield from _of_user_directories(environment, home, _USER_DIRECTORIES)
    if platform == "darwin":
        with suppress(OSError):
            for drive in sorted((home / "Library" / "CloudStorage").glob("OneDrive-*")):
                yield from (drive / name for name in _USUAL)
    if platform == "linux" and is_wsl():
        # The person's folders in the Windows around this Linux; Windows keeps other people's closed.
        for name in _USUAL:
            yield from (Path("/mnt/c/Users", ANY_NAME, name), Path("/mnt/c/Users", ANY_NAME, "OneDrive", name))
    for variable, usual, inside in _HOSTS:
        moved = environment.get(variable, "").strip() if variable else ""
        top = Path(moved) if os.path.isabs(moved) else Path(usual).expanduser()  # noqa: PTH117  (text may be blank)
        yield from (top / below for below in inside)


def _of_process() -> Iterator[Path]:
    """Yield the working folder, and the one for temporary files, unless it is the root that stands for them."""
    import tempfile  # noqa: PLC0415  (used once, and not at every start)

    with suppress(FileNotFoundError):  # the working folder may have been deleted
        # Some hosts start their servers at the root, which would allow the whole disk.
        yield Path.cwd()
    with suppress(FileNotFoundError):  # no folder for temporary files can be written
        # Where none can be written to, it is the working folder.
        yield Path(tempfile.gettempdir())


def _of_user_directories(environment: Mapping[str, str], home: Path, names: Sequence[str]) -> Iterator[Path]:
    """Yield the folders that freedesktop's `user-dirs.dirs` names, as far as each is one of a person's own.

    A name that leads to the home itself says that there is no such folder (xdg-user-dirs), and one that leads above it,
    or to something hidden, is no place for pictures.
    """
    configuration = environment.get("XDG_CONFIG_HOME", "").strip()
    file = Path(configuration if os.path.isabs(configuration) else home / ".config") / "user-dirs.dirs"  # noqa: PTH117
    try:
        with file.open("rb") as opened:
            text = opened.read(_MAX_USER_DIRECTORIES_BYTES).decode("utf-8", "replace")
    except OSError:
        return
    for line in text.splitlines():
        found = _USER_DIRECTORY.match(line.strip())
        if found is None or found[1] not in names:
            continue
        written = re.sub(r"\\(.)", r"\1", found[2])
        folder = Path(os.path.normpath(re.sub(r"^\$(?:HOME|\{HOME\})(?=/|$)", lambda _: str(home), written)))
        if folder.is_absolute() and _is_for_pictures(folder, home):
            yield folder


def _is_for_pictures(folder: Path, home: Path) -> bool:
    """Whether a folder that a file names lies, links followed, neither at nor above the home and has no hidden part."""
    real, home = Path(os.path.realpath(folder)), Path(os.path.realpath(home))
    below = real.relative_to(home).parts if real.is_relative_to(home) else real.parts[1:]
    return not home.is_relative_to(real) and not any(part.startswith(".") for part in below)


def _of_windows(
    environment: Mapping[str, str], read_shell_folder: ReadShellFolder, names: Sequence[str]
) -> Iterator[Path]:
    variables = {key.lower(): value for key, value in environment.items()}
    for name in names:
        written = read_shell_folder(name)
        if written:
            known = re.sub(r"%([^%]{1,100})%", lambda found: variables.get(found[1].lower(), found[0]), written)
            if "%" not in known and os.path.isabs(known):  # noqa: PTH117  (text)
                yield Path(known)
    for variable in _ONE_DRIVE:
        drive = environment.get(variable, "").strip()
        if os.path.isabs(drive):  # noqa: PTH117  (text may be blank)
            yield from (Path(drive) / name for name in _USUAL)


def _shell_folder(name: str) -> str | None:
    """Return what the registry of Windows says; None where there is no such entry, or no registry."""
    if sys.platform != "win32":
        return None
    import winreg  # noqa: PLC0415  (only Windows has it)

    try:
        with winreg.OpenKey(winreg.HKEY_CURRENT_USER, _SHELL_FOLDERS) as key:
            value, _ = winreg.QueryValueEx(key, name)
    except OSError:
        return None
    return value if isinstance(value, str) else None


def is_wsl() -> bool:
    """Whether this Linux runs inside Windows, which its kernel's name says (Microsoft)."""
    return hasattr(os, "uname") and "microsoft" in os.uname().release.lower()
