"""How a forked program ends: as it would by itself, and without copying what it has from before the fork."""

import atexit
import gc
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

BUILT_IN = {"builtins", "sys", "traceback", "warnings"}
"""What the interpreter itself needs to its end."""


class Ending:
    """How a program ends: as an interpreter does, but without what was loaded before the fork being taken apart.

    That would copy nearly every page of it, which takes most programs longer than all they do.
    """

    def __init__(self) -> None:
        self.loaded: dict[str, ModuleType] = {}
        self._status: int | None = None

    def run(self, program: Callable[[], None]) -> None:
        """Run a program, and remember with which status it ends."""
        try:
            program()
            self._status = 0
        except SystemExit as error:
            self._status = error.code if isinstance(error.code, int) else None if error.code else 0
            raise

    def _loaded_since(self) -> list[str]:
        """Return what was loaded after the fork; to look at any other counts a use of it, which copies its page."""
        last = next(reversed(self.loaded), None)
        return list(takewhile(lambda name: name != last, reversed(sys.modules)))

    def end(self) -> None:
        """Take apart what the program has made, and end; without a status, let the interpreter tell of the error."""
        if self._status is not None:
            for name in self._loaded_since():
                vars(sys.modules.pop(name)).clear()
            # They are all done, and hold what the program has made.
            atexit._clear()  # pyright: ignore[reportPrivateUsage]  (nothing public lets go of all)
            gc.collect()
            with suppress(OSError, ValueError):  # of which the interpreter will tell
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(self._status & 0xFF)
        for name in self.loaded.keys() - BUILT_IN:
            sys.modules.pop(name, None)
