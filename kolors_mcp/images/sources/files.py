"""Opens a local file only if it lies in an allowed folder, decided on the open descriptor and not on a name.

Between a look at a path and its opening another program may put another file there. So the file is opened first, and
then asked what it is and where it lies.
"""
# Containment is decided on plain strings, before any link is followed; pathlib hides where links are followed.
# ruff: noqa: PTH100, PTH111, PTH112, PTH115, PTH116, PTH117, PTH118, PTH119, PTH120

import errno
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path, PureWindowsPath

from kolors_mcp.images.formats.content import FileContent
from kolors_mcp.images.limits import MAX_FILE_BYTES
from kolors_mcp.images.refusal import RefusalError
from kolors_mcp.images.sources.allowed import Allowed
from kolors_mcp.images.sources.attachments import NO_PATH, is_attachment
from kolors_mcp.images.sources.missing import missing_words
from kolors_mcp.images.sources.names import Listing, seen_alike
from kolors_mcp.images.sources.paths import MAX_PATH_CHARACTERS, foreign_words, readings
from kolors_mcp.wording import plain, quoted

_DEVICE_NAMES = frozenset(
    (
        "con",
        "prn",
        "aux",
        "nul",
        "conin$",
        "conout$",
        *(f"{port}{n}" for port in ("com", "lpt") for n in "0123456789¹²³"),
    )
)
_MAX_PARTS = 256
"""Folders in each other; each is looked at once for every allowed folder."""
_F_GETPATH = 50
"""macOS's fcntl command for the path of a descriptor; Python names it only there."""
_NOT_ON_THIS_DISK = 0x40000000, 0x00441000
"""Marks of a file that only its cloud has: macOS's `SF_DATALESS`; Windows' offline, recall on open or data access."""
_BEGINNING_BYTES = 4096


def open_file(written: str, folders: Sequence[Path]) -> tuple[FileContent, str]:
    """Open the file that `written` names; return it and its name.

    A relative path is taken from the working directory, and if there is no such file there, from each allowed folder,
    which it may name first.
    One that is quoted as in a shell, or written as Windows has it, is read where nothing is there as it stands; so is
    one that looks the same as the name of a single file.

    Raises:
        RefusalError: There is no such file in an allowed folder, or it is none that may be read.
    """
    if not folders:
        if is_attachment(written):
            raise RefusalError(NO_PATH)
        raise RefusalError(
            "is a file path, and this server reads no local files. Give an https link or the base64, or call "
            "open_fitting_room, where the user picks the photo."
        )
    if len(written) > MAX_PATH_CHARACTERS or written.count("/") > _MAX_PARTS:
        raise RefusalError("is a path longer than any file's. Check it.")
    allowed = Allowed(folders)
    candidates: list[str] = []
    odd: RefusalError | None = None
    refusal: RefusalError | None = None
    meant = readings(written)
    for reading in meant:
        form = _odd_form(reading, windows=os.name == "nt")
        odd = odd or form
        candidates += _candidates(reading, allowed) if form is None else []
    candidates = list(dict.fromkeys(candidates))
    for paths in (candidates, _alike(candidates, allowed)):
        for path in paths if refusal is None else ():
            found = _open_candidate(path, allowed)
            if isinstance(found, FileContent):
                return found, plain(os.path.basename(path), 100)
            refusal = refusal or found
    raise refusal or odd or RefusalError(_nothing_there(written, meant, allowed))


def _nothing_there(written: str, meant: Sequence[str], allowed: Allowed) -> str:
    """Say that nothing was found; where one reading is a whole path, it is that which was meant."""
    if is_attachment(written):
        return NO_PATH
    whole = [reading for reading in meant if os.path.isabs(os.path.expanduser(reading))]
    candidates = [path for reading in whole or meant for path in _candidates(reading, allowed)]
    return foreign_words(written) or missing_words(written, candidates, allowed, is_whole=bool(whole))


def _alike(candidates: Sequence[str], allowed: Allowed) -> Iterator[str]:
    """Yield the paths that cannot be told from one of `candidates`; folders are listed only if that is asked for."""
    listing = Listing(allowed)
    for candidate in candidates:
        alike = seen_alike(candidate, allowed, listing)
        if alike is not None:
            yield alike


def _candidates(reading: str, allowed: Allowed) -> list[str]:
    """Return the absolute paths that a reading may stand for."""
    path, found = os.path.expanduser(reading), list[str]()
    with suppress(FileNotFoundError):  # a working directory that was removed
        found.append(os.path.abspath(path))
    if not os.path.isabs(path):
        # "Downloads/dress.png" begins with the name of such a folder.
        begins = os.path.normpath(path).startswith
        beside = [os.path.dirname(root) for root in allowed.plain if begins(os.path.basename(root) + os.sep)]
        found += [os.path.normpath(os.path.join(folder, path)) for folder in (*allowed.plain, *beside)]
    return found


