"""An assistant that wishes for try-ons through the server's front door, a Kling whose time it turns, and restarts."""

import base64
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from mcp import Client
from mcp_types import CallToolResult, ImageContent, TextContent

from kolors_mcp.models import TryOn, TryOnPage
from kolors_mcp.sandbox.clock import SandboxClock
from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.server import build_server
from kolors_mcp.settings import Credentials, Settings
from tests.support.making import TurnedClock, api_key, jpeg

MINUTE = 60.0
PERSON = base64.b64encode(jpeg()).decode()


@cache
def garment(colour: str) -> str:
    return base64.b64encode(jpeg(colour=colour)).decode()


@dataclass(frozen=True)
class Said:
    """What the server answered: the text for the model, and the structured part."""

    text: str
    is_error: bool
    structured: dict[str, Any] | None
    pictures: int = 0

    @property
    def try_on(self) -> TryOn:
        assert not self.is_error, self.text
        return TryOn.model_validate(self.structured)

    @property
    def page(self) -> TryOnPage:
        assert not self.is_error, self.text
        return TryOnPage.model_validate(self.structured)

    @property
    def reference(self) -> str:
        """Our reference, wherever the text says it."""
        start = self.text.index("k-")
        reference = self.text[start : start + 26]
        assert all(letter in "0123456789abcdef" for letter in reference[2:]), self.text
        return reference

    @property
    def in_doubt(self) -> bool:
        return self.is_error and "may exist and be billed" in self.text

    @property
    def nothing_created(self) -> bool:
        return self.is_error and "No task was created." in self.text

    @property
    def unasked(self) -> bool:
        """Whether the ledger could not be asked: this call has created nothing, and of others it knows nothing."""
        return self.is_error and "whether the same was created before is not known." in self.text


@dataclass
class Assistant:
    """Calls the tools, as a model does: the answer is what it reads."""

    client: Client
    on_progress: Callable[[str], None] | None = None
    """Gets each line of progress. Without it no progress is asked for, and the server answers in time for any host."""

    async def call(self, tool: str, **arguments: Any) -> Said:
        async def note(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001  (the SDK's)
            assert self.on_progress is not None
            self.on_progress(message or "")

        result = await self.client.call_tool(
            tool, arguments, progress_callback=None if self.on_progress is None else note
        )
        assert isinstance(result, CallToolResult)
        text = "\n".join(part.text for part in result.content if isinstance(part, TextContent))
        pictures = sum(isinstance(part, ImageContent) for part in result.content)
        return Said(text, bool(result.is_error), result.structured_content, pictures)

    async def create(self, colour: str = "crimson", **more: Any) -> Said:
        return await self.call("create_try_on", human_image=PERSON, cloth_image=garment(colour), **more)

    async def get(self, name: str, wait_seconds: float = 0) -> Said:
        return await self.call("get_try_on", task_id=name, wait_seconds=wait_seconds)

    async def list(self, **more: Any) -> Said:
        return await self.call("list_try_ons", **more)

    async def view(self, name: str) -> Said:
        return await self.call("view_try_on", task_id=name)


@dataclass
class World:
    """A Kling and the servers that use it. Time passes only when somebody sleeps or turns it, for both sides."""

    folder: Path
    time: TurnedClock = field(default_factory=TurnedClock)
    kling: SandboxKling = field(init=False)
    ledger: str = field(init=False)
    base: str | None = None
    """Where the servers reach Kling; its own origin if not set."""
    keys: Credentials | None = None
    """What its servers sign with; Kling's first API key if not set."""

    def __post_init__(self) -> None:
        self.kling = SandboxKling(clock=SandboxClock(wall=lambda: self.time.now))
        self.ledger = f"sqlite:///{self.folder / 'ledger.sqlite3'}"

    def settings(self, **changes: Any) -> Settings:
        host = self.kling.origin.removeprefix("http://")
        made = Settings(
            api_base=self.base or self.kling.origin,
            allowed_hosts=frozenset({host}),
            ledger=self.ledger,
            chosen_dir=self.folder / "chosen",
        )
        return made.model_copy(update=changes)

    @asynccontextmanager
    async def server(
        self, on_progress: Callable[[str], None] | None = None, **changes: Any
    ) -> AsyncGenerator[Assistant]:
        """A server of its own, as after a start; several may run at once."""
        server = build_server(
            self.settings(**changes), lambda: self.keys or api_key(self.kling), clock=self.time.clock()
        )
        # In memory, only the older protocol sends a progress token along, by which the server knows that it is heard.
        async with Client(server, mode="auto" if on_progress is None else "legacy") as client:
            yield Assistant(client, on_progress)

    @property
    def posts(self) -> int:
        return sum(request.method == "POST" for request in self.kling.requests)


async def naively(world: World, on_progress: Callable[[str], None] | None = None) -> list[Said]:
    """Create, create again three times because the answer was odd, restart, and create once more."""
    [said] = (await naively_each(world, ["the wish"], lambda _name: None, on_progress, times=4)).values()
    return said


async def naively_each(
    world: World,
    names: Iterable[str],
    arm: Callable[[str], None],
    on_progress: Callable[[str], None] | None = None,
    *,
    times: int = 2,
) -> dict[str, list[Said]]:
    """Do so with a wish of its own for each name; `arm` is called before each of them is made.

    Of many wishes each is made twice before the restart: what a third and a fourth time come to, one shows for all.
    """
    colours = {name: f"#{number * 9 % 256:02x}2244" if number else "crimson" for number, name in enumerate(names)}
    said: dict[str, list[Said]] = {}
    async with world.server(on_progress) as assistant:
        for name, colour in colours.items():
            arm(name)
            said[name] = [await assistant.create(colour) for _ in range(times)]
    async with world.server() as assistant:
        for name, colour in colours.items():
            said[name].append(await assistant.create(colour))
    return said


async def found_by(world: World, reference: str) -> Said:
    """What a later process finds by the reference alone."""
    async with world.server() as assistant:
        return await assistant.get(reference)
