"""Where files that nobody needs after a power cut are put: in memory, as a ledger waits for the disk at each write."""

import os
import shutil
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM_BYTES = 2_000_000_000
"""What a database server, its log of changes included, and the folders of all tests never come near to in one run."""
PLACE_OF_TESTS = "PYTEST_DEBUG_TEMPROOT"
"""The variable by which pytest is told where to make the folders of tests."""


def memory_folder() -> str | None:
    """Return a folder whose files are in memory; none where there is no such, or little room in it."""
    has_room = os.access(MEMORY, os.W_OK | os.X_OK) and shutil.disk_usage(MEMORY).free >= ROOM_BYTES
    return str(MEMORY) if has_room else None


def keep_tests_in_memory() -> None:
    """Let the folders of tests be made in memory, unless somebody said where else."""
    if (folder := memory_folder()) is not None:
        os.environ.setdefault(PLACE_OF_TESTS, folder)
