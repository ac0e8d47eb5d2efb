"""Opens a local file only if it lies in an allowed folder, decided on the open descriptor and not on a name.

Between a look at a path and its opening anybody may put another file there. So the file is opened first, and then
asked what it is and where it lies.
"""
# Containment is decided on plain strings, before any link is followed; pathlib hides where links are followed.
# ruff: noqa: PTH100, PTH111, PTH112, PTH115, PTH116, PTH117, PTH118, PTH119, PTH122, PTH206

import difflib
import errno
import heapq
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path, PureWindowsPath

from kolors_mcp.images.formats.content import FileContent
from kolors_mcp.images.limits import MAX_FILE_BYTES
from kolors_mcp.images.refusal import RefusalError
from kolors_mcp.wording import plain, quoted

_NEVER = ("/proc", "/sys", "/dev")
"""Where names stand for the system and not for files; below them only an allowed folder that lies there itself."""
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
_MAX_PATH_CHARACTERS = 4096
"""Characters; no system opens longer ones, and following one takes a look at each of its folders."""
_MAX_LISTED = 5_000
"""Entries that are looked at, in all folders together, for a name that may have been meant."""
_COMPARED = 100
"""Characters of a name that are compared."""
_SHORT_LIST = 20
"""Names that are compared letter by letter, which takes the square of their lengths."""
_ALIKE = 0.6
_F_GETPATH = 50
"""macOS's fcntl command for the path of a descriptor; Python names it only there."""


def open_file(written: str, folders: Sequence[Path]) -> tuple[FileContent, str]:
    """Open the file that `written` names; return it and its name.

    A relative path is taken from the working directory, and if there is no such file there, from each allowed folder.

    Raises:
        RefusalError: There is no such file in an allowed folder, or it is none that may be read.
    """
    if not folders:
        raise RefusalError("is a file path, and this server reads no local files. Give an https link or the base64.")
    _refuse_odd_forms(written, windows=os.name == "nt")
    roots = tuple(dict.fromkeys(os.path.realpath(folder) for folder in folders))
    # Names are compared with the folders as they were given, too: a folder may itself be a link.
    lexical = (*roots, *(os.path.abspath(folder) for folder in folders))
    path = os.path.expanduser(written)
    candidates: list[str] = []
    with suppress(FileNotFoundError):  # a working directory that was removed
        candidates.append(os.path.abspath(path))
    if not os.path.isabs(path):
        candidates += [os.path.normpath(os.path.join(root, path)) for root in roots]
    refusal: RefusalError | None = None
    for candidate in dict.fromkeys(candidates):
        found = _open_candidate(candidate, lexical, roots)
        if isinstance(found, FileContent):
            return found, plain(os.path.basename(candidate), 100)
        refusal = refusal or found
    raise refusal or RefusalError(_missing(written, candidates, lexical, roots))


def _open_candidate(path: str, lexical: Sequence[str], roots: Sequence[str]) -> FileContent | RefusalError | None:
    """Open one path. None: nothing there, or nothing that may be known; a refusal: something there, but unfit."""
    # Names are looked at first only so that nothing outside is even opened; the verdict comes from the descriptor.
    if not _is_inside(path, lexical) or not _is_inside(os.path.realpath(path), roots):
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
        found = _judge(descriptor, path, roots)
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


def _judge(descriptor: int, path: str, roots: Sequence[str]) -> int | RefusalError | None:
    """Return the size of an open file that may be read."""
    status = os.fstat(descriptor)
    location = _location(descriptor, path, status)
    if location is None or not _is_inside(location, roots):
        return None
    name = quoted(os.path.basename(path))
    if stat.S_ISDIR(status.st_mode):
        return RefusalError(_folder_words(path))
    if not stat.S_ISREG(status.st_mode):
        return RefusalError(f"is no ordinary file: {name}. Give the path of a picture.")
    if status.st_size == 0:
        return RefusalError(f"is an empty file: {name}. Perhaps its download has not finished.")
    if status.st_size > MAX_FILE_BYTES:
        return RefusalError(
            f"is a file of {status.st_size / 1_000_000:.0f} MB; at most {MAX_FILE_BYTES // 1_000_000} MB are read. "
            "Ask for a smaller version."
        )
    return status.st_size


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


