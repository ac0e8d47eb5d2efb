"""Whether something can be saved in a folder, found out by trying it, and before anything is paid for."""

import tempfile
from contextlib import suppress
from pathlib import Path

MAX_RESULT_BYTES = 4 * 1024 * 1024
"""What a finished picture may take: Kling's are some megabytes of PNG."""


def why_not_writable(folder: Path, room: int = 0) -> str | None:
    """Return why nothing of `room` bytes can be saved in a folder, which is made if it must be; None if it can.

    Leaves nothing behind.
    """
    made: list[Path] = []
    try:
        for path in (*reversed(folder.parents), folder):
            if _was_made(path):
                made.append(path)  # noqa: PERF401  (what was made must be known although the next one fails)
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            # Written, since a file that only claims its length takes no room on the disk.
            while room > 0:
                room -= file.write(bytes(min(room, 65536)))
    except FileExistsError:
        return "a file is in its place"
    except ValueError:
        return "no such name can be"
    except OSError as error:
        return error.strerror or type(error).__name__
    finally:
        for path in reversed(made):
            with suppress(OSError):
                path.rmdir()
    return None


def _was_made(folder: Path) -> bool:
    try:
        folder.mkdir()
    except OSError:
        # What is there already is refused in several words, such as those of a read-only disk.
        if not folder.is_dir():
            raise
        return False
    return True
