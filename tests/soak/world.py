"""One world: a Kling, a ledger, servers that are killed and stopped, and wishes that come meanwhile."""

import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.support.commands import environment

from .callers import Callers, Said, Wish
from .host import Server
from .kling import API_KEY, Kling, Task
from .ledgers import Ledgers
from .pictures import Pictures
from .plan import Stage, WorldPlan, chance
from .wire import Wire

WISHES_AT_ONCE = 80
LOOKS, LOOK_PAUSE = 6, 2.0
"""How often a task is looked for in the end that Kling shows, and the seconds between two looks."""
LOOKS_AT_ONCE = 24
QUIET_SECONDS = 3.0
"""After the last of the others comes the wish that a server falls asleep over."""
GRANTED_SECONDS = 400.0
"""Seconds after which calls that have not ended never will."""


@dataclass
class World:
    """What was planned, and what became of it."""

    plan: WorldPlan
    kling: Kling
    wishes: dict[int, Wish]
    looked: dict[str, Said]
    """By the id of each task: the last look for it, when all was quiet again."""
    kills: int = 0
    stops: int = 0
    died: int = 0
    late: int = 0
    """Servers that had not ended ten seconds after standard input closed."""
    hung: bool = False
    """Whether a call never ended."""
    seconds: tuple[float, float] = (0.0, 0.0)
    """Until the last wish had its answer, and until the end."""


async def run(
    plans: Sequence[WorldPlan],
    seed: int,
    wishes: int,
    ledgers: Ledgers,
    add: Callable[[World], object],
    without: str | None = None,
    *,
    at_once: int = 1,
) -> None:
    """Let worlds run, some at once, and hand out each when it has ended.

    Args:
        plans: Of the worlds.
        seed: As they were drawn with.
        wishes: As many as were drawn from.
        ledgers: Makes their ledgers.
        add: Gets each.
        without: The guard that is switched off in the servers.
        at_once: How many run beside each other.
    """
    held = [wish.number for plan in plans for wish in plan.wishes if wish.is_held]
    pictures, places = Pictures(wishes, held), asyncio.Semaphore(at_once)

    async def one(plan: WorldPlan) -> None:
        async with places:
            add(await lived(plan, seed, pictures, ledgers, without))

    async with asyncio.TaskGroup() as group:
        for plan in plans:
            group.create_task(one(plan))


async def lived(plan: WorldPlan, seed: int, pictures: Pictures, ledgers: Ledgers, without: str | None) -> World:
    """Let a world run from its first wish to its last look."""
    began = time.monotonic()
    wishes = {wish.number: Wish(wish) for wish in plan.wishes}
    due: asyncio.Queue[tuple[Server, float | None]] = asyncio.Queue()

    def note(number: int, stage: Stage) -> None:
        wish = wishes[number]
        if stage == "begun":
            wish.begun.set()
        if wish.interrupted or wish.asked_first is None or kling.calm:
            return
        if wish.plan.killed_at == stage:
            wish.interrupted = f"server {wish.asked_first.number} killed when {stage}"
            due.put_nowait((wish.asked_first, None))
        elif wish.plan.stopped_at == stage:
            wish.interrupted = f"server {wish.asked_first.number} stopped when {stage}"
            due.put_nowait((wish.asked_first, wish.plan.stopped_seconds))

    kling = Kling(plan.provider, pictures, {wish.number: wish for wish in plan.wishes}, note)
    world = World(plan, kling, wishes, {})
    with tempfile.TemporaryDirectory(prefix="kolors-soak-") as folder:
        async with Wire(kling, (seed, "world", plan.number)).listening():
            where = Path(folder)
            own = _environment(kling, where, ledgers(plan.database, where))
            servers = [Server(number, own, where / f"{number}.log", without) for number in range(plan.servers)]
            try:
                callers = Callers(seed, servers, pictures, note)
                async with _disturbed(world, servers, due):
                    await _granted(world, callers, chance(seed, "spread", plan.number))
                kling.calm, granted = True, time.monotonic()
                await _looked_for(world, callers, chance(seed, "looks", plan.number))
            finally:
                ended = await asyncio.gather(*(server.close() for server in servers))
    world.late = ended.count(False)
    world.kills, world.stops = (
        sum(counts) for counts in zip(*((one.killed, one.stops) for one in servers), strict=True)
    )
    world.died = sum(server.died for server in servers)
    world.seconds = granted - began, time.monotonic() - began
    return world


def _environment(kling: Kling, folder: Path, ledger: str) -> Mapping[str, str]:
    account = {"KLING_API_BASE": kling.origin, "KLING_API_KEY": API_KEY, "KOLORS_LEDGER": ledger}
    return environment(folder, **account, KOLORS_IMAGE_DIRS=str(folder), KOLORS_LOG_LEVEL="ERROR")


@asynccontextmanager
async def _disturbed(
    world: World, servers: list[Server], due: "asyncio.Queue[tuple[Server, float | None]]"
) -> AsyncGenerator[None]:
    """Start the servers, and until the body ends kill and stop them: as is planned, and as wishes have it done."""
    await asyncio.gather(*(server.start() for server in servers))

    async def disturb(server: Server, stopped: float | None, after: float = 0.0) -> None:
        await asyncio.sleep(after)
        if stopped is None:
            # What comes of a sleep is to be seen first.
            await server.awake()
            # The start that follows is never broken off.
            await asyncio.shield(asyncio.create_task(server.kill()))
        else:
            await server.stop(stopped)

    async def as_wishes_have_it() -> None:
        while True:
            disturbing.append(asyncio.create_task(disturb(*await due.get())))

    planned = [disturb(servers[one.server], one.stopped, one.after) for one in world.plan.interruptions]
    disturbing = [asyncio.create_task(one) for one in (as_wishes_have_it(), *planned)]
    try:
        yield
    finally:
        # A server that is just being started anew has to get there first.
        await asyncio.gather(*(server.at_rest() for server in servers))
        for task in disturbing:
            task.cancel()
        ends = await asyncio.gather(*disturbing, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception):
            raise end


async def _granted(world: World, callers: Callers, luck: Random) -> None:
    at_once = asyncio.Semaphore(WISHES_AT_ONCE)

    async def one(wish: Wish, after: float) -> None:
        await asyncio.sleep(after)
        async with at_once:
            await callers.grant(wish)

    try:
        async with asyncio.timeout(GRANTED_SECONDS), asyncio.TaskGroup() as group:
            for wish in world.wishes.values():
                after = luck.uniform(0, world.plan.spread)
                # A server that falls asleep over it is not to hold the lock of the ledger for another one.
                group.create_task(one(wish, world.plan.spread + QUIET_SECONDS if wish.plan.is_slept_through else after))
    except TimeoutError:
        world.hung = True


async def _looked_for(world: World, callers: Callers, luck: Random) -> None:
    """Look for every task of every wish, now that Kling does nothing odd any more."""
    at_once = asyncio.Semaphore(LOOKS_AT_ONCE)

    async def one(task: Task) -> None:
        wish = world.wishes[task.wish]
        for look in range(LOOKS):
            async with at_once:
                server = luck.choice(callers.servers)
                if task.reference is not None:
                    said = await callers.get(wish, server, task.reference)
                else:
                    said = await callers.create(wish, server, luck)
            world.looked[task.id] = said
            if said.kind not in ("doubt", "gone") or not world.kling.shows:
                break
            await asyncio.sleep(LOOK_PAUSE if look + 1 < LOOKS else 0)

    async with asyncio.TaskGroup() as group:
        for task in list(world.kling.tasks):
            group.create_task(one(task))