def _is_inside(path: str, roots: Sequence[str]) -> bool:
    """Return whether `path` lies below one of `roots` with no hidden part between."""
    return any(_parts_below(path, root) is not None for root in roots)


def _parts_below(path: str, root: str) -> list[str] | None:
    """Return the components of `path` below `root`; None if it is not below it, or hidden there."""
    path, root = os.path.normcase(path), os.path.normcase(root)
    try:
        if os.path.commonpath((path, root)) != root or path == root:
            return None
    except ValueError:  # different drives
        return None
    parts = [part for part in path[len(root) :].replace(os.altsep or os.sep, os.sep).split(os.sep) if part]
    if any(part.startswith(".") for part in parts):
        return None
    special = any(path == never or path.startswith(never + "/") for never in _NEVER)
    if special and not any(root.startswith(never + "/") for never in _NEVER[2:]):
        return None
    return parts


def _refuse_odd_forms(written: str, *, windows: bool) -> None:
    """Refuse forms that name something other than a file of this machine."""
    if len(written) > _MAX_PATH_CHARACTERS:
        raise RefusalError("is a path longer than any file's. Check it.")
    try:
        forbidden = b"\0" in os.fsencode(written)
    except UnicodeEncodeError:
        forbidden = True
    if forbidden:
        raise RefusalError("is a path with characters that no file's name has. Check it.")
    if written.startswith(("\\\\", "//")):
        raise RefusalError("is a path to another machine or to a device. Give the path of a file on this one.")
    if windows:
        path = PureWindowsPath(written)
        for part in path.parts[1:] if path.drive else path.parts:
            if ":" in part or part.partition(".")[0].rstrip(" ").lower() in _DEVICE_NAMES:
                raise RefusalError("is a path to a stream or a device inside Windows. Give the path of a file.")


def _missing(written: str, candidates: Sequence[str], lexical: Sequence[str], roots: Sequence[str]) -> str:
    """Say that nothing was found, in the same words whether it is missing or forbidden, and what is near if allowed."""
    looked_at = iter(range(_MAX_LISTED))
    nearest = next((near for candidate in candidates for near in _nearest(candidate, lexical, roots, looked_at)), None)
    if nearest is not None:
        return f"names no file: {quoted(written)}. Did you mean {quoted(nearest)}?"
    return (
        f"names no file that may be read: {quoted(written)}. Pictures are read from "
        f"{', '.join(quoted(root) for root in roots)}. Move it there, or give an https link."
    )


def _nearest(path: str, lexical: Sequence[str], roots: Sequence[str], looked_at: Iterator[int]) -> Iterator[str]:
    """Yield the path of the file whose name is most like the one that was asked for, in the same folder."""
    folder, name = os.path.split(path)
    real = os.path.realpath(folder)
    if not (real in roots or _is_inside(real, roots)) or not (folder in lexical or _is_inside(folder, lexical)):
        return
    try:
        with os.scandir(real) as entries:
            listed = [entry.name for _, entry in zip(looked_at, entries, strict=False)]
    except OSError:
        return
    # One of exactly this name is there but may not be read; naming it again would help nobody.
    folded = {entry.casefold(): entry for entry in listed if entry[0] != "." and entry != name}
    wanted = name.casefold()
    # The same name with another ending is nearer than any other spelling.
    stem = os.path.splitext(wanted)[0]
    same_stem = [entry for entry in folded if os.path.splitext(entry)[0] == stem]
    for found in same_stem[:1] or _most_alike(wanted, folded):
        yield os.path.join(folder, folded[found])


def _most_alike(wanted: str, names: Iterable[str]) -> list[str]:
    """Return the name that is most like the wanted one, if any is; by their letters first, then in their order."""
    matcher = difflib.SequenceMatcher(b=wanted[:_COMPARED])
    likeness: dict[str, float] = {}
    for name in names:
        matcher.set_seq1(name[:_COMPARED])
        if matcher.real_quick_ratio() >= _ALIKE and (quick := matcher.quick_ratio()) >= _ALIKE:
            likeness[name] = quick
    short_list = heapq.nlargest(_SHORT_LIST, likeness, key=likeness.__getitem__)
    return difflib.get_close_matches(wanted[:_COMPARED], short_list, n=1, cutoff=_ALIKE)


def _folder_words(path: str) -> str:
    return f"is a folder: {quoted(os.path.basename(path))}. Give the path of a picture in it."
