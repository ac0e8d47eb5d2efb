"""The replicas of the service: real processes, which are killed, frozen, restarted and started again."""

import asyncio
import hashlib
import secrets
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.commands import environment

from .kling import Kling
from .plan import Plan
from .programs import Program
from .users import name_of

SCOPES = "try_on:read,try_on:create"
RESTART_PAUSE_SECONDS = 0.5, 4.0
"""Between a replica's end and its next start, as a supervisor waits."""


@dataclass
class Replica:
    """One process of the service, and what has become of it."""

    number: int
    port: int
    program: Program
    meant: bool = True
    """Whether it is meant to be down now."""
    watching: asyncio.Task[None] | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Only one thing befalls it at a time."""


class Replicas:
    """All of them."""

    def __init__(self, folder: Path, ports: Sequence[int], variables: Mapping[str, str]) -> None:
        self.died: list[str] = []
        self.late: list[str] = []
        self.each = [self._made(folder, number, port, variables) for number, port in enumerate(ports)]

    async def start(self) -> None:
        """Start all, and wait until each is ready."""
        await asyncio.gather(*(self._start(one) for one in self.each))

    async def close(self) -> None:
        """Tell all to end; those that do not are late."""
        await asyncio.gather(*(self._end(one) for one in self.each))

    async def end_at_once(self) -> None:
        """Leave none behind."""
        for one in self.each:
            one.meant = True
            await one.program.kill()
            if one.watching is not None:
                await one.watching

    async def kill(self, number: int, pause: float) -> None:
        """Kill one, and start it again after so many seconds."""
        one = self.each[number]
        async with one.turn:
            one.meant = True
            await one.program.kill()
            await asyncio.sleep(pause)
            await self._start(one)

    async def restart(self, number: int, pause: float) -> None:
        """Tell one to end, and start it again."""
        one = self.each[number]
        async with one.turn:
            await self._end(one)
            await asyncio.sleep(pause)
            await self._start(one)

    async def freeze(self, number: int, seconds: float) -> None:
        """Let one stand still for so long."""
        one = self.each[number]
        async with one.turn:
            one.program.freeze()
            try:
                await asyncio.sleep(seconds)
            finally:
                one.program.thaw()

    async def at_rest(self) -> None:
        """Wait until nothing befalls any of them, and all are ready."""
        for one in self.each:
            async with one.turn:
                await one.program.up(self._ready(one))

    def told(self, secret: Mapping[str, str]) -> list[str]:
        """Return what stands in a log that must not: secrets by what they are, never the secret itself."""
        found: list[str] = []
        for one in self.each:
            with suppress(FileNotFoundError):
                log = one.program.log.read_text("utf-8", "replace")
                found += [f"replica {one.number} told {name}" for word, name in secret.items() if word in log]
        return found

    def _made(self, folder: Path, number: int, port: int, variables: Mapping[str, str]) -> Replica:
        home = folder / f"home-{number}"
        home.mkdir()
        command = [sys.executable, "-m", "kolors_mcp", "serve", "--http", "--port", str(port)]
        program = Program(f"replica-{number}", command, environment(home, **variables), folder)
        return Replica(number, port, program)

    async def _start(self, one: Replica) -> None:
        await one.program.start()
        one.meant = False
        one.watching = asyncio.create_task(self._watch(one))
        await one.program.up(self._ready(one))

    async def _end(self, one: Replica) -> None:
        one.meant = True
        if not await one.program.end():
            self.late.append(f"replica {one.number} was told to end and did not: {one.program.last_words}")

    async def _watch(self, one: Replica) -> None:
        code = await one.program.ended()
        if not one.meant:
            self.died.append(f"replica {one.number} ended with {code}: {one.program.last_words}")

    @staticmethod
    def _ready(one: Replica) -> str:
        return f"http://127.0.0.1:{one.port}/readyz"


def tokens_of(plan: Plan, file: Path) -> list[str]:
    """Write the file of static tokens, and return the token of each user."""
    tokens = [secrets.token_urlsafe(24) for _ in range(plan.users + 1)]
    lines = [
        f"{name_of(user)} {hashlib.sha256(token.encode()).hexdigest()} {SCOPES}" for user, token in enumerate(tokens)
    ]
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return tokens


def variables_of(plan: Plan, kling: Kling, ledger: str, tokens: Path, public: str) -> dict[str, str]:
    """Return the settings of the service, but for its shelf."""
    return {
        "KLING_API_BASE": kling.origin,
        "KLING_API_KEY": kling.api_key,
        # Results are fetched for view_try_on.
        "KOLORS_ALLOWED_HOSTS": kling.origin.removeprefix("http://"),
        "KOLORS_LEDGER": ledger,
        "KOLORS_TOKENS": str(tokens),
        "KOLORS_PUBLIC_URL": f"http://{public}",
        "KOLORS_SLOTS": str(plan.slots),
        "KOLORS_DAILY_LIMIT": str(10 * max(plan.heavy_wishes, plan.wishes)),
        "KOLORS_MAX_WAITING": str(2 * max(plan.heavy_wishes, plan.wishes)),
        "KOLORS_MAX_WAIT_SECONDS": "36000",
        "KOLORS_LOG_LEVEL": "INFO",
    }