def _open_candidate(path: str, allowed: Allowed) -> FileContent | RefusalError | None:
    """Open one path. None: nothing there, or nothing that may be known; a refusal: something there, but unfit."""
    # Names are looked at first only so that nothing outside is even opened; the verdict comes from the descriptor.
    if allowed.root_of(path) is None or not allowed.has(os.path.realpath(path)):
        return None
    flags = os.O_RDONLY
    for name in ("O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY", "O_NOINHERIT"):
        flags |= getattr(os, name, 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        return _unopened(path, error)
    found: int | RefusalError | None = None
    try:
        found = _judge(descriptor, path, allowed)
    finally:
        if not isinstance(found, int):
            os.close(descriptor)
    return FileContent(descriptor, found) if isinstance(found, int) else found


def _unopened(path: str, error: OSError) -> RefusalError | None:
    """Say why a path inside an allowed folder could not be opened; None if nothing is there."""
    name = quoted(os.path.basename(path))
    if os.path.isdir(path):  # which Windows does not open
        return RefusalError(_folder_words(path))
    if error.errno == errno.EACCES:
        return RefusalError(f"is a file that may not be read: {name}. Change its permissions.")
    if error.errno in (errno.ENXIO, errno.ELOOP, errno.ENODEV):
        return RefusalError(f"is no ordinary file: {name}. Give the path of a picture.")
    if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO):
        return RefusalError("cannot be opened just now: the system is short of something. Try again later.")
    return None


def _judge(descriptor: int, path: str, allowed: Allowed) -> int | RefusalError | None:
    """Return the size of an open file that may be read."""
    status = os.fstat(descriptor)
    location = _location(descriptor, path, status)
    if location is None or not allowed.has(location):
        return None
    return _unfit(descriptor, path, status) or status.st_size


def _unfit(descriptor: int, path: str, status: os.stat_result) -> RefusalError | None:
    """Say why a file that may be read is nothing that a picture can be read from."""
    name = quoted(os.path.basename(path))
    if stat.S_ISDIR(status.st_mode):
        return RefusalError(_folder_words(path))
    if not stat.S_ISREG(status.st_mode):
        return RefusalError(f"is no ordinary file: {name}. Give the path of a picture.")
    if status.st_size == 0:
        return RefusalError(
            f"is an empty file: {name}. Perhaps its download has not finished, or it is only in a cloud: open it once."
        )
    if status.st_size > MAX_FILE_BYTES:
        return RefusalError(
            f"is a file of {status.st_size / 1_000_000:.0f} MB; at most {MAX_FILE_BYTES // 1_000_000} MB are read. "
            "Ask for a smaller version."
        )
    if _is_only_in_a_cloud(descriptor, status):
        return RefusalError(
            f"is not on this disk: {name} is only in a cloud (iCloud, OneDrive, Dropbox ...). Open it once, or choose "
            '"Download" or "Always keep on this device" in its menu, and try again.'
        )
    return None


def _is_only_in_a_cloud(descriptor: int, status: os.stat_result) -> bool:
    """Whether a file has a size here and its content elsewhere, by the system's own marks or by what is on the disk."""
    if _is_marked_as_away(status):
        return True
    if not _is_without_blocks(status):
        return False
    # Some file systems count no blocks of files that they have; these give more than zeros.
    beginning = os.read(descriptor, _BEGINNING_BYTES)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return not any(beginning)


def _is_marked_as_away(status: os.stat_result) -> bool:
    dataless, recalled = _NOT_ON_THIS_DISK
    return bool(getattr(status, "st_flags", 0) & dataless or getattr(status, "st_file_attributes", 0) & recalled)


def _is_without_blocks(status: os.stat_result) -> bool:
    return getattr(status, "st_blocks", 1) == 0


def _location(descriptor: int, path: str, status: os.stat_result) -> str | None:
    """Return where an open file really lies; None if that cannot be told."""
    if sys.platform == "linux":
        try:
            location = os.readlink(f"/proc/self/fd/{descriptor}")
        except OSError:
            pass  # no /proc in this container: compare instead
        else:
            # A file that was removed meanwhile has no location; the comparison tells it from an odd name.
            return None if location.endswith(" (deleted)") and status.st_nlink == 0 else location
    elif sys.platform == "darwin":
        import fcntl  # noqa: PLC0415  (not on Windows)

        return os.fsdecode(fcntl.fcntl(descriptor, _F_GETPATH, bytes(1024)).split(b"\0", 1)[0])
    resolved = os.path.realpath(path)
    try:
        there = os.stat(resolved)
    except OSError:
        return None
    return resolved if (there.st_dev, there.st_ino) == (status.st_dev, status.st_ino) else None


def _odd_form(written: str, *, windows: bool) -> RefusalError | None:
    """Refuse forms that name something other than a file of this machine."""
    try:
        forbidden = b"\0" in os.fsencode(written)
    except UnicodeEncodeError:
        forbidden = True
    if forbidden:
        return RefusalError("is a path with characters that no file's name has. Check it.")
    if written.startswith(("\\\\", "//")):
        words = foreign_words(written) or (
            "is a path to another machine or to a device. Give the path of a file on this one."
        )
        return RefusalError(words)
    if windows:
        path = PureWindowsPath(written)
        for part in path.parts[1:] if path.drive else path.parts:
            if ":" in part or part.partition(".")[0].rstrip(" ").lower() in _DEVICE_NAMES:
                return RefusalError("is a path to a stream or a device inside Windows. Give the path of a file.")
    return None


def _folder_words(path: str) -> str:
    return f"is a folder: {quoted(os.path.basename(path))}. Give the path of a picture in it."
