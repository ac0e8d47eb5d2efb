"""Who listens to resources is told when they move, and nobody looks at Kling when nobody listens."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from mcp import Client
from mcp.client.subscriptions import ResourcesListChanged, ResourceUpdated

from kolors_mcp.clock import Clock
from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.server import build_server
from kolors_mcp.server.updates import POLL_PAUSES
from tests.support.in_memory import settings_for
from tests.support.making import Era, api_key
from tests.support.reading import Heard, created, json_of
from tests.support.still_time import idle, turn, until

pytestmark = pytest.mark.anyio


@pytest.fixture
async def watcher(kling: SandboxKling, era: Era, heard: Heard) -> AsyncIterator[Client]:
    """A client of a server whose pauses end when the test turns the loop's time; its try-ons take very long."""
    kling.rules.finished_seconds = 10_000
    clock = Clock(wall=kling.clock.now, monotonic=asyncio.get_running_loop().time, jitter=lambda: 0.5)
    server = build_server(settings_for(kling), lambda: api_key(kling), clock=clock)
    async with Client(server, mode=era, message_handler=heard) as made:
        yield made


async def subscribe(client: Client, uri: str) -> None:
    with pytest.warns(match="subscribe"):
        await client.subscribe_resource(uri)  # pyright: ignore[reportDeprecated]


async def unsubscribe(client: Client, uri: str) -> None:
    with pytest.warns(match="subscribe"):
        await client.unsubscribe_resource(uri)  # pyright: ignore[reportDeprecated]


def watched() -> dict[str, Any]:
    """What the server is looking at for somebody, and what it saw last."""
    frames = [frame for task in asyncio.all_tasks() for frame in task.get_stack(limit=1)]
    looks = [frame.f_locals for frame in frames if frame.f_code.co_qualname == "Updates._poll"]
    return {look["uri"]: look.get("before") for look in looks}


@pytest.mark.parametrize("era", ["auto"], indirect=True)
async def test_whoever_listens_hears_that_the_list_of_resources_has_grown(client: Client, kling: SandboxKling) -> None:
    kling.rules.finished_seconds = 10_000
    async with client.listen(resources_list_changed=True) as subscription:
        made = await created(client)
        assert (await created(client)).reused
        kling.clock.advance(20_000)
        await client.call_tool("get_try_on", {"task_id": made.task_id, "wait_seconds": 30})
        lengths: list[int] = []
        async for event in subscription:
            assert isinstance(event, ResourcesListChanged)
            lengths.append(len((await client.list_resources(cache_mode="refresh")).resources))
            if lengths[-1] == 4:
                break
    assert len(lengths) <= 2


@pytest.mark.parametrize("era", ["legacy"], indirect=True)
async def test_a_subscription_to_what_is_no_resource_here_is_taken_and_looks_at_nothing(client: Client) -> None:
    for uri in ("bad", "tryon://1/images/x", "test://watched"):
        await subscribe(client, uri)
        await unsubscribe(client, uri)
    assert watched() == {}


@pytest.mark.parametrize("era", ["auto"], indirect=True)
async def test_whoever_listens_hears_when_a_watched_try_on_moves(watcher: Client, kling: SandboxKling) -> None:
    made = await created(watcher)
    uri, picture = f"tryon://{made.task_id}", f"tryon://{made.task_id}/images/0"
    async with watcher.listen(resource_subscriptions=[uri, picture]) as subscription:
        await until(lambda: len(watched()) == 2 and all(watched().values()))
        kling.clock.advance(20_000)
        turn(POLL_PAUSES.initial_seconds)
        told: set[str] = set()
        async for event in subscription:
            assert isinstance(event, ResourceUpdated)
            told.add(event.uri)
            if told == {uri, picture}:
                break
        assert json_of(await watcher.read_resource(uri), uri)["status"] == "succeed"


@pytest.mark.parametrize("era", ["auto"], indirect=True)
async def test_whoever_listens_to_the_recent_ones_hears_of_a_new_one_and_of_its_end(
    watcher: Client, kling: SandboxKling
) -> None:
    states: list[str] = []
    async with watcher.listen(resource_subscriptions=["tryon://recent"]) as subscription:
        await until(lambda: watched() == {"tryon://recent": ()})
        made = await created(watcher)
        turn(POLL_PAUSES.initial_seconds)
        async for _event in subscription:
            rows = json_of(await watcher.read_resource("tryon://recent"), "tryon://recent")["try_ons"]
            assert [row["task_id"] for row in rows] == [made.task_id]
            states.append(rows[0]["status"])
            if states[-1] == "succeed":
                break
            kling.clock.advance(20_000)
            await idle()
            turn(POLL_PAUSES.initial_seconds)
    assert states == ["submitted", "succeed"]


@pytest.mark.parametrize("era", ["legacy"], indirect=True)
async def test_whoever_subscribes_hears_when_a_watched_try_on_moves_until_they_unsubscribe(
    watcher: Client, kling: SandboxKling, heard: Heard
) -> None:
    made = await created(watcher)
    uri = f"tryon://{made.task_id}"
    await subscribe(watcher, uri)
    await subscribe(watcher, uri)
    await until(lambda: any(watched().values()))
    kling.clock.advance(20_000)
    turn(POLL_PAUSES.initial_seconds)
    assert await heard.next() == uri
    assert json_of(await watcher.read_resource(uri, cache_mode="refresh"), uri)["status"] == "succeed"
    await unsubscribe(watcher, uri)
    await unsubscribe(watcher, uri)
    assert watched() == {}
    assert heard.updated == [uri]


async def test_whoever_watches_one_that_is_finished_is_told_once(client: Client, era: Era, heard: Heard) -> None:
    made = await created(client, wait_seconds=30)
    uri = f"tryon://{made.task_id}"
    if era == "legacy":
        await subscribe(client, uri)
        assert await heard.next() == uri
        return
    async with client.listen(resource_subscriptions=[uri]) as subscription:
        async for event in subscription:
            assert event == ResourceUpdated(uri)
            break


@pytest.mark.parametrize("era", ["auto"], indirect=True)
async def test_looking_stops_when_nobody_listens_any_more(watcher: Client) -> None:
    made = await created(watcher)
    async with (
        watcher.listen(resource_subscriptions=[f"tryon://{made.task_id}", "tryon://recent"]),
        watcher.listen(resource_subscriptions=[f"tryon://{made.task_id}", "elsewhere://1"]),
    ):
        assert sorted(watched()) == ["tryon://" + made.task_id, "tryon://recent"]
    await until(lambda: not watched())
