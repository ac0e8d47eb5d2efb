"""How a link for a photo reaches its user: through the host where that opens links itself, else through the model."""

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx2
import mcp_types
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitRequestURLParams, ElicitResult

from tests.support.making import Era, jpeg
from tests.support.over_http import asked
from tests.support.shop import Shop
from tests.support.wishing import Assistant, garment

pytestmark = [pytest.mark.anyio, pytest.mark.process]

Asking = Literal["url", "form", "none"]
"""By which means a host can ask its user."""
Action = Literal["accept", "decline", "cancel"]


class User:
    """Somebody at a host, what they answer, and what their host has asked them."""

    def __init__(self, action: Action = "accept") -> None:
        self.action: Action = action
        self.asked: list[Any] = []

    async def ask(self, context: Any, params: Any) -> ElicitResult:
        del context
        self.asked.append(params)
        return ElicitResult(action=self.action)


@asynccontextmanager
async def host(
    shop: Shop, era: Era, asking: Asking, user: User, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Assistant]:
    if asking == "form":
        monkeypatch.setattr(mcp_types, "UrlElicitationCapability", lambda: None)
    headers = {"authorization": f"Bearer secret-{shop.ana}"}
    async with httpx2.AsyncClient(headers=headers, trust_env=False, timeout=100) as http:
        transport = streamable_http_client(shop.service.url, http_client=http)
        async with Client(transport, mode=era, elicitation_callback=None if asking == "none" else user.ask) as client:
            yield Assistant(client)


def link_in(text: str) -> str:
    [link] = re.findall(r"http://\S+/uploads/\S+", text)
    return link


async def used_in_a_create(shop: Shop, link: str, ana: Assistant) -> None:
    """Hand over a photo as the page does, and dress the person on it."""
    assert asked(shop.service, "PUT", urlsplit(link).path, body=jpeg()).status == 201
    assert "photo:my-photo" in (await ana.call("list_pictures")).text
    created = await ana.call("create_try_on", human_image="photo:my-photo", cloth_image=garment("navy"))
    assert not created.is_error, created.text


async def test_a_host_that_opens_links_is_given_it_and_the_model_does_not_see_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = User()
    async with host(shop, "auto", "url", user, monkeypatch) as ana:
        said = (await ana.call("open_fitting_room")).text
        [params] = user.asked
        assert isinstance(params, ElicitRequestURLParams)
        assert "does not pass the chat" in params.message
        assert "is open in the user's browser" in said
        assert "list_pictures shows it as photo:NAME" in said
        assert "/uploads/" not in said
        await used_in_a_create(shop, params.url, ana)


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_user_who_opens_nothing_gets_a_link_that_works(
    action: Action, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = User(action)
    async with host(shop, "auto", "url", user, monkeypatch) as ana:
        said = (await ana.call("open_fitting_room")).text
        assert len(user.asked) == 1
        assert "is open" not in said
        await used_in_a_create(shop, link_in(said), ana)


@pytest.mark.parametrize("asking", ["form", "none"])
async def test_a_host_that_opens_no_links_gets_it_as_text_and_its_user_is_asked_nothing(
    asking: Asking, era: Era, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = User()
    async with host(shop, era, asking, user, monkeypatch) as ana:
        said = (await ana.call("open_fitting_room")).text
        assert user.asked == []
        assert said.startswith("Give the user this link, whole: ")
        assert "is open" not in said
        await used_in_a_create(shop, link_in(said), ana)


async def test_before_2026_a_service_without_sessions_asks_nothing_and_gives_the_link(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = User()
    async with host(shop, "legacy", "url", user, monkeypatch) as ana:
        said = (await ana.call("open_fitting_room")).text
        assert user.asked == []
        await used_in_a_create(shop, link_in(said), ana)
