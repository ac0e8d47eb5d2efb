"""One run: everything is started, the users come, the service is troubled, and in the end all is looked for."""

import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Literal

from scripts.loopback_nginx import free_port
from tests.support.postgres import Postgres, running

from .history import History, Said
from .kling import Kling, kling
from .ledger import noted_in
from .pictures import Pictures
from .plan import FAULTS, HEAVY, Happening, Plan, WishKey, chance
from .proxy import proxy
from .replicas import RESTART_PAUSE_SECONDS, Replicas, tokens_of, variables_of
from .store import store
from .users import User, canary_of, name_of
from .wire import Lean, Official, pool

Kind = Literal["cluster", "single"]
OFFICIAL_SHARE, MODERN_SHARE, PROGRESS_SHARE = 0.03, 0.5, 0.3
"""Of the users: who speak by the SDK's own client, by the protocol of 2026, and who want to hear of progress."""
LOOKED_AT_SHARE, PRYING_SHARE = 0.06, 0.5
"""Of the finished wishes, whose pictures are looked at; of the users, who try what is another's."""
QUIET_SECONDS = 90.0
"""For which a doubt is looked for when all is quiet."""
LOOKS_AT_ONCE = 24
TOLD_SECONDS = 15.0
"""Between two lines about how far a run is."""

Tell = Callable[[str], object]


@dataclass
class World:
    """What is there while users are served."""

    plan: Plan
    history: History
    kling: Kling
    replicas: Replicas
    users: list[User]
    postgres: Postgres | None
    ledger: str
    """Its URL."""
    left: Callable[[], Awaitable[list[str]]]
    """Gives the names of what lies on the shelf."""


async def lived(plan: Plan, kind: Kind, limit: float, tell: Tell) -> tuple[History, list[str]]:
    """Let a run go from its first wish to its last look; return what happened, and what was left on the shelf.

    Args:
        plan: What it has.
        kind: Three replicas with PostgreSQL, S3 and nginx; or one process with SQLite and a folder.
        limit: Seconds after which users are not waited for any more.
        tell: Hears how far it is.
    """
    async with _started(plan, kind) as world:
        history = world.history
        history.hung = not await _served(world, limit, tell)
        tell("all users are served; looking for everything")
        await world.kling.turn("faults", clear=True)
        await world.replicas.at_rest()
        await _looked_for(world)
        history.tasks = await world.kling.tasks(world.users[0].pictures)
        history.noted = await asyncio.to_thread(noted_in, world.ledger)
        left = await world.left()
        await world.replicas.close()
        history.died, history.late = world.replicas.died, world.replicas.late
    return history, left


@asynccontextmanager
async def _started(plan: Plan, kind: Kind) -> AsyncGenerator[World]:
    pictures = await asyncio.to_thread(Pictures, plan)
    is_cluster = kind == "cluster"
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kolors-service-soak-")))
        # Its server runs as another account.
        await asyncio.to_thread(folder.chmod, 0o711)
        ports = [free_port() for _ in range(plan.replicas)]
        port = free_port() if is_cluster else ports[0]
        public = f"127.0.0.1:{port}"
        postgres = await asyncio.to_thread(stack.enter_context, running()) if is_cluster else None
        sandbox = await stack.enter_async_context(kling(plan, folder, public))
        ledger = f"sqlite:///{folder / 'ledger.sqlite3'}" if postgres is None else postgres.empty()
        tokens = tokens_of(plan, folder / "tokens")
        variables = variables_of(plan, sandbox, ledger, folder / "tokens", public)
        if is_cluster:
            shelf = await stack.enter_async_context(store(folder))
            variables |= shelf.variables
            left = shelf.left
        else:
            place = folder / "shelf"
            variables["KOLORS_SHELF"] = str(place)

            async def left() -> list[str]:
                return [str(file.relative_to(place)) for file in place.rglob("*") if file.is_file()]

        replicas = Replicas(folder, ports, variables)
        stack.push_async_callback(replicas.end_at_once)
        await replicas.start()
        if is_cluster:
            server = await stack.enter_async_context(proxy(folder, port, ports))
            await server.up(f"http://{public}/readyz")
        history = History(plan.slots, tuple(plan.every_wish()))
        history.owners = {canary_of(plan.seed, user): user for user in range(plan.users + 1)}
        users: list[User] = []
        told: list[tuple[int, str]] = []

        def others(user: int, luck: Random) -> str | None:
            told[:] = [(said.user, name) for said in history.said for name in (said.task_id, said.reference) if name]
            foreign = [name for owner, name in told if owner != user]
            return luck.choice(foreign) if foreign else None

        url = f"http://{public}/mcp"
        for user in range(plan.users + 1):
            luck = chance(plan.seed, "user", user)
            era = "modern" if luck.random() < MODERN_SHARE else "legacy"
            if luck.random() < OFFICIAL_SHARE:
                speaker = Official(url, tokens[user], era)
            else:
                client = await stack.enter_async_context(pool())
                speaker = Lean(client, url, tokens[user], era, progress=luck.random() < PROGRESS_SHARE)
            users.append(User(user, canary_of(plan.seed, user), speaker, history, pictures, luck, others))
        yield World(plan, history, sandbox, replicas, users, postgres, ledger, left)
        secret = {token: f"the token of user {user}" for user, token in enumerate(tokens)}
        secret |= {name_of(user): f"the name of user {user}" for user in range(plan.users + 1)}
        secret |= {word: f"a label of user {user}" for word, user in history.owners.items()}
        history.leaked = replicas.told(secret)


