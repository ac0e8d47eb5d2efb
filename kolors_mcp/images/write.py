"""Keeps a finished picture in a folder, whole or not at all, and never over something that is there."""

import errno
import os
import re
import secrets
import stat
import unicodedata
from pathlib import Path

from kolors_mcp.errors import PictureRefusedError
from kolors_mcp.images.formats.sniff import HEAD_BYTES, Kind, kind_of
from kolors_mcp.images.limits import MAX_FILE_BYTES
from kolors_mcp.wording import quoted

_ENDINGS: dict[Kind, str] = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "WebP": ".webp",
    "HEIC": ".heic",
    "AVIF": ".avif",
    "GIF": ".gif",
    "BMP": ".bmp",
    "TIFF": ".tiff",
}
_MAX_COPIES = 1_000
_MAX_STEM_BYTES = 200
"""Of a name without its ending and number; file systems take 255."""
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])\Z", re.IGNORECASE)
"""Names that no file can have on Windows, with whatever ending."""


def keep(data: bytes, folder: Path, stem: str) -> Path:
    """Write a picture to `folder` as `stem`, or `stem-2`, `stem-3` and so on, with the ending its content asks for.

    The same picture that lies there under such a name already is not written again.
    Of the stem, letters and digits of any language stay, with `_` and `-`; whatever else is in it becomes `-`.

    Raises:
        PictureRefusedError: The bytes are no picture, or the folder cannot be written to.
    """
    kind = kind_of(data[:HEAD_BYTES])
    if kind is None:
        raise PictureRefusedError("The result is no picture and was not kept.")
    name = _file_name(stem)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = _same_file(data, folder, name)
        if there is not None:
            return there
        draft = folder / f".{secrets.token_hex(8)}.part"
        try:
            write_whole(draft, data)
            return _publish(draft, folder, name, _ENDINGS[kind])
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        reason = quoted(error.strerror or "unknown reason", 100)
        raise PictureRefusedError(f"The picture could not be kept in {quoted(str(folder))}: {reason}.") from error


def read(file: Path) -> bytes:
    """Return the bytes of a kept picture.

    Raises:
        OSError: It cannot be read, or is no ordinary file, or larger than any picture.
    """
    flags = os.O_RDONLY
    for option in ("O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"):
        flags |= getattr(os, option, 0)
    with os.fdopen(os.open(file, flags), "rb") as opened:
        status = os.fstat(opened.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE_BYTES:
            raise OSError(errno.EINVAL, "no ordinary file of a picture's size")
        return opened.read(MAX_FILE_BYTES)


def _same_file(data: bytes, folder: Path, name: str) -> Path | None:
    """Return the copy that was saved before, where nothing remembers it. A link is never one."""
    for path in sorted(folder.glob(f"{name}*")):
        if not path.is_symlink() and path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data:
            return path
    return None


def _file_name(stem: str) -> str:
    name = re.sub(r"[^\w-]+", "-", unicodedata.normalize("NFC", stem)).strip("-")
    name = name.encode("utf-8", "ignore")[:_MAX_STEM_BYTES].decode("utf-8", "ignore") or "picture"
    return f"{name}-" if _DEVICES.match(name) else name


def write_whole(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file that is not there yet, and bring it to the disk.

    Raises:
        OSError: It is there already, or cannot be written.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    for option in ("O_CLOEXEC", "O_NOFOLLOW", "O_BINARY"):
        flags |= getattr(os, option, 0)
    with os.fdopen(os.open(path, flags, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _publish(draft: Path, folder: Path, name: str, ending: str) -> Path:
    """Give the written file its name. A second name for it is refused where one exists, even a dangling link."""
    for number in range(1, _MAX_COPIES):
        target = folder / (f"{name}{ending}" if number == 1 else f"{name}-{number}{ending}")
        try:
            give_name(draft, target)
        except FileExistsError:
            continue
        settle(folder)
        return target
    raise FileExistsError(f"{_MAX_COPIES} files of that name")


def give_name(draft: Path, target: Path, mode: int = 0o644) -> None:
    """Give a written file its name, where there is no other of that name.

    Raises:
        FileExistsError: There is one.
    """
    try:
        target.hardlink_to(draft)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError):
        # A file system without hard links (FAT, some shares): take the name first, then move onto our own file.
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), mode))
        try:
            draft.replace(target)
        except OSError:
            target.unlink(missing_ok=True)
            raise


def settle(folder: Path) -> None:
    """Bring the new name to the disk, where folders can be opened."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
