"""Whether something can be saved in a folder, found out by trying it, and before anything is paid for."""

import tempfile
from contextlib import suppress
from pathlib import Path

ROOM_FOR_A_PICTURE = 4 * 1024 * 1024
"""Bytes that a finished picture may take: Kling's are some megabytes of PNG."""


def why_not_writable(folder: Path, room: int = 0) -> str | None:
    """Return why nothing of `room` bytes can be saved in a folder, which is made if it must be; None if it can.

    Leaves nothing behind.
    """
    made: list[Path] = []
    try:
        for path in (*reversed(folder.parents), folder):
            try:
                path.mkdir()
                made.append(path)
            except FileExistsError:
                if not path.is_dir():
                    raise
            except OSError:
                # Some answer so for what is there and may not be written, such as the root of a read-only disk.
                if not path.is_dir():
                    raise
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            # Written, since a file that only claims its length takes no room on the disk.
            while room > 0:
                room -= file.write(bytes(min(room, 65536)))
    except ValueError:
        return "no such name can be"
    except OSError as error:
        return error.strerror or type(error).__name__
    finally:
        for path in reversed(made):
            with suppress(OSError):
                path.rmdir()
    return None
