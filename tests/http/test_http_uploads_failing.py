"""What becomes of an upload where something fails on its way: nothing is kept, and the link can be used again."""

import asyncio
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from obstore.store import MemoryStore
from starlette.applications import Starlette

from kolors_mcp.clock import Clock
from kolors_mcp.errors import NotReadyError
from kolors_mcp.images.pictures import Pictures
from kolors_mcp.server.http.bounds import FOR_SERVICE
from kolors_mcp.server.http.draining import Draining
from kolors_mcp.server.http.upload_links import UploadLinks
from kolors_mcp.server.http.uploads import KEPT_ENDING, TIDY_SECONDS, USED_FOLDER, Uploads, forget_used
from kolors_mcp.server.http.user_photos import UserPhotos
from kolors_mcp.shelf.shelf import Shelf, ShelfError
from tests.support.making import jpeg

pytestmark = pytest.mark.anyio


class FailingShelf(Shelf):
    """One on which some things cannot be written."""

    fails = ""
    """How the names begin of what cannot be written; empty: everything can."""

    async def create(self, name: str, data: bytes) -> bool:
        if self.fails and name.startswith(self.fails):
            raise ShelfError("The shelf for pictures could not be written to (OSError).")
        return await super().create(name, data)


@dataclass
class Opening:
    """A service that has its pictures, or cannot be opened."""

    opened: Pictures | None

    async def pictures(self, _seconds: float) -> Pictures:
        if self.opened is None:
            raise NotReadyError("This server is still starting.")
        return self.opened


class World:
    """Uploads without a socket."""

    def __init__(self, body_seconds: float = 40.0) -> None:
        self.shelf = FailingShelf(MemoryStore())
        self.photos = UserPhotos(self.shelf)
        self.links = UploadLinks("http://door", lambda: None, Clock())
        self.opening = Opening(Pictures(folders=()))
        self.draining = Draining()
        bounds = replace(FOR_SERVICE, body_seconds=body_seconds)
        self.uploads = Uploads(
            self.links,
            self.shelf,
            self.photos,
            self.opening.pictures,
            self.draining,
            bounds=bounds,
            clock=Clock(),
        )

    async def put(self, link: str, content: Any) -> httpx.Response:
        transport = httpx.ASGITransport(Starlette(routes=[self.uploads.route]))
        async with httpx.AsyncClient(transport=transport) as client:
            return await client.put(link, content=content)

    async def left(self) -> list[str]:
        return [lying.name.partition("/")[0] for lying in await self.shelf.listed("")]


async def test_a_link_can_be_used_again_after_the_shelf_or_the_service_failed() -> None:
    world = World()
    link = world.links.made_for("token ana")
    world.shelf.fails = "photos/"
    refused = await world.put(link, jpeg())
    assert (refused.status_code, "was not kept" in refused.text) == (422, True)
    world.shelf.fails = ""
    pictures, world.opening.opened = world.opening.opened, None
    busy = await world.put(link, jpeg())
    assert (busy.status_code, "retry-after" in busy.headers) == (503, True)
    assert await world.left() == []
    world.opening.opened = pictures
    assert (await world.put(link, jpeg())).status_code == 201
    assert sorted(await world.left()) == ["photos", USED_FOLDER, USED_FOLDER]


async def test_a_photo_is_kept_although_it_cannot_be_written_down_what_it_was() -> None:
    world = World()
    link = world.links.made_for("token ana")
    token = link.rpartition("/")[2]
    world.shelf.fails = f"{USED_FOLDER}/{world.links.read(token).id}{KEPT_ENDING}"
    assert (await world.put(link, jpeg())).status_code == 201
    world.shelf.fails = ""
    again = await world.put(link, jpeg())
    assert (again.status_code, "works once" in again.text) == (409, True)
    assert sorted(await world.left()) == ["photos", USED_FOLDER]


async def test_a_body_that_drips_is_ended_and_one_at_the_end_of_the_service_is_sent_elsewhere() -> None:
    world = World(body_seconds=0)

    async def drip() -> Any:
        yield jpeg()[:100]
        await asyncio.Event().wait()

    link = world.links.made_for("token ana")
    late = await world.put(link, drip())
    assert (late.status_code, "did not arrive in time" in late.text) == (408, True)
    world.draining.begin()
    ending = await world.put(link, jpeg())
    assert (ending.status_code, "retry-after" in ending.headers) == (503, True)
    assert await world.left() == []


async def test_what_says_that_links_were_used_is_forgotten_after_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    await world.put(world.links.made_for("token ana"), jpeg())
    rounds: list[float] = []

    async def tick(seconds: float) -> None:
        rounds.append(seconds)
        if len(rounds) == 2:
            raise asyncio.CancelledError
        monkeypatch.setattr("kolors_mcp.server.http.uploads.USED_SECONDS", -1.0)
        assert sorted(await world.left()) == ["photos", USED_FOLDER, USED_FOLDER], "it is not old yet"

    with pytest.raises(asyncio.CancelledError):
        await forget_used(world.shelf, Clock(tick=tick))
    assert await world.left() == ["photos"]
    assert rounds == [TIDY_SECONDS, TIDY_SECONDS]
