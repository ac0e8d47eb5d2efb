"""What assistants and their hosts do to have one wish granted: they call, lose answers, look, and call again."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from .host import Gone, Server
from .pictures import Pictures
from .plan import Stage, WishPlan, chance
from .words import Kind, kind_of_error, reference_in

ATTEMPTS, DOUBTS = 6, 2
"""Calls of one caller before it gives up, and answers of doubt."""
TIMEOUT_SECONDS = (50.0, 50.0, 50.0, 20.0)
"""How long a host waits for an answer, each as likely."""
CALLED_SECONDS = 0.1
"""Seconds in which a create usually gets from the caller to Kling."""
BEGUN_SECONDS = 20.0
"""For which whoever is to take over a create waits until another server has begun it."""
RENEWED_SECONDS = 40.0
"""Seconds in which a call with `new_render` is repeated: below the minute for which the same call joins its first."""


@dataclass(frozen=True)
class Said:
    """One answer, or that none came."""

    tool: str
    server: int
    kind: Kind
    text: str
    began: float
    ended: float
    task_id: str | None = None
    reference: str | None = None
    renewed: bool = False
    stopped: bool = False
    """Whether the server was stopped meanwhile, so that it may be late."""

    def __str__(self) -> str:
        named = self.task_id or self.reference or ""
        words = "" if self.kind == "task" else f" ({self.text[:160]})"
        return f"{self.tool}{' new_render' if self.renewed else ''} at {self.server}: {self.kind} {named}{words}"


@dataclass
class Wish:
    """One wish, and all that was said about it."""

    plan: WishPlan
    said: list[Said] = field(default_factory=list[Said])
    asked_first: Server | None = None
    interrupted: str = ""
    """What was killed or stopped because of it."""
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when its first create is at Kling but for its end, if it is one that is held up then."""

    @property
    def number(self) -> int:
        return self.plan.number

    def named(self) -> set[str]:
        """Return the ids of tasks that answers named."""
        return {said.task_id for said in self.said if said.task_id is not None}


@dataclass(frozen=True)
class Callers:
    """Those who call the servers of one world."""

    seed: int
    servers: Sequence[Server]
    pictures: Pictures
    on_stage: Callable[[int, Stage], None]

    async def grant(self, wish: Wish) -> None:
        """Let all callers of a wish come, and one of them once more if it is to be renewed."""
        async with asyncio.TaskGroup() as group:
            for number in range(wish.plan.callers):
                luck = chance(self.seed, "caller", wish.number, number)
                group.create_task(self._caller(wish, luck, first=not number))
        luck = chance(self.seed, "renewed", wish.number)
        if wish.plan.renewed and wish.said[-1].kind == "task":
            until = time.monotonic() + RENEWED_SECONDS
            while time.monotonic() < until:
                said = await self.create(wish, luck.choice(self.servers), luck, renewed=True)
                if said.kind not in ("gone", "nothing", "unasked"):
                    break
                await asyncio.sleep(luck.uniform(0.1, 1.0))

    async def _caller(self, wish: Wish, luck: Random, *, first: bool) -> None:
        takes_over = wish.plan.is_slept_through and not first
        if takes_over:
            # Before, the server that is to fall asleep may not have it in hand yet.
            with suppress(TimeoutError):
                async with asyncio.timeout(BEGUN_SECONDS):
                    await wish.begun.wait()
        await asyncio.sleep(0 if first else luck.choice((0.0, luck.uniform(0, 0.3), luck.uniform(0, 8))))
        doubts = 0
        for attempt in range(ATTEMPTS):
            others = [one for one in self.servers if one is not wish.asked_first]
            server = luck.choice(others if takes_over and not attempt else self.servers)
            if wish.asked_first is None:
                wish.asked_first = server
                asyncio.get_running_loop().call_later(
                    luck.random() ** 2 * CALLED_SECONDS, self.on_stage, wish.number, "called"
                )
            said = await self.create(wish, server, luck)
            if said.kind == "task":
                break
            await asyncio.sleep(luck.uniform(0.1, 3.0))
            if said.kind == "doubt" and said.reference is not None:
                if luck.random() < 0.2:
                    await self.list(wish, luck.choice(self.servers))
                if (await self.get(wish, luck.choice(self.servers), said.reference)).kind == "task":
                    break
                doubts += 1
                if doubts == DOUBTS:
                    break
        # Many hosts forget; then the same is asked for again.
        if luck.random() < 0.2:
            await asyncio.sleep(luck.uniform(0, 6))
            await self.create(wish, luck.choice(self.servers), luck)

    async def create(self, wish: Wish, server: Server, luck: Random, *, renewed: bool = False) -> Said:
        """Ask for the wish once."""
        human, cloth = self.pictures.of(wish.number)
        arguments: dict[str, Any] = {"human_image": human, "cloth_image": cloth}
        if wish.plan.waits:
            arguments["wait_seconds"] = wish.plan.waits
        if renewed:
            arguments["new_render"] = True
        return await self._call(wish, server, "create_try_on", arguments, luck.choice(TIMEOUT_SECONDS))

    async def get(self, wish: Wish, server: Server, name: str) -> Said:
        """Look at what is known under an id or a reference."""
        return await self._call(wish, server, "get_try_on", {"task_id": name, "wait_seconds": 0}, TIMEOUT_SECONDS[0])

    async def list(self, wish: Wish, server: Server) -> Said:
        """Look at the newest of the account."""
        return await self._call(wish, server, "list_try_ons", {"page_size": 100}, TIMEOUT_SECONDS[0])

    async def _call(
        self, wish: Wish, server: Server, tool: str, arguments: dict[str, Any], timeout_seconds: float
    ) -> Said:
        began, stops, renewed = time.monotonic(), server.stops, "new_render" in arguments
        stopped = server.stopped
        try:
            result = await server.call(tool, arguments, timeout_seconds)
        except Gone as gone:
            said = Said(tool, server.number, "gone", str(gone), began, time.monotonic(), renewed=renewed)
        else:
            said = _understood(tool, server.number, result, began, renewed=renewed)
        said = replace(said, stopped=stopped or server.stops > stops)
        wish.said.append(said)
        return said


def _understood(tool: str, server: int, result: dict[str, Any], began: float, *, renewed: bool) -> Said:
    """Read an answer as a model does."""
    parts = [part.get("text", "") for part in result.get("content", ())]
    text, ended = "\n".join(parts) or str(result.get("rpc")), time.monotonic()
    if tool == "list_try_ons":
        return Said(tool, server, "other", text[:100], began, ended)
    if not result.get("isError"):
        structured = result.get("structuredContent", {})
        task_id, reference = structured.get("task_id"), structured.get("reference")
        return Said(tool, server, "task", text, began, ended, task_id, reference, renewed)
    return Said(tool, server, kind_of_error(text), text, began, ended, None, reference_in(text), renewed)
