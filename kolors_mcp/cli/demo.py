"""`kolors-mcp demo`: the main job from a user's side, with a real MCP client and a real server process over stdio."""

import asyncio
import os
import stat
import sys
import tempfile
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp import Client, MCPError, StdioServerParameters
from mcp_types import CallToolResult, TextContent

from kolors_mcp.cli.demo_progress import print_labelled, shown_progress
from kolors_mcp.cli.folders import MAX_RESULT_BYTES, why_not_writable
from kolors_mcp.cli.serve import credentials_of_process
from kolors_mcp.cli.terminal import EXIT_INTERRUPTED, interruptible, is_terminal, print_error, print_line
from kolors_mcp.errors import KolorsError
from kolors_mcp.kling.auth import MISSING
from kolors_mcp.models import TryOn
from kolors_mcp.sandbox.samples import sample
from kolors_mcp.settings import Settings
from kolors_mcp.wording import quoted

PRICE = "about 0.07 US dollars, one unit of the account's try-on pack"
TYPICAL_SECONDS = 40.0
SANDBOX_SECONDS = 6.0
MAX_WAIT_SECONDS = 300
MAX_TYPED_CHARACTERS = 4096
"""A longer argument is a picture given as data."""


@dataclass(frozen=True)
class DemoOptions:
    """What the person at the terminal chose."""

    human: str | None
    cloth: str | None
    lower_cloth: str | None
    save_dir: Path | None
    """None: a folder of the demo's own."""
    real: bool


class DemoError(KolorsError):
    """The demo did not end in a saved picture."""


def run(options: DemoOptions) -> int:
    """Make a try-on; the exit code is 0 only if a picture was saved."""
    begun = False
    try:
        with interruptible(), saving(options.save_dir) as folder:
            if options.real:
                _confirm_cost()
            begun = True
            _report(asyncio.run(_made(options, folder)), options)
    except KolorsError as error:
        print_error(str(error))
        return 1
    except (MCPError, ExceptionGroup):
        print_error("The server ended before it answered. What it wrote stands above.")
        return 1
    except KeyboardInterrupt:
        if not begun:
            print_error("Stopped. Nothing was sent.")
        elif options.real:
            print_error("Stopped. A try-on that was started at Kling goes on there; list_try_ons finds it.")
        else:
            print_error("Stopped. The simulated try-on ended with it.")
        return EXIT_INTERRUPTED
    return 0


@contextmanager
def saving(chosen: Path | None) -> Generator[Path]:
    """Give the folder for the picture, once it is certain that a picture can be saved there.

    Raises:
        DemoError: None can.
    """
    try:
        here = Path.cwd()
        # In a folder that all users may write to, a folder of a known name may be another user's.
        shared = os.name == "posix" and bool(here.stat().st_mode & stat.S_IWOTH)
        fresh = Path(tempfile.mkdtemp(prefix="kolors-pictures-")) if chosen is None and shared else None
    except OSError as error:
        raise DemoError(f"The working folder cannot be used ({error.strerror}). Nothing was made.") from None
    folder = fresh or Path(os.path.abspath(os.path.expanduser(chosen or "kolors-pictures")))  # noqa: PTH100, PTH111  (the same; and never raises)
    try:
        reason = why_not_writable(folder, MAX_RESULT_BYTES)
        if reason is not None:
            raise DemoError(
                f"No picture can be saved in {quoted(str(folder))} ({reason}). Nothing was made. "
                "Name another folder with --save-dir."
            )
        yield folder
    finally:
        if fresh is not None:
            with suppress(OSError):  # The picture is in it.
                fresh.rmdir()


