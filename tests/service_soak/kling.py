"""The stand-alone sandbox as Kling: started, turned, and asked what was paid for."""

import re
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from scripts.loopback_nginx import free_port
from tests.support.commands import environment

from .history import Task
from .pictures import Pictures
from .plan import Plan
from .programs import Program

UNITS = 1_000_000
SHOWN_SECONDS = 60.0


@dataclass(frozen=True)
class Kling:
    """A simulated Kling that listens."""

    origin: str
    api_key: str
    client: httpx.AsyncClient

    async def turn(self, what: str, **fields: Any) -> None:
        """Change a rule, the clock, or what goes wrong next."""
        (await self.client.post(f"{self.origin}/sandbox/{what}", json=fields)).raise_for_status()

    async def tasks(self, pictures: Pictures) -> list[Task]:
        """Return what was paid for."""
        answer = await self.client.get(f"{self.origin}/sandbox/tasks")
        answer.raise_for_status()
        return [
            Task(
                id=str(task["task_id"]),
                reference=task["external_task_id"],
                wish=pictures.wish_of(task["human_sha256"]),
                accepted_at=task["created_at"],
                finished_at=task["finished_at"],
            )
            for task in answer.json()["tasks"]
        ]


@asynccontextmanager
async def kling(plan: Plan, folder: Path, public: str) -> AsyncGenerator[Kling]:
    """Run it for the length of the block.

    Args:
        plan: How long a task takes.
        folder: For its log.
        public: Host and port that it may call back.
    """
    port = free_port()
    own = environment(folder, KOLORS_ALLOWED_HOSTS=public, PYTHONUNBUFFERED="1")
    program = Program("kling", [sys.executable, "-m", "kolors_mcp", "sandbox", "--port", str(port)], own, folder)
    try:
        await program.start()
        await program.up(f"http://127.0.0.1:{port}/sandbox/state")
        found = re.search(r"KLING_API_KEY=(\S+)", program.last_words)
        assert found is not None, program.last_words
        async with httpx.AsyncClient(trust_env=False, timeout=SHOWN_SECONDS) as client:
            running = Kling(f"http://127.0.0.1:{port}", found.group(1), client)
            seconds = {"submitted_seconds": plan.render_seconds / 4, "finished_seconds": plan.render_seconds}
            # Its own slots are without end, so that what runs at once is what the service lets run.
            await running.turn("rules", units=UNITS, slots=None, **seconds)
            yield running
    finally:
        await program.kill()