async def _served(world: World, limit: float, tell: Tell) -> bool:
    """Let the users come and be served while things happen; return whether all were in time."""
    until = time.monotonic() + limit
    async with _troubled(world, tell), asyncio.TaskGroup() as group:
        for user in world.users:
            group.create_task(_visit(world, user, until))
    return time.monotonic() < until


async def _visit(world: World, user: User, until: float) -> None:
    """Let one user come with all wishes at once."""
    await asyncio.sleep(0 if user.number == HEAVY else user.luck.uniform(0.0, world.plan.spread))
    async with asyncio.TaskGroup() as wishes:
        for number in range(world.plan.wishes_of(user.number)):
            wishes.create_task(user.grant((user.number, number), until))
        if user.luck.random() < PRYING_SHARE:
            wishes.create_task(_prying(user, until, world.plan.ideal_seconds))


@asynccontextmanager
async def _troubled(world: World, tell: Tell) -> AsyncGenerator[None]:
    """For the length of the block let happen what is planned, and tell how far the run is."""
    happening = [asyncio.create_task(_happen(world, one, tell)) for one in world.plan.happenings]
    telling = asyncio.create_task(_tell(world, tell))
    try:
        yield
    finally:
        # What would befall a service that is done tells nothing.
        for task in (telling, *happening):
            task.cancel()
        ends = await asyncio.gather(telling, *happening, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception):
            raise end


async def _tell(world: World, tell: Tell) -> None:
    begun = time.monotonic()
    while True:
        await asyncio.sleep(TOLD_SECONDS)
        tasks = await world.kling.tasks(world.users[0].pictures)
        tell(f"{time.monotonic() - begun:.0f} s: {len(tasks)} of {world.plan.total} made")


async def _prying(user: User, until: float, longest: float) -> None:
    await asyncio.sleep(min(user.luck.uniform(0.1, 1.0) * longest, max(0.0, until - time.monotonic())))
    await user.pry()


async def _happen(world: World, one: Happening, tell: Tell) -> None:
    await asyncio.sleep(one.after)
    luck = chance(world.plan.seed, "happening", one.after)
    history = world.history
    if one.what == "fault":
        await world.kling.turn("faults", **FAULTS[one.fault])
        return
    tell(f"{one.after:.0f} s: {one.what}{'' if one.what == 'database away' else f' of replica {one.replica}'}")
    history.interruptions += 1
    # What has begun is not broken off: a replica that ends is started again.
    done = asyncio.ensure_future(_done(world, one, luck.uniform(*RESTART_PAUSE_SECONDS)))
    try:
        await asyncio.shield(done)
    except asyncio.CancelledError:
        await done
        raise


async def _done(world: World, one: Happening, pause: float) -> None:
    match one.what:
        case "kill":
            await world.replicas.kill(one.replica, pause)
        case "restart":
            await world.replicas.restart(one.replica, pause)
        case "freeze":
            await world.replicas.freeze(one.replica, one.seconds)
        case _:
            assert world.postgres is not None
            await asyncio.to_thread(world.postgres.stop)
            await asyncio.sleep(one.seconds)
            await asyncio.to_thread(world.postgres.start)


async def _looked_for(world: World) -> None:
    """Look for every wish, at some pictures, and at what each user's list shows."""
    at_once = asyncio.Semaphore(LOOKS_AT_ONCE)
    until = time.monotonic() + QUIET_SECONDS
    luck = chance(world.plan.seed, "looks")
    looked_at = {wish for wish in world.history.wishes if luck.random() < LOOKED_AT_SHARE}

    async def one(user: User, wish: WishKey) -> None:
        async with at_once:
            said = await user.last_word(wish, until)
            if said is None:
                return
            world.history.ends[wish] = said
            if said.is_final and wish in looked_at:
                async with pool() as client:
                    await user.look(said, client)

    async with asyncio.TaskGroup() as group:
        for user in world.users:
            group.create_task(_listed(user, at_once))
            for number in range(world.plan.wishes_of(user.number)):
                group.create_task(one(user, (user.number, number)))


async def _listed(user: User, at_once: asyncio.Semaphore) -> Said:
    async with at_once:
        return await user.list()
