"""What the demo shows while a try-on is being made: a bar on a terminal, plain lines elsewhere."""

import asyncio
import shutil
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from tqdm import tqdm

from kolors_mcp.cli.terminal import is_terminal, print_line

MAX_SHARE_BEFORE_THE_END = 0.97
"""How far the bar gets by time alone; only the picture brings it to its end."""
REDRAW_SECONDS = 0.1


class Progress:
    """Shows how a call is going; made by `shown_progress`."""

    def __init__(self, bar: "tqdm[Any]", expected_seconds: float) -> None:
        """Begin to count."""
        self._bar = bar
        self._expected_seconds = expected_seconds
        self._started = time.monotonic()

    def tell(self, label: str, text: str) -> None:
        """Print a line above the bar."""
        self._bar.clear()
        print_labelled(label, text)

    async def on_progress(self, progress: float, total: float | None, message: str | None) -> None:
        """Take up what the server reports; an MCP client's `progress_callback`."""
        del progress, total  # Each call counts anew; the bar counts from the first one.
        if self._bar.disable:
            print_labelled("progress", message or "")
        else:
            self._bar.set_description_str(message, refresh=False)

    async def move(self) -> None:
        """Move the bar with the time, until cancelled."""
        while True:
            elapsed = time.monotonic() - self._started
            self._bar.n = min(elapsed, self._expected_seconds * MAX_SHARE_BEFORE_THE_END)
            self._bar.refresh()
            await asyncio.sleep(REDRAW_SECONDS)


@asynccontextmanager
async def shown_progress(expected_seconds: float) -> AsyncGenerator[Progress]:
    """Show the bar while the body runs, where there is a terminal."""
    # Some terminals claim to have no columns and no rows at all; these are 80 and 24 then.
    size = shutil.get_terminal_size()
    with tqdm(
        total=expected_seconds,
        desc="",
        bar_format="progress  {percentage:3.0f}% |{bar:30}| {desc}",
        disable=not is_terminal(sys.stderr),
        leave=False,
        ncols=size.columns,
        nrows=size.lines,
    ) as bar:
        progress = Progress(bar, expected_seconds)
        moving = None if bar.disable else asyncio.create_task(progress.move())
        try:
            yield progress
        finally:
            if moving is not None:
                moving.cancel()
                await asyncio.wait((moving,))


def print_labelled(label: str, text: str) -> None:
    """Print a line of the demo: what it is about, and what is said of it, in two columns."""
    print_line(f"{label:<9} {text}")
