"""Those who listen are told of their own try-ons, whoever else makes some, and whatever they ask to be told of."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from mcp.client.subscriptions import ResourcesListChanged, ResourceUpdated

from kolors_mcp.clock import Clock
from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.server.bus import Bus
from tests.support.in_memory import PICTURES, try_on_of
from tests.support.shared_service import ANA, BEN, LOOKS_ONLY, Shared, shared
from tests.support.still_time import idle, turn

pytestmark = pytest.mark.anyio


@pytest.fixture
async def service(kling: SandboxKling) -> AsyncIterator[Shared]:
    clock = Clock(wall=kling.clock.now, monotonic=asyncio.get_running_loop().time, jitter=lambda: 0.5)
    async with shared(kling, clock) as made:
        yield made


async def create(service: Shared, label: str) -> str:
    turn(10)  # what was seen a moment ago is not asked for again
    made = await service.client.call_tool("start_try_on", {**PICTURES, "label": label})
    return try_on_of(made).task_id


async def test_nobody_is_told_of_another_users_try_ons(service: Shared) -> None:
    first = await create(service, "the first")
    events: list[object] = []
    service.caller = BEN
    uris = [f"tryon://{first}", "tryon://recent"]
    async with service.client.listen(resources_list_changed=True, resource_subscriptions=uris) as subscription:
        before = len(service.kling.requests)
        await idle()
        assert len(service.kling.requests) == before, "what is another's is not looked at"
        service.caller = ANA
        async with service.client.listen(resources_list_changed=True, resource_subscriptions=uris) as anas:
            service.kling.clock.advance(1000)
            turn(10)
            await service.client.call_tool("get_try_on", {"task_id": first})
            told: set[type] = set()
            async for event in anas:
                told.add(type(event))
                if told == {ResourcesListChanged, ResourceUpdated}:
                    break
        service.caller = BEN
        bens = await create(service, "mine")
        async for event in subscription:
            events.append(event)
            if isinstance(event, ResourcesListChanged):
                break
        assert bens in str(await service.client.list_resources(cache_mode="refresh"))
    assert not [event for event in events if isinstance(event, ResourceUpdated) and first in event.uri]


async def test_who_may_only_look_is_told_what_creating_needs_and_kling_hears_nothing(service: Shared) -> None:
    await service.client.list_tools()
    service.caller = LOOKS_ONLY
    for name in ("create_try_on", "start_try_on"):
        answer = await service.client.call_tool(name, {**PICTURES})
        assert answer.is_error
        assert "try_on:create" in answer.content[0].text  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue]
    assert len(service.kling.requests) == 0
    assert not (await service.client.call_tool("list_try_ons", {})).is_error


async def test_a_bus_for_all_would_tell_them(service: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the first test waits for in vain comes where users are not kept apart."""

    def all_alike(_self: Bus, _user: str | None = None) -> str:
        return "all"

    monkeypatch.setattr(Bus, "_whose", all_alike)
    service.caller = BEN
    async with service.client.listen(resources_list_changed=True) as subscription:
        service.caller = ANA
        anas = await create(service, "another's")
        assert isinstance(await anext(aiter(subscription)), ResourcesListChanged)
    service.caller = BEN
    assert anas not in str(await service.client.list_resources(cache_mode="refresh"))
