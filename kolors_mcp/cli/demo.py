"""`kolors-mcp demo`: the main job from a user's side, with a real MCP client and a real server process over stdio."""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from mcp import Client, StdioServerParameters
from mcp_types import CallToolResult, TextContent
from tqdm import tqdm

from kolors_mcp.cli.serve import credentials_of_process
from kolors_mcp.cli.terminal import complain
from kolors_mcp.errors import KolorsError
from kolors_mcp.kling.auth import MISSING
from kolors_mcp.models import TryOn
from kolors_mcp.sandbox.samples import sample
from kolors_mcp.settings import Settings

PRICE = "about 0.07 US dollars, one unit of the account's try-on pack"
TYPICAL_SECONDS = 40
SANDBOX_SECONDS = 6
LONGEST_SECONDS = 300


@dataclass(frozen=True)
class Choice:
    """What the person at the terminal chose."""

    human: str | None
    cloth: str | None
    lower_cloth: str | None
    save_dir: Path
    real: bool


class DemoError(KolorsError):
    """The demo did not end in a saved picture."""


def run(choice: Choice) -> int:
    """Make a try-on; the exit code is 0 only if a picture was saved."""
    try:
        asyncio.run(_made(choice))
    except KolorsError as error:
        complain(str(error))
        return 1
    except KeyboardInterrupt:
        complain("Stopped. A try-on that was started goes on at Kling; list_try_ons finds it.")
        return 130
    return 0


async def _made(choice: Choice) -> None:
    if choice.real:
        _agree()
    arguments = {
        "human_image": _full(choice.human) or str(sample("person")),
        "cloth_image": _full(choice.cloth) or str(sample("upper")),
    }
    if choice.lower_cloth:
        arguments["lower_cloth_image"] = _full(choice.lower_cloth)
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "kolors_mcp"], env=_environment(choice, arguments.values())
    )
    print(f"Server    {'your Kling account' if choice.real else 'sandbox: simulated, free, no account'}")
    for name, value in arguments.items():
        print(f"{name:<17} {value}")
    async with Client(server) as client:
        created = _answer(await client.call_tool("create_try_on", arguments))
        print(f"Task      {created.task_id}: {created.status}")
        finished = await _watched(
            client, created, LONGEST_SECONDS, SANDBOX_SECONDS if not choice.real else TYPICAL_SECONDS
        )
    for note in finished.notes:
        print(f"Note      {note}")
    if finished.status != "succeed" or not finished.images:
        raise DemoError(f"The try-on ended as {finished.status}: {finished.status_message or finished.next_step}")
    for image in finished.images:
        print(f"Link      {image.url}")
        if image.saved_to is None:
            raise DemoError("The picture could not be saved; see the notes above.")
        print(f"Saved     {image.saved_to}")
    if not choice.real:
        print("The link ends with the demo, because the sandbox does; the saved picture stays.")


async def _watched(client: Client, created: TryOn, seconds: int, expected: int) -> TryOn:
    """Wait with a progress bar, or with plain lines where there is no terminal."""
    with tqdm(
        total=expected,
        desc="Rendering",
        unit="s",
        disable=not sys.stderr.isatty(),
        bar_format="{desc} |{bar}| {elapsed} {postfix}",
    ) as bar:

        async def progress(elapsed: float, _total: float | None, message: str | None) -> None:
            if bar.disable:
                print(f"Progress  {message}", flush=True)
                return
            bar.set_postfix_str(message or "", refresh=False)
            # The bar reaches its end only with the picture.
            bar.update(min(elapsed, expected * 0.95) - bar.n)

        try_on = created
        while not try_on.finished and seconds > 0:
            # Short waits move the bar smoothly; the server itself asks Kling no more often than it would anyway.
            result = await client.call_tool(
                "get_try_on", {"task_id": created.task_id, "wait_seconds": 60}, progress_callback=progress
            )
            try_on = _answer(result)
            seconds -= 60
        if try_on.status == "succeed":
            bar.update(expected - bar.n)
    return try_on


def _answer(result: Any) -> TryOn:
    assert isinstance(result, CallToolResult)
    if result.is_error:
        raise DemoError(" ".join(part.text for part in result.content if isinstance(part, TextContent)))
    return TryOn.model_validate(cast("dict[str, Any]", result.structured_content))


def _agree() -> None:
    """Say what it costs, and let a person at a terminal think again."""
    if credentials_of_process()() is None:
        raise DemoError(MISSING)
    print(f"This makes a real try-on: {PRICE}.")
    if sys.stdin.isatty():
        input("Press Enter to go on, Ctrl-C to stop. ")


def _full(reference: str | None) -> str | None:
    """Make a file's path absolute, since the server may work elsewhere; links and data stay as they are."""
    if reference is None:
        return None
    path = Path(reference).expanduser()
    return str(path.resolve()) if len(reference) < 4096 and path.is_file() else reference  # noqa: PLR2004  (a path)


def _environment(choice: Choice, references: Any) -> dict[str, str]:
    """Give the server our environment, the folders of the pictures named here, and where to save."""
    settings = Settings.from_env(os.environ)
    files = [Path(reference) for reference in references if len(reference) < 4096 and Path(reference).is_file()]  # noqa: PLR2004
    folders = [*settings.image_dirs, *(file.parent for file in files)]
    return {
        **os.environ,
        "KOLORS_SANDBOX": "0" if choice.real else "1",
        "KOLORS_SAVE_DIR": str(choice.save_dir.absolute()),
        "KOLORS_IMAGE_DIRS": os.pathsep.join(dict.fromkeys(map(str, folders))),
    }