async def _made(options: DemoOptions, folder: Path) -> TryOn:
    arguments = {
        "human_image": _full(options.human or str(sample("person"))),
        "cloth_image": _full(options.cloth or str(sample("upper"))),
    }
    if options.lower_cloth:
        arguments["lower_cloth_image"] = _full(options.lower_cloth)
    print_labelled("server", "your Kling account" if options.real else "sandbox: simulated, free, no account")
    for label, reference in zip(("person", "garment", "with"), arguments.values(), strict=False):
        print_labelled(label, reference if len(reference) <= MAX_TYPED_CHARACTERS else "a picture given as data")
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "kolors_mcp"], env=_environment(options, folder, arguments.values())
    )
    async with Client(server) as client:
        try:
            outcome = await _finished(client, arguments, TYPICAL_SECONDS if options.real else SANDBOX_SECONDS)
        except (KolorsError, MCPError) as error:
            outcome = error  # Raised once the client is closed: on its way through, it would be wrapped in groups.
    if isinstance(outcome, TryOn):
        return outcome
    raise outcome


def _report(try_on: TryOn, options: DemoOptions) -> None:
    for note in try_on.notes:
        print_labelled("note", note)
    if try_on.status != "succeed" or not try_on.images:
        raise DemoError(f"The try-on ended as {try_on.status}: {try_on.status_message or try_on.next_step}")
    for image in try_on.images:
        print_labelled("link", image.url)
        if image.saved_to is None or not Path(image.saved_to).is_file():
            raise DemoError("The picture could not be saved; the notes above say why.")
        print_labelled("saved", image.saved_to)
    if not options.real:
        print_line("\nThe link ends with the demo, because the sandbox does. The saved picture stays.")


async def _finished(client: Client, arguments: dict[str, str], expected_seconds: float) -> TryOn:
    """Create the try-on and wait for its end, showing what the server says meanwhile."""
    async with shown_progress(expected_seconds) as progress:
        created = await client.call_tool("create_try_on", arguments, progress_callback=progress.on_progress)
        try_on = _answer(created)
        notes = try_on.notes
        progress.tell("task", try_on.task_id + (", joined: the same request was made before" if try_on.reused else ""))
        until = time.monotonic() + MAX_WAIT_SECONDS
        while not try_on.finished and time.monotonic() < until:
            looked = await client.call_tool(
                "get_try_on", {"task_id": try_on.task_id, "wait_seconds": 60}, progress_callback=progress.on_progress
            )
            try_on = _answer(looked)
        return try_on.model_copy(update={"notes": tuple(dict.fromkeys((*notes, *try_on.notes)))})


def _answer(result: Any) -> TryOn:
    assert isinstance(result, CallToolResult)
    if result.is_error:
        raise DemoError(" ".join(part.text for part in result.content if isinstance(part, TextContent)))
    return TryOn.model_validate(result.structured_content)


def _confirm_cost() -> None:
    """Say what it costs, and let a person at a terminal think again."""
    if credentials_of_process()() is None:
        raise DemoError(MISSING)
    print_line(f"This makes a real try-on: {PRICE}.")
    if is_terminal(sys.stdin):
        print_line("Press Enter to go on, Ctrl-C to stop.")
        if not sys.stdin.readline():
            raise DemoError("Stopped. Nothing was sent.")


def _is_file(reference: str) -> bool:
    return len(reference) <= MAX_TYPED_CHARACTERS and os.path.isfile(reference)  # noqa: PTH113  (pathlib's raises on odd text)


def _full(reference: str) -> str:
    """Make a file's path absolute, since the server may work elsewhere; links and data stay as they are."""
    path = os.path.abspath(os.path.expanduser(reference))  # noqa: PTH100, PTH111  (the same; and links are kept)
    return path if _is_file(path) else reference


def _environment(options: DemoOptions, folder: Path, references: Iterable[str]) -> dict[str, str]:
    """Give the server our environment, the folders of the pictures named here, and where to save."""
    folders = [*Settings.from_env(os.environ).image_dirs, *(Path(name).parent for name in references if _is_file(name))]
    return {
        **os.environ,
        "KOLORS_SANDBOX": "0" if options.real else "1",
        "KOLORS_SAVE_DIR": str(folder),
        "KOLORS_IMAGE_DIRS": os.pathsep.join(dict.fromkeys(map(str, folders))),
    }
